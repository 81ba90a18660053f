"""The sweep remembers who was asked, and asks again in time."""

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


def asked(until: datetime | None = NOW + timedelta(days=1)) -> LastReview:
    memory = remember({}, [record(HELD, case_digest=CASE)], ["du_1"], RUN, until)
    found = LastReview.of(memory, "du_1")
    assert found
    return found


def test_what_is_in_an_open_review_is_left_alone_until_something_changes():
    assert asked().is_settled(None, CASE, HELD, NOW)
    assert not asked().is_settled(None, "d" * 64, HELD, NOW), "its case changed"
    for change in (
        snapshot("du_1", text="a colleague's"),
        snapshot("du_1", stage="appeal"),
        snapshot("du_1", due=HELD.dispute.due + timedelta(days=1)),
        snapshot("du_1", submissions=1),
    ):
        assert not asked().is_settled(None, CASE, change, NOW)


def test_a_review_that_ended_unanswered_is_asked_anew_and_one_that_is_answered_is_not():
    late = NOW + timedelta(days=1, minutes=11)
    assert asked().is_settled(None, CASE, HELD, NOW + timedelta(days=1)), "it may just be answered"
    assert not asked().is_settled(None, CASE, HELD, late)
    assert asked(until=None).is_settled(None, CASE, HELD, late), "it waits for ever"
    for action in ("submit", "hold", "edit", "reject", "concede"):
        assert asked().is_settled(ReviewAnswer(RUN, action), CASE, HELD, late)
    assert not asked().is_settled(ReviewAnswer(RUN), CASE, HELD, NOW), "nobody decided: why wait for its end"


def test_the_answer_of_another_review_counts_for_nothing():
    other = ReviewAnswer("dispute_review/another", "hold")
    assert not asked().is_settled(other, CASE, HELD, NOW + timedelta(days=2))
    assert asked().is_settled(replace(other, action=None), CASE, HELD, NOW)


def test_of_what_was_rejected_only_the_case_and_the_stage_count():
    rejected = ReviewAnswer(RUN, "reject")
    taken_back = Snapshot(HELD.dispute, ())
    assert asked().is_settled(rejected, CASE, taken_back, NOW)
    assert not asked().is_settled(rejected, "d" * 64, taken_back, NOW)
    assert not asked().is_settled(rejected, CASE, snapshot("du_1", stage="appeal"), NOW)
    assert not asked().is_settled(ReviewAnswer(RUN, "hold"), CASE, taken_back, NOW)


def test_what_is_no_longer_open_is_forgotten_and_what_others_wrote_is_kept():
    before = remember({}, [record(snapshot(f"du_{n}"), case_digest=CASE) for n in (1, 2)], [], RUN, NOW)
    after = remember(before, [record(snapshot("du_3"), case_digest=CASE)], ["du_2"], "r/2", None)
    assert set(after) == {"du_2", "du_3"}
    assert after["du_2"] == before["du_2"]


@pytest.mark.parametrize("stored", [["x", "y"], None, {}, {"case": "x"}])
def test_what_an_earlier_version_wrote_is_asked_about_anew(stored):
    assert LastReview.of({"du_1": stored}, "du_1") is None
    assert ReviewAnswer.read(stored) is None


@given(st.permutations(range(4)))
def test_a_review_has_one_name_whatever_the_order_and_another_one_after_it_ended(order):
    records = [record(snapshot(f"du_{n}"), case_digest=CASE) for n in range(4)]
    name = review_name({}, records)
    assert review_name({}, [records[n] for n in order]) == name
    memory = remember({}, records, [], "dispute_review/first", NOW)
    assert review_name(memory, records) != name
    assert review_name(memory, records) == review_name(memory, [records[n] for n in order])
    assert review_name({}, records[:3]) != name


HOURS = (24.0, 6.0)


def at(hours: float) -> datetime:
    """So many hours before the due date."""
    return HELD.dispute.due - timedelta(hours=hours)


def asked_at(hours: float, **more: object) -> LastReview:
    return replace(asked(), at=at(hours), **more)


@pytest.mark.parametrize(
    ("action", "state"),
    [("hold", "held"), ("edit", "held"), ("submit", "unknown"), ("submit", None), ("concede", "unknown")],
)
def test_whatever_is_still_open_returns_once_at_each_of_the_hours(action, state):
    answer = ReviewAnswer(RUN, action, state=state)
    for asked_before, now, settled in [
        (60, 25, True),
        (60, 24, False),
        (60, 1, False),
        (23, 7, True),
        (23, 5, False),
        (5, 1, True),
    ]:
        assert asked_at(asked_before).is_settled(answer, CASE, HELD, at(now), HOURS) is settled
    assert asked_at(60).is_settled(answer, CASE, HELD, at(1), ()), "no hours, no return"


@pytest.mark.parametrize("state", ["refused", "held"])
def test_what_was_approved_and_not_sent_returns_at_once_and_the_second_time_at_the_hours(state):
    answer = ReviewAnswer(RUN, "submit", state=state)
    assert not asked_at(90).is_settled(answer, CASE, HELD, at(80), HOURS)
    assert asked_at(90, failed=True).is_settled(answer, CASE, HELD, at(80), HOURS)
    assert not asked_at(90, failed=True).is_settled(answer, CASE, HELD, at(20), HOURS)


def test_what_was_rejected_returns_at_the_first_of_the_hours_only():
    rejected = ReviewAnswer(RUN, "reject", state="rejected")
    assert asked_at(60).is_settled(rejected, CASE, HELD, at(25), HOURS)
    assert not asked_at(60).is_settled(rejected, CASE, HELD, at(20), HOURS)
    assert asked_at(20).is_settled(rejected, CASE, HELD, at(1), HOURS)


@pytest.mark.parametrize("state", ["submitted", "submitted-differs", "already-submitted", "conceded"])
def test_what_was_answered_never_returns_but_at_another_stage(state):
    answer = ReviewAnswer(RUN, "submit", state=state)
    changed = snapshot("du_1", text="changed")
    assert asked_at(60).is_settled(answer, "d" * 64, changed, at(1), HOURS)
    assert not asked_at(60).is_settled(answer, CASE, snapshot("du_1", stage="appeal"), at(1), HOURS)


def test_an_entry_of_an_earlier_version_is_read_and_returns_within_the_hours():
    stored = {"case": "c", "held": "h", "opening": "o", "review": "r", "until": "2026-11-22T12:00:00+00:00"}
    before = LastReview.of({"du_1": stored}, "du_1")
    assert before
    assert (before.at, before.until) == (None, NOW)
    assert LastReview.of({"du_1": {**stored, "until": "soon"}}, "du_1") is None
    assert not replace(asked(), at=None).is_settled(ReviewAnswer(RUN, "hold"), CASE, HELD, at(20), HOURS)
    assert replace(asked(), at=None).is_settled(ReviewAnswer(RUN, "hold"), CASE, HELD, at(30), HOURS)


def test_a_review_whose_run_has_ended_without_an_answer_is_asked_anew():
    assert not asked().is_settled(None, CASE, HELD, NOW, HOURS, True)


def test_a_sweep_that_is_tried_again_keeps_what_it_remembers():
    records = [record(HELD, case_digest=CASE)]
    held = {"du_1": ReviewAnswer(RUN, "hold", "ana (7)", "held by the reviewer, decide later")}
    first = remember({}, records, ["du_1"], RUN, NOW, {}, NOW)
    second = remember(first, records, ["du_1"], "r/2", NOW, held, NOW)
    assert remember(second, records, ["du_1"], "r/2", NOW, held, NOW + timedelta(hours=1)) == second
    assert second["du_1"]["history"] == ["held by the reviewer, decide later (ana (7))"]
    moved = [record(snapshot("du_1", stage="appeal"), case_digest=CASE)]
    assert remember(second, moved, ["du_1"], "r/3", NOW, held, NOW)["du_1"]["history"] == []
