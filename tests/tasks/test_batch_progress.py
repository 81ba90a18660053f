"""A batch reports its progress."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from state_stores import StateStore

from dispute_provider._evidence.record import Record, State
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


def test_a_line_every_interval_says_what_is_done_left_failed_and_how_long_it_takes(
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


def test_a_batch_that_ends_before_that_says_nothing() -> None:
    store = StateStore()

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 1) as progress:
            await _pass(loop, 9.9)
            progress.done(record())

    run(batch, store)
    assert store == {}


def test_what_nobody_counts_and_what_stands_still_is_said_so() -> None:
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


def test_a_store_that_cannot_be_reached_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        def set(self, key: str, value: Any) -> None:
            raise ConnectionError

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 2) as progress:
            await _pass(loop, 0)
            await _pass(loop, 10)
            progress.done(record(), record())

    run(batch, Gone())
    assert "cannot show the progress in the UI: ConnectionError" in caplog.text


def test_what_strikes_while_it_is_said_ends_the_task() -> None:
    class Struck:
        def set(self, key: str, value: Any) -> None:
            raise BaseException("the task is to end")  # as Airflow's own timeouts are none of Exception

    async def batch(loop: Clock, context: Any) -> None:
        async with BatchProgress(context, "staging", 2):
            await _pass(loop, 0)
            await _pass(loop, 10)

    with pytest.raises(BaseException, match="is to end"):
        run(batch, Struck())
