"""A batch reports its progress."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from state_stores import StateStore

from dispute_provider._evidence.record import Record, State
from dispute_provider._state.store_thread import aside
from dispute_provider._state.stores import PROGRESS
from dispute_provider._tasks import progress as batch_progress
from dispute_provider._tasks.progress import BatchProgress


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose clock only advances when a test advances it."""

    passed = 0.0

    def time(self) -> float:
        return self.passed


def record(state: State = State.STAGED, **facts: Any) -> Record:
    return Record("stripe", "stripe_default", "du_1", state, "", **facts)


def run(batch: Any, store: Any) -> None:
    loop = Clock()
    context: Any = {"task_state_store": store}
    try:
        loop.run_until_complete(batch(loop, context))
    finally:
        loop.close()


async def _pass(loop: Clock, seconds: float) -> None:
    loop.passed += seconds
    for _ in range(3):
        await asyncio.sleep(0)
    # A line that is due is written in a thread, before this.
    await aside(lambda: None)
    for _ in range(3):
        await asyncio.sleep(0)


def test_each_line_has_the_counts_the_rate_and_the_remaining_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, shown = StateStore(), []
    caplog.set_level("INFO", logger=batch_progress.__name__)

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 1000) as progress:
            await _pass(loop, 0)
            progress.done(*[record()] * 245, record(State.REFUSED), record(State.HELD))
            progress.done(record(State.HELD, retry_after=0.0), record(State.UNKNOWN), record(State.REJECTED))
            await _pass(loop, 10)
            shown.append(store[PROGRESS.name()])
            await _pass(loop, 70)
            shown.append(store[PROGRESS.name()])
            progress.done(*[record()] * 750)

    run(batch, store)
    assert shown[0] == "staging: 250 done, 750 left, 25.0 a second, 3 failed, about 30 s to go"
    assert shown[1] == "staging: 250 done, 750 left, 3.1 a second, 3 failed, about 4 min to go"
    assert store[PROGRESS.name()].startswith("staging: 1,000 done, 0 left, ")
    assert [line.getMessage() for line in caplog.records] == [*shown, store[PROGRESS.name()]]


def test_a_short_batch_has_no_line() -> None:
    store = StateStore()

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 1) as progress:
            await _pass(loop, 9.9)
            progress.done(record())

    run(batch, store)
    assert store == {}


def test_lines_without_a_total_and_without_results() -> None:
    store, shown = StateStore(), []

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "submitting") as progress:
            await _pass(loop, 0)
            progress.done(record())
            await _pass(loop, 10)
            shown.append(store[PROGRESS.name()])
        async with BatchProgress(context, "submitting", 7) as progress:
            await _pass(loop, 0)
            await _pass(loop, 10)
            shown.append(store[PROGRESS.name()])

    run(batch, store)
    assert shown == [
        "submitting: 1 done, 0.1 a second, 0 failed",
        "submitting: 0 done, 7 left, 0.0 a second, 0 failed, no result in the last minute",
    ]


def test_after_a_failed_call_to_the_store_lines_go_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    calls = []
    caplog.set_level("INFO", logger=batch_progress.__name__)

    class Gone:
        def set(self, key: str, value: Any) -> None:
            calls.append(value)
            raise ConnectionError

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 2) as progress:
            await _pass(loop, 0)
            await _pass(loop, 10)
            await _pass(loop, 10)
            progress.done(record(), record())

    run(batch, Gone())
    lines = [line.getMessage() for line in caplog.records]
    assert lines.pop(1) == "cannot show the progress in the UI: ConnectionError"
    assert [line.split(",")[0] for line in lines] == ["staging: 0 done"] * 2 + ["staging: 2 done"]
    assert calls == lines[:1]


def test_a_timeout_of_the_task_during_the_call_ends_it() -> None:
    class TimedOut:
        def set(self, key: str, value: Any) -> None:
            raise AirflowTaskTimeout("execution_timeout")

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 2):
            await _pass(loop, 0)
            await _pass(loop, 10)

    with pytest.raises(AirflowTaskTimeout):
        run(batch, TimedOut())
