"""Search everything that Airflow keeps: its database, its logs and the responses of its REST API."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from tests.harness.client import Client

Place = tuple[str, str]
"""The kind and name of a place: ("xcom", "value"), ("logs", "task"), ("REST", "dags/{dag_id}")."""


def database(home: Path) -> Iterator[tuple[Place, str]]:
    """Yield every cell of every table of the metadata database, as text."""
    with closing(sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"')  # a name from the schema
            columns = [column[0] for column in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    yield (table, column), text


def logs(home: Path) -> Iterator[tuple[Place, str]]:
    """Yield every log file: those of tasks and of Airflow's processes."""
    for file in sorted((home / "logs").rglob("*")):
        if file.is_file():
            kind = "task" if "dag_id=" in str(file) else file.relative_to(home / "logs").parts[0]
            yield ("logs", kind), file.read_text(errors="replace")


def store(folder: Path) -> Iterator[tuple[Place, str]]:
    """Yield the documents that are stored for reviewers."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield ("store", "evidence"), file.read_text(errors="replace")


def ledger(folder: Path) -> Iterator[tuple[Place, str]]:
    """Yield the chains of disputes: claims and ends, with their records."""
    for file in folder.rglob("*"):
        if file.is_file() and folder / "evidence" not in file.parents:
            yield ("ledger", "chains"), file.read_text()


def receipts(folder: Path) -> Iterator[tuple[Place, str]]:
    """Yield the audit receipts, which outlive Airflow's rows."""
    for file in folder.rglob("*.json"):
        yield ("receipts", file.name), file.read_text()


def answers(client: Client, runs: Iterable[tuple[str, str]]) -> Iterator[tuple[Place, str]]:
    """Yield the responses to every GET request about some runs, for all paths of the OpenAPI document."""
    paths = [path for path, methods in client.description()["paths"].items() if "get" in methods]
    filled = _fillings(client, list(runs))
    for path in paths:
        if path.endswith(("/wait", "/logout", "/login")):
            continue
        wanted = set(re.findall(r"{(\w+)}", path))
        # The map index of a task instance is a query parameter where the path has none.
        names = sorted(wanted | ({"map_index"} if "task_id" in wanted else set()))
        requests = {tuple(each[name] for name in names) for each in filled if wanted <= each.keys()}
        for values in sorted(requests):
            given = dict(zip(names, values, strict=True))
            query = {name: given[name] for name in names if name not in wanted}
            filled_in = path.format_map({name: quote(value) for name, value in given.items()})
            for page in client.pages(filled_in, **query):
                yield ("REST", path.removeprefix("/api/v2/")), page


def _fillings(client: Client, runs: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the values of path parameters, for each task of each run."""
    found: list[dict[str, str]] = [{}, *({"connection_id": each} for each in client.connections())]
    for dag_id, run_id in runs:
        for task in client.tasks(dag_id, run_id):
            values = {
                "dag_id": dag_id,
                "dag_run_id": run_id,
                "task_id": task["task_id"],
                "map_index": str(task["map_index"]),
            }
            tries = {"try_number": str(task["try_number"]), "task_try_number": str(task["try_number"])}
            found.append({**values, **tries})
            found += [{**values, "xcom_key": key} for key in client.xcom_keys(**values)]
    return found


def occurrences(words: Collection[str], places: Iterable[tuple[Place, str]]) -> dict[str, set[Place]]:
    """Return the places in which each word occurs; words that do not occur are left out."""
    found: dict[str, set[Place]] = {}
    for place, text in places:
        for word in words:
            if word in text:
                found.setdefault(word, set()).add(place)
    return found
