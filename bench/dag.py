"""Whole DAGs on a real Airflow: ours, and one of a stock operator with one call for each task."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.bodies import KEY, Calls, cases, new_disputes
from bench.timing import Table
from demo.processes import Airflow, end_cleanly, free_port
from demo.progress import Progress
from engine.client import Client

_CALLS = 100
_DISPUTES, _FEW = 1000, 5
_OFF = 10_000
_MINUTES = 15
# Each look costs the API server what it could do for tasks.
_LOOK = 1.0
_WHOLE = "bench_whole"
_STOCK = {"bench_http_operator": "as it comes", "bench_http_operator_3": "3 tasks at a time"}
_TASKS = ("stage", "review", "submit", "outcome")
_ABOUT = "whole DAG on Airflow"


def ratio(table: Table, url: str) -> float:
    """How many times as long as our whole DAG for a dispute a stock operator takes for a staging call."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-dag-") as folder,
        contextlib.redirect_stdout(sys.stderr),
        _airflow(Path(folder), url) as site,
    ):
        # What is imported or compiled once on a machine is not what is measured.
        site.write_cases(_FEW)
        site.run(_WHOLE)
        disputes = site.write_cases(_DISPUTES)
        ours = site.run(_WHOLE)
        # Whoever ends Airflow ends every process that we have started, the server too.
        _check(url, disputes)
        stock = {dag_id: site.run(dag_id) for dag_id in _STOCK}
    per_dispute = _ours(table, ours)
    per_call = [_stock(table, run, _STOCK[dag_id]) for dag_id, run in stock.items()]
    return round(per_call[0] / per_dispute, 1)


class _Site:
    """An Airflow, and who works with it."""

    def __init__(self, airflow: Airflow, client: Client, cases: Path, progress: Progress) -> None:
        self._airflow, self._client, self._cases, self._progress = airflow, client, cases, progress

    def write_cases(self, count: int) -> list[str]:
        """Cases of new disputes, a line each; returns the ids of the disputes."""
        disputes = new_disputes(count)
        lines = "".join(json.dumps(case) + "\n" for case in cases(disputes))
        (self._cases / "cases.jsonl").write_text(lines)
        return disputes

    def run(self, dag_id: str) -> _Run:
        """Run a DAG to its end; a review is answered with a yes to all as soon as it waits.

        :raises RuntimeError: if it fails.
        """
        run_id = self._client.start(dag_id, {})
        form: dict[str, Any] | None = None
        while (state := self._client.run_state(dag_id, run_id)) not in ("success", "failed"):
            self._airflow.check()
            self._progress.wait(f"{dag_id} runs", _LOOK)
            if dag_id == _WHOLE and form is None and self._is_parked(run_id):
                form = self._client.form(dag_id, run_id)
                self._client.respond(dag_id, run_id, [(form or {})["options"][0]], "")
        if state == "failed":
            raise RuntimeError(f"{dag_id} failed\n{self._airflow.tail()}")
        answered = self._client.form(dag_id, run_id) if form else None
        return _Run(self._client.tasks(dag_id, run_id), answered)

    def _is_parked(self, run_id: str) -> bool:
        """Whether the review waits, and the scheduler knows it: an answer that is quicker fails the task."""
        told = f"task_id=review, run_id={run_id}, "
        return bool(self._client.task(_WHOLE, run_id, "review")["state"] == "awaiting_input") and any(
            "TaskInstance Finished" in line and told in line for line in self._airflow.log("scheduler")
        )


class _Run:
    """A run that has ended.

    :param tasks: its task instances, as Airflow's REST API tells them.
    :param form: of its review.
    """

    def __init__(self, tasks: list[dict[str, Any]], form: dict[str, Any] | None) -> None:
        self.tasks = tasks
        self.waited = _seconds(form["created_at"], form["responded_at"]) if form else 0.0
        # Airflow keeps the last of the moments at which a task was queued: here, the one after the answer.
        resumed = self.task("review")["queued_when"] if form else ""
        self.resumed_after = _seconds(form["responded_at"], resumed) if form else 0.0

    @property
    def seconds(self) -> float:
        """From the start of the first task to the end of the last, but for the time that a person took."""
        begins = min(task["start_date"] for task in self.tasks)
        return _seconds(begins, max(task["end_date"] for task in self.tasks)) - self.waited

    def task(self, name: str) -> dict[str, Any]:
        return next(task for task in self.tasks if task["task_id"] == name)


def _ours(table: Table, run: _Run) -> float:
    """Tell where the time went; seconds for a dispute."""
    before: str | None = None
    for name in _TASKS:
        task = run.task(name)
        running = _seconds(task["start_date"], task["end_date"])
        if before:
            table.add(
                f"{_ABOUT}: ours", f"{name}, until it starts", _seconds(before, task["start_date"]), "s"
            )
        if name == "review":
            running -= run.waited + run.resumed_after
            table.add(f"{_ABOUT}: ours", "review, from the answer until it is queued", run.resumed_after, "s")
        table.add(f"{_ABOUT}: ours", f"{name}, at work", running, "s")
        before = task["end_date"]
    each = run.seconds / _DISPUTES
    table.add(_ABOUT, "ours, stage to outcome", each * 1000, "ms/dispute", disputes=_DISPUTES)
    return each


def _stock(table: Table, run: _Run, how: str) -> float:
    each = run.seconds / len(run.tasks)
    table.add(_ABOUT, f"HttpOperator.expand, {how}", each * 1000, "ms/call", tasks=len(run.tasks))
    return each


def _check(url: str, disputes: list[str]) -> None:
    """Every dispute was submitted, once."""
    with urlopen(f"{url}/_bench") as answer:  # noqa: S310  # the bench's own server
        submissions: Mapping[str, int] = json.load(answer)["submissions"]
    wrong = [dispute for dispute in disputes if submissions.get(dispute) != 1]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(disputes)} were not submitted once: {wrong[:5]}")


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _calls() -> dict[str, Any]:
    """The requests of a stock operator: made before, so that its tasks need nothing of ours."""
    calls = [Calls.of(dispute).write for dispute in new_disputes(_CALLS)]
    assert calls[0].body is not None
    return {
        "headers": dict(calls[0].headers),
        "data": calls[0].body.decode(),
        "endpoints": [call.path.lstrip("/") for call in calls],
    }


@contextmanager
def _airflow(folder: Path, url: str) -> Iterator[_Site]:
    """An Airflow with our DAGs and connections, and a folder for all that its tasks keep."""
    store = folder / "store"
    (store / "cases").mkdir(parents=True)
    (store / "cases" / "calls.json").write_text(json.dumps(_calls()))
    connections = {
        "STRIPE": {"conn_type": "stripe", "host": url, "password": KEY, "extra": {"rate_limit": _OFF}},
        "HTTP": {"conn_type": "http", "host": url, "extra": {"Authorization": f"Bearer {KEY}"}},
    }
    settings = {
        **{f"AIRFLOW_CONN_BENCH_{name}": json.dumps(each) for name, each in connections.items()},
        # As Airflow comes; the demo makes do with less.
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
        "AIRFLOW__DISPUTE__CASE_ROOTS": str(store / "cases"),
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(store / "evidence"),
        "AIRFLOW__DISPUTE__RECEIPTS": str(store / "receipts"),
    }
    airflow = Airflow(folder / "airflow", free_port(18280), Path(__file__).parent / "dags", settings)
    client = Client(airflow.url, "admin", airflow.passwords["admin"])
    progress = Progress(_MINUTES * 60)
    end_cleanly()
    try:
        airflow.start(progress)
        while not (client.is_healthy() and all(map(client.has_dag, (_WHOLE, *_STOCK)))):
            airflow.check()
            progress.wait("Airflow starts")
        yield _Site(airflow, client, store / "cases", progress)
    finally:
        client.close()
        left = airflow.stop()
    assert not left, left
