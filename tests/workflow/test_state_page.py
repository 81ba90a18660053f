"""``docs/state.md`` lists every key that is kept in Airflow's state stores, and no other."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import flows
from sweeping import Sweep, write_case

from dispute_provider import _state as state
from dispute_provider._state.stores import Key

PAGE = Path(__file__).parents[2] / "docs" / "state.md"
Where = tuple[str, str]
OWN = "the task's own"


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    [section] = [each for each in PAGE.read_text("utf-8").split("\n## ") if each.startswith(heading)]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return cells[1:]


def in_code() -> set[Where]:
    modules = [importlib.import_module(f"{state.__name__}.{each.name}") for each in
               pkgutil.iter_modules(state.__path__)]  # fmt: skip
    keys = {key for module in modules for key in vars(module).values() if isinstance(key, Key)}
    return {(key.asset.name if key.asset else OWN, key.pattern) for key in keys}


def on_the_page() -> set[Where]:
    return {(store.strip("`"), key.strip("`")) for store, key, *_ in rows("Airflow's state stores")}


def test_the_page_lists_exactly_the_keys_in_the_code() -> None:
    assert on_the_page() == in_code()


def test_every_row_is_complete() -> None:
    for heading in ("The ledger", "Airflow's state stores", "Files"):
        assert {len(row) for row in rows(heading)} == {6 + (heading != "The ledger")}, heading
        assert all(cell.strip() for row in rows(heading) for cell in row)


def test_runs_store_only_listed_keys_without_asset_events(
    engine: Any, sandbox: Any, sweep: Sweep, cases: Path
) -> None:
    sandbox.create_disputes([{"api": "stripe", "id": each, "amount": 1200} for each in ("du_1", "du_2")])
    write_case(cases, "du_1")
    case = {"provider": "stripe", "dispute": "du_2", "evidence": {"uncategorized_text": "Signed for."}}
    before = events()
    engine.run(flows.contest([case], "stripe_default", policy=flows.SMALL))
    sweep.run()

    # Airflow's page of assets would otherwise list several for each task that succeeds.
    assert events() == before

    kept = in_database()
    assert kept
    unknown = {where for where in kept if not any(is_one_of(where, known) for known in on_the_page())}
    assert unknown == set()


def is_one_of(where: Where, known: Where) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(known[1]))
    return where[0] == known[0] and re.fullmatch(pattern, where[1]) is not None


def in_database() -> set[Where]:
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session

    with create_session() as session:
        assets = {asset.id: asset.name for asset in session.query(AssetModel)}
        shared = {(assets[row.asset_id], row.key) for row in session.query(AssetStateStoreModel)}
        return shared | {(OWN, row.key) for row in session.query(TaskStateStoreModel)}


def events() -> int:
    """Return the number of asset events."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return session.query(AssetEvent).count()
