"""The journal keeps enough to send nothing twice, one group at a time."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from dispute_provider.evidence.record import Approval, Record, State
from dispute_provider.state.approvals import (
    count_unknown_ends,
    last_opening,
    open_review,
    unknown_ends,
)
from dispute_provider.state.submission_journal import SubmissionJournal
from dispute_provider.transport.timeouts import SETTLED_AFTER

Data = dict[str, str]


class Store:
    """One of Airflow's stores: values as JSON; how many bytes each write has."""

    def __init__(self, data: Data | None = None) -> None:
        self.data = {} if data is None else data
        self.written: list[int] = []

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.data[key]) if key in self.data else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        assert value is not None
        self.data[key] = json.dumps(value)
        self.written.append(len(self.data[key]))

    def delete(self, key: str) -> None:
        self.data.pop(key, None)


class Hasty(Store):
    """A store as it is seen by who has read before others wrote, and writes after them."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._before: Data | None = dict(data)

    def get(self, key: str, default: Any = None) -> Any:
        found = self.data if self._before is None else self._before
        return json.loads(found[key]) if key in found else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        super().set(key, value)
        if key in ("sending stripe", "unknown ends"):
            self._before = None


class Stores:
    """Airflow's stores between runs; all that is used here is one asset's."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getitem__(self, asset: Any) -> Store:
        return self.store


def context(shared: Store, own: Store | None = None, run: str = "run", number: int = 1) -> Any:
    return {
        "dag_run": SimpleNamespace(dag_id="contest", run_id=run),
        "ti": SimpleNamespace(task_id="submit", map_index=-1, try_number=number, id=f"{run} {number}"),
        "task_state_store": own or Store(),
        "asset_state_store": Stores(shared),
    }


def journal(shared: Store, own: Store | None = None, run: str = "run", number: int = 1) -> SubmissionJournal:
    return SubmissionJournal(context(shared, own, run, number), "stripe")


def approved(dispute: str, digest: str = "a") -> Record:
    signature = f"{dispute[-8:]:0>8}{digest:0>8}" + "f" * 48
    answer = Approval("submit", "ana (7)", "now", "review/-1/x")
    facts = {"digest": digest * 64, "stage": "chargeback", "approval": answer, "signature": signature}
    return Record("stripe", "stripe_default", dispute, State.APPROVED, "approved", **facts)  # type: ignore[arg-type]


def submitted(record: Record) -> Record:
    return record.ended(State.SUBMITTED, "confirmed by reading back", "req_" + "7" * 16)


def test_a_try_that_follows_says_the_same_again_and_knows_what_may_be_under_way():
    shared, own = Store(), Store()
    ended, broken, new = approved("du_ended"), approved("du_broken"), approved("du_new")
    first = journal(shared, own)
    first.intend([ended])
    first.end([ended], [submitted(ended)])
    first.intend([broken])

    again = journal(shared, own, number=2)
    assert again.ended(ended) == submitted(ended)
    assert again.intended(broken)
    assert again.ended(broken) is None
    assert again.seconds_until_settled(broken) == SETTLED_AFTER
    assert not again.intended(new)
    assert again.seconds_until_settled(new) == 0.0

    renewed = approved("du_ended", "b")
    assert again.ended(renewed) is None, "another approval"


def test_a_worker_that_was_given_up_and_goes_on_overwrites_nothing_of_its_successor():
    shared, own = Store(), Store()
    first, second, third = approved("du_1"), approved("du_2"), approved("du_3")
    given_up = journal(shared, own)
    given_up.intend([first])
    successor = journal(shared, own, number=2)
    successor.intend([second])
    given_up.end([first], [submitted(first)])
    given_up.intend([third])

    again = journal(shared, own, number=3)
    assert again.ended(first) == submitted(first)
    assert again.intended(second)
    assert again.intended(third)


def test_what_is_held_was_not_sent_and_what_an_earlier_try_sent_still_may_have_been():
    shared, own = Store(), Store()
    mine, earlier = approved("du_mine"), approved("du_earlier")
    journal(shared, own).intend([earlier])
    second = journal(shared, own, number=2)
    second.intend([mine, earlier])
    second.end([mine, earlier], [each.ended(State.HELD, "away") for each in (mine, earlier)])

    third = journal(shared, own, number=3)
    assert not third.intended(mine)
    assert third.intended(earlier)


def test_a_write_is_as_large_as_its_group_however_many_went_before():
    shared, own = Store(), Store()
    noted = journal(shared, own)
    for start in range(0, 1200, 300):
        group = [approved(f"du_{number:024}") for number in range(start, start + 300)]
        noted.intend(group)
        noted.end(group, list(map(submitted, group)))
    noted.close()

    assert max(own.written + shared.written) < 65_535, "Airflow warns of larger values"
    assert own.written[-1] == own.written[1], "the last group's is as large as the first's"
    assert len(own.written) == 2 * 4
    assert len(shared.written) == 4 + 1, "and the task names itself once"


def test_what_a_task_has_under_way_is_not_overwritten_by_another_that_began_before_it():
    shared = Store()
    other = journal(shared, run="other")
    one, two = approved("du_1"), approved("du_2")
    broken = journal(shared, run="broken")
    broken.intend([one])
    other.intend([two])
    other.end([two], [submitted(two)])
    other.close()

    later = journal(shared, run="later")
    edited = approved("du_1", "b")
    later.intend([edited])
    assert later.seconds_until_settled(edited) == SETTLED_AFTER
    assert not later.same_submission(edited)
    same = journal(shared, run="same")
    same.intend([one])
    assert not same.same_submission(one), "the edited one may be under way as well"
    untouched = approved("du_2", "b")
    assert later.seconds_until_settled(untouched) == 0.0


def test_a_task_whose_name_was_overwritten_is_seen_again_from_its_next_group_on():
    shared = Store()
    hasty = journal(Hasty(shared.data), run="hasty")
    one, two = approved("du_1"), approved("du_2")
    slow = journal(shared, run="slow")
    slow.intend([one])
    hasty.intend([approved("du_3")])
    slow.end([one], [one.ended(State.UNKNOWN, "nobody knows")])
    slow.intend([two])

    later = journal(shared, run="later")
    edited = [approved(dispute, "b") for dispute in ("du_1", "du_2", "du_3")]
    later.intend(edited)
    assert all(later.seconds_until_settled(each) > SETTLED_AFTER - 5 for each in edited)


def test_what_ended_leaves_nothing_behind_once_the_next_task_has_looked():
    shared = Store()
    for number in range(20):
        record = approved(f"du_{number}")
        noted = journal(shared, run=f"run {number}")
        noted.intend([record])
        noted.end([record], [submitted(record)])
        noted.close()
    assert len(shared.data) == 1
    assert len(shared.get("sending stripe")) == 1


def test_two_tasks_that_count_unknown_ends_at_once_both_count():
    shared = Store()
    one, two = approved("du_1"), approved("du_2")
    hasty = Hasty(shared.data)
    count_unknown_ends(context(shared), [one])
    count_unknown_ends(context(hasty), [two])
    count_unknown_ends(context(shared), [one])
    count_unknown_ends(context(shared), [approved("du_2", "b")])

    elsewhere = replace(one, stage="inquiry")
    assert unknown_ends(context(shared), [one, two]) == {"du_1": 1, "du_2": 2}
    assert unknown_ends(context(shared), [elsewhere]) == {"du_1": 0}


def test_the_last_opening_of_a_review_is_known_by_any_of_its_names():
    shared = Store()
    first = open_review(context(shared, number=1))
    assert last_opening(context(shared), first) == first
    second = open_review(context(shared, number=2))
    assert last_opening(context(shared), first) == second != first
    assert last_opening(context(shared), "review/7/other") is None
    assert last_opening(context(shared, run="another"), second) is None
