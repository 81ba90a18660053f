"""Measure what Moov's staging writes to Airflow's state store, for few and many disputes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from bench.timing import Table
from dispute_provider._evidence.record import Record, State
from dispute_provider._state.staging import UPLOADS, StagingMemory
from tests.state_stores import StateStore

_FEW, _MANY = 50, 800


def bytes_growth(table: Table) -> float:
    """Return the bytes that staging writes for a dispute of a large batch, as a multiple of a small one's."""
    few, many = (_written(table, count) for count in (_FEW, _MANY))
    return round(many / few, 3)


def _written(table: Table, count: int) -> float:
    store = StateStore()
    context: Any = {
        "asset_state_store": {UPLOADS: store},
        "task_state_store": StateStore(),
        "dag_run": SimpleNamespace(dag_id="bench", run_id="run"),
        "ti": SimpleNamespace(task_id="stage", map_index=-1, try_number=1),
    }
    names = [f"c1a7e5a4-2f3b-4a7e-8a0e-{number:012}" for number in range(count)]

    async def stage() -> None:
        memory = StagingMemory(context, "moov")
        for name in names:
            dispute = memory.of(name)
            await dispute.begin(frozenset())
            dispute.remember(frozenset({"0123456789", "9876543210"}))
        for name in names:
            await memory.end(Record("moov", "moov_default", name, State.STAGED, ""))
        await memory.finish()

    asyncio.run(stage())
    table.add("state of Moov's staging", f"{count} disputes", store.written / count, "bytes/dispute")
    return store.written / count
