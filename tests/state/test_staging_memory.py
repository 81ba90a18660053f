"""Test the memory of staging: uploads of failed tries, and the marks of our own evidence."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import wraps
from types import SimpleNamespace
from typing import Any

from state_stores import StateStore

from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.replacing import Replacement
from dispute_provider._state.staging import UPLOADS, StagingMemory


def opened(
    store: StateStore, provider: str = "moov", own: StateStore | None = None, try_number: int = 1
) -> StagingMemory:
    return StagingMemory(context(store, own, try_number), provider)


def context(store: StateStore, own: StateStore | None = None, try_number: int = 1) -> Any:
    return {
        "asset_state_store": {UPLOADS: store},
        "task_state_store": StateStore() if own is None else own,
        "dag_run": SimpleNamespace(dag_id="contest", run_id="run"),
        "ti": SimpleNamespace(task_id="stage", map_index=-1, try_number=try_number),
    }


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


@in_loop
async def test_a_replacement_is_found_that_a_try_taken_for_dead_moved_meanwhile() -> None:
    store, own = StateStore(), StateStore()
    frozen = opened(store, "stripe", own)
    following = opened(store, "stripe", own, try_number=2)
    replacement = Replacement(stage="chargeback", submissions=0, earlier="0" * 64)
    await frozen.note("dispute", replacement)
    frozen.remember("dispute", frozenset({"ours"}))
    await frozen.finish()

    found = await following.replacement("dispute", frozenset({"ours"}))

    assert found is not None
    assert found.earlier == replacement.earlier


def ended(dispute: str, state: State = State.STAGED) -> Record:
    return Record("moov", "moov_default", dispute, state, "")


@in_loop
async def test_staged_evidence_is_ours_in_the_next_run_and_no_longer_in_flight() -> None:
    store = StateStore()
    memory = opened(store)
    await memory.begin("staged", ["foreign"])
    await memory.begin("held", ["foreign"])
    memory.remember("staged", frozenset({"one", "two"}))
    await memory.end(ended("staged"))
    await memory.end(ended("held", State.HELD))
    assert await opened(store).of("staged").first_seen() == {"foreign"}, "a killed try continues from here"
    await memory.finish()

    following = opened(store)
    assert await following.of("staged").ours() == {"one", "two"}
    assert await following.of("staged").first_seen() is None
    assert await following.of("held").first_seen() == {"foreign"}
    assert await following.of("unknown").ours() == frozenset()


@in_loop
async def test_a_try_that_finds_all_uploads_ends_those_of_a_failed_try() -> None:
    store = StateStore()
    await opened(store).begin("staged", ["foreign"])
    await opened(store).begin("begun again", ["foreign"])

    memory = opened(store)
    assert [await memory.of(each).first_seen() for each in ("staged", "begun again")] == [{"foreign"}] * 2
    await opened(store).begin("begun again", ["foreign", "more"])
    for dispute in ("staged", "begun again"):
        memory.remember(dispute, frozenset({"one"}))
        await memory.end(ended(dispute))
    await memory.finish()

    following = opened(store)
    assert await following.of("staged").first_seen() is None
    first_seen = await following.of("begun again").first_seen()
    assert first_seen == {"foreign", "more"}, "the other task has not ended"


@in_loop
async def test_old_marks_are_deleted_and_invalid_ones_are_ignored() -> None:
    store = StateStore()
    first = opened(store)
    names = ["kept", "old", "broken", "new"]
    keys = {name: first._bucket(name) for name in names}
    today = datetime.now(UTC).date().isoformat()
    for name, entry in (("kept", f"{today} a b"), ("old", "2020-01-01 a"), ("broken", 7)):
        store.setdefault(keys[name], {})[name] = entry

    memory = opened(store)
    assert await memory.of("kept").ours() == {"a", "b"}
    assert await memory.of("broken").ours() == frozenset()
    for name in ("kept", "old", "broken"):
        # Write something to each of their buckets.
        other = next(f"new {n}" for n in range(1000) if memory._bucket(f"new {n}") == keys[name])
        memory.remember(other, frozenset({"c"}))
    await memory.finish()

    following = opened(store)
    assert await following.of("kept").ours() == {"a", "b"}
    assert await following.of("old").ours() == frozenset()
    stored = [entry for key in set(keys.values()) for entry in store.get(key, {}).values()]
    assert all(isinstance(entry, str) for entry in stored)


@in_loop
async def test_many_marks_take_few_writes() -> None:
    store = StateStore()
    memory = opened(store, "stripe")
    for number in range(20_000):
        dispute = f"du_1QkExample{number:08}"
        assert await memory.of(dispute).ours() == frozenset()
        memory.remember(dispute, frozenset(f"{number * 9 + place:010x}" for place in range(9)))
        await memory.end(ended(dispute))

    assert sum(map(len, store.values())) > 15_000
    assert store.writes < 200
    await memory.finish()
    assert sum(map(len, store.values())) == 20_000
    assert len(json.dumps(store)) < 20_000 * 170


@in_loop
async def test_what_is_written_for_a_dispute_does_not_grow_with_the_batch() -> None:
    written = []
    for count in (50, 800):
        store = StateStore()
        memory = opened(store)
        for number in range(count):
            dispute = memory.of(f"dispute {number}")
            await dispute.begin(frozenset({"foreign"}))
        written.append(store.written / count)
        for number in range(count):
            memory.remember(f"dispute {number}", frozenset({"ours"}))
            await memory.end(ended(f"dispute {number}"))
        await memory.finish()
        assert not [key for key in store if key.startswith("uploading")]
    assert written[1] <= 1.2 * written[0]


@in_loop
async def test_an_api_whose_uploads_have_keys_costs_no_reading() -> None:
    store = StateStore()
    await opened(store).begin("dispute", ["foreign"])
    memory = StagingMemory(context(store), "moov", notes_uploads=False)
    assert await memory.of("dispute").first_seen() is None


@in_loop
async def test_a_slow_write_does_not_stop_other_disputes() -> None:
    others_went_on = threading.Event()

    class Slow(StateStore):
        def set(self, key: str, value: Any, *, retention: Any = None) -> None:
            assert others_went_on.wait(10)
            super().set(key, value)

    store = Slow()
    writing = asyncio.create_task(opened(store).begin("slow", ["foreign"]))
    await asyncio.sleep(0)
    others_went_on.set()
    await writing
    assert await opened(store).of("slow").first_seen() == {"foreign"}
