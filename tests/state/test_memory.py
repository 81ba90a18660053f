"""Test when the sweep opens a new review, given its memory of earlier ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from disputes import record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._state.sweep import LastReview, ReviewAnswer, remember, review_name

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD = snapshot("du_1")
CASE = "c" * 64
RUN = "dispute_review/review__stripe_default__1"


def reviewed(until: datetime | None = NOW + timedelta(days=1)) -> LastReview:
    memory = remember({}, [record(HELD, case_digest=CASE)], ["du_1"], RUN, until)
    found = LastReview.find(memory, "du_1")
    assert found
    return found


def test_a_dispute_under_review_gets_no_second_review_until_it_changes():
    assert reviewed().is_settled(None, CASE, HELD, NOW)
    assert not reviewed().is_settled(None, "d" * 64, HELD, NOW), "its case changed"
    for change in (
        snapshot("du_1", text="a colleague's"),
        snapshot("du_1", stage="appeal"),
        snapshot("du_1", due=HELD.dispute.due + timedelta(days=1)),
        snapshot("du_1", submissions=1),
    ):
        assert not reviewed().is_settled(None, CASE, change, NOW)


def test_only_a_review_without_an_answer_is_repeated_when_it_ends():
    late = NOW + timedelta(days=1, minutes=11)
    assert reviewed().is_settled(None, CASE, HELD, NOW + timedelta(days=1)), "an answer may have just arrived"
    assert not reviewed().is_settled(None, CASE, HELD, late)
    assert reviewed(until=None).is_settled(None, CASE, HELD, late), "it never times out"
    for action in ("submit", "hold", "edit", "reject", "concede"):
        assert reviewed().is_settled(ReviewAnswer(RUN, action), CASE, HELD, late)
    assert not reviewed().is_settled(ReviewAnswer(RUN), CASE, HELD, NOW), "no decision: the wait is over"


def test_the_answer_to_another_review_is_ignored():
    other = ReviewAnswer("dispute_review/another", "hold")
    assert not reviewed().is_settled(other, CASE, HELD, NOW + timedelta(days=2))
    assert reviewed().is_settled(replace(other, action=None), CASE, HELD, NOW)


def test_a_rejected_dispute_is_reviewed_again_only_for_a_new_case_or_stage():
    rejected = ReviewAnswer(RUN, "reject")
    restored = Snapshot(HELD.dispute, ())
    assert reviewed().is_settled(rejected, CASE, restored, NOW)
    assert not reviewed().is_settled(rejected, "d" * 64, restored, NOW)
    assert not reviewed().is_settled(rejected, CASE, snapshot("du_1", stage="appeal"), NOW)
    assert not reviewed().is_settled(ReviewAnswer(RUN, "hold"), CASE, restored, NOW)


def test_closed_disputes_are_deleted_and_other_entries_are_kept():
    before = remember({}, [record(snapshot(f"du_{n}"), case_digest=CASE) for n in (1, 2)], [], RUN, NOW)
    after = remember(before, [record(snapshot("du_3"), case_digest=CASE)], ["du_2"], "r/2", None)
    assert set(after) == {"du_2", "du_3"}
    assert after["du_2"] == before["du_2"]


@pytest.mark.parametrize("stored", [["x", "y"], None, {}, {"case": "x"}])
def test_an_unreadable_entry_is_treated_as_missing(stored):
    assert LastReview.find({"du_1": stored}, "du_1") is None
    assert ReviewAnswer.read(stored) is None


@given(st.permutations(range(4)))
def test_the_name_of_a_review_depends_on_its_records_and_not_on_their_order(order):
    records = [record(snapshot(f"du_{n}"), case_digest=CASE) for n in range(4)]
    name = review_name({}, records)
    assert review_name({}, [records[n] for n in order]) == name
    memory = remember({}, records, [], "dispute_review/first", NOW)
    assert review_name(memory, records) != name
    assert review_name(memory, records) == review_name(memory, [records[n] for n in order])
    assert review_name({}, records[:3]) != name


HOURS = (24.0, 6.0)


def at(hours: float) -> datetime:
    """Return the time this many hours before the due date."""
    return HELD.dispute.due - timedelta(hours=hours)


def reviewed_at(hours: float, **more: object) -> LastReview:
    return replace(reviewed(), at=at(hours), **more)


@pytest.mark.parametrize(
    ("action", "state"),
    [("hold", "held"), ("edit", "held"), ("submit", "unknown"), ("submit", None), ("concede", "unknown")],
)
def test_an_open_dispute_is_reviewed_once_at_each_hour(action, state):
    answer = ReviewAnswer(RUN, action, state=state)
    for hours_before, now, settled in [
        (60, 25, True),
        (60, 24, False),
        (60, 1, False),
        (23, 7, True),
        (23, 5, False),
        (5, 1, True),
    ]:
        assert reviewed_at(hours_before).is_settled(answer, CASE, HELD, at(now), HOURS) is settled
    assert reviewed_at(60).is_settled(answer, CASE, HELD, at(1), ()), "no hours are set"


@pytest.mark.parametrize("state", ["refused", "held"])
def test_an_approved_dispute_that_was_not_sent_is_reviewed_at_once_then_at_the_hours(state):
    answer = ReviewAnswer(RUN, "submit", state=state)
    assert not reviewed_at(90).is_settled(answer, CASE, HELD, at(80), HOURS)
    assert reviewed_at(90, failed=True).is_settled(answer, CASE, HELD, at(80), HOURS)
    assert not reviewed_at(90, failed=True).is_settled(answer, CASE, HELD, at(20), HOURS)


def test_a_rejected_dispute_is_reviewed_only_at_the_first_hour():
    rejected = ReviewAnswer(RUN, "reject", state="rejected")
    assert reviewed_at(60).is_settled(rejected, CASE, HELD, at(25), HOURS)
    assert not reviewed_at(60).is_settled(rejected, CASE, HELD, at(20), HOURS)
    assert reviewed_at(20).is_settled(rejected, CASE, HELD, at(1), HOURS)


@pytest.mark.parametrize("state", ["submitted", "submitted-differs", "already-submitted", "conceded"])
def test_an_answered_dispute_is_reviewed_only_at_another_stage(state):
    answer = ReviewAnswer(RUN, "submit", state=state)
    changed = snapshot("du_1", text="changed")
    assert reviewed_at(60).is_settled(answer, "d" * 64, changed, at(1), HOURS)
    assert not reviewed_at(60).is_settled(answer, CASE, snapshot("du_1", stage="appeal"), at(1), HOURS)


def test_an_entry_of_an_earlier_version_is_read():
    stored = {"case": "c", "held": "h", "opening": "o", "review": "r", "until": "2026-11-22T12:00:00+00:00"}
    before = LastReview.find({"du_1": stored}, "du_1")
    assert before
    assert (before.at, before.until) == (None, NOW)
    assert LastReview.find({"du_1": {**stored, "until": "soon"}}, "du_1") is None
    assert not replace(reviewed(), at=None).is_settled(ReviewAnswer(RUN, "hold"), CASE, HELD, at(20), HOURS)
    assert replace(reviewed(), at=None).is_settled(ReviewAnswer(RUN, "hold"), CASE, HELD, at(30), HOURS)


def test_a_review_whose_run_ended_without_an_answer_is_repeated():
    assert not reviewed().is_settled(None, CASE, HELD, NOW, HOURS, True)


def test_a_retried_sweep_keeps_its_memory():
    records = [record(HELD, case_digest=CASE)]
    held = {"du_1": ReviewAnswer(RUN, "hold", "ana (7)", "held by the reviewer (decide later)")}
    first = remember({}, records, ["du_1"], RUN, NOW, {}, NOW)
    second = remember(first, records, ["du_1"], "r/2", NOW, held, NOW)
    assert remember(second, records, ["du_1"], "r/2", NOW, held, NOW + timedelta(hours=1)) == second
    assert second["du_1"]["history"] == ["held by the reviewer (decide later) – ana (7)"]
    moved = [record(snapshot("du_1", stage="appeal"), case_digest=CASE)]
    assert remember(second, moved, ["du_1"], "r/3", NOW, held, NOW)["du_1"]["history"] == []
