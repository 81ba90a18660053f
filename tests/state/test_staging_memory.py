"""Staging remembers a broken try, and what is ours."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from state_stores import StateStore

from dispute_provider._evidence.record import Record, State
from dispute_provider._state.staging import UPLOADS, StagingMemory


def opened(store: StateStore, provider: str = "moov", own: StateStore | None = None) -> StagingMemory:
    context: Any = {
        "asset_state_store": {UPLOADS: store},
        "task_state_store": StateStore() if own is None else own,
        "dag_run": SimpleNamespace(dag_id="contest", run_id="run"),
        "ti": SimpleNamespace(task_id="stage", map_index=-1),
    }
    return StagingMemory(context, provider)


def ended(dispute: str, state: State = State.STAGED) -> Record:
    return Record("moov", "moov_default", dispute, state, "")


def test_the_uploads_of_a_broken_try_are_waited_for_once_not_anew_for_each_dispute() -> None:
    store = StateStore()
    broken = opened(store)
    broken.begin("first", [])
    broken.begin("second", [])

    memory = opened(store)
    first = memory.of("first").seconds_until_settled
    time.sleep(0.05)
    second = memory.of("second").seconds_until_settled

    assert 150 < second <= first - 0.05
    assert memory.of("untouched").seconds_until_settled == 0


def test_what_is_staged_is_ours_in_the_next_run_and_no_longer_under_way() -> None:
    store = StateStore()
    memory = opened(store)
    memory.begin("staged", ["theirs"])
    memory.begin("held", ["theirs"])
    memory.remember("staged", frozenset({"one", "two"}))
    memory.end(ended("staged"))
    memory.end(ended("held", State.HELD))
    assert opened(store).of("staged").first_seen == {"theirs"}, "a try that is killed here goes on from it"
    memory.finish()

    following = opened(store)
    assert following.of("staged").ours == {"one", "two"}
    assert following.of("staged").first_seen is None
    assert following.of("staged").seconds_until_settled == 0
    assert following.of("held").first_seen == {"theirs"}
    assert following.of("held").seconds_until_settled > 150
    assert following.of("unknown").ours == frozenset()


def test_a_try_that_finds_all_uploads_there_ends_what_a_broken_one_has_begun() -> None:
    store = StateStore()
    opened(store).begin("staged", ["theirs"])
    opened(store).begin("begun anew", ["theirs"])

    memory = opened(store)
    opened(store).begin("begun anew", ["theirs", "more"])
    for dispute in ("staged", "begun anew"):
        memory.remember(dispute, frozenset({"one"}))
        memory.end(ended(dispute))
    memory.finish()

    following = opened(store)
    assert following.of("staged").first_seen is None
    assert following.of("staged").seconds_until_settled == 0
    assert following.of("begun anew").first_seen == {"theirs", "more"}, "another task's own is not over"


def test_old_marks_are_forgotten_and_what_are_none_are_not_read() -> None:
    store = StateStore()
    first = opened(store)
    names = ["kept", "old", "broken", "new"]
    keys = {name: first._bucket(name) for name in names}
    today = datetime.now(UTC).date().isoformat()
    for name, entry in (("kept", f"{today} a b"), ("old", "2020-01-01 a"), ("broken", 7)):
        store.setdefault(keys[name], {})[name] = entry

    memory = opened(store)
    assert memory.of("kept").ours == {"a", "b"}
    assert memory.of("broken").ours == frozenset()
    for name in ("kept", "old", "broken"):
        # Something is written under each of their keys.
        other = next(f"new {n}" for n in range(1000) if memory._bucket(f"new {n}") == keys[name])
        memory.remember(other, frozenset({"c"}))
    memory.finish()

    following = opened(store)
    assert following.of("kept").ours == {"a", "b"}
    assert following.of("old").ours == frozenset()
    stored = [entry for key in set(keys.values()) for entry in store.get(key, {}).values()]
    assert all(isinstance(entry, str) for entry in stored)


def test_many_marks_are_written_as_they_come_in_few_writes() -> None:
    store = StateStore()
    memory = opened(store, "stripe")
    for number in range(20_000):
        dispute = f"du_1QkExample{number:08}"
        assert memory.of(dispute).ours == frozenset()
        memory.remember(dispute, frozenset(f"{number * 9 + place:010x}" for place in range(9)))
        memory.end(ended(dispute))

    assert sum(map(len, store.values())) > 15_000
    assert store.writes < 200
    memory.finish()
    assert sum(map(len, store.values())) == 20_000
    assert len(json.dumps(store)) < 20_000 * 170
