"""The other answers to the review of one dispute: hold, reject, concede."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from dispute_provider._evidence.record import Record, State
from tests.e2e.person import Person
from tests.e2e.review import Review, contest
from tests.harness.lab import Lab, Run

_CLOSE = "PostDisputesDisputeClose"


@pytest.fixture(scope="module")
def runs(lab: Lab) -> dict[str, Run]:
    """A run per answer, all started at once."""
    return {
        "hold": contest(lab, "du_demo_kettle")[1],
        "reject": contest(lab, "du_demo_jacket")[1],
        "concede": contest(lab, "du_demo_concert")[1],
        "half": contest(lab, "du_demo_chairs")[1],
    }


def test_a_hold_has_a_reason_and_an_assignee(lab: Lab, runs: dict[str, Run], ana: Person) -> None:
    review = Review(ana, runs["hold"])
    ana.shoot("e-hold-1-form", height=2000)
    review.choose("Hold")
    review.pick("Hold reason", "Needs documents")
    review.fill("Assignee", "Ben")
    review.fill("Note", "Ask the carrier for the signed slip.")
    ana.shoot("e-hold-2-answer", around=review.button)
    review.respond()
    record = _outcome(runs["hold"])
    assert record.state == State.HELD
    assert "(needs documents, assigned to Ben): Ask the carrier" in record.reason
    assert not lab.submissions(record.dispute)


def test_a_rejection_sends_nothing(lab: Lab, runs: dict[str, Run], ana: Person) -> None:
    review = Review(ana, runs["reject"])
    review.choose("Reject")
    review.fill("Note", "It went to a locker in another city.")
    ana.shoot("e-reject-1-answer", around=review.button)
    review.respond()
    record = _outcome(runs["reject"])
    assert record.state == State.REJECTED
    assert not lab.submissions(record.dispute)
    assert lab.sandbox.dispute(record.dispute)["status"] == "needs_response"


def test_what_is_conceded_is_confirmed_and_closed(lab: Lab, runs: dict[str, Run], ana: Person) -> None:
    run = runs["concede"]
    review = Review(ana, run)
    review.choose("Concede")
    review.fill("Confirm concession", run.dispute)
    review.fill("Note", "The tickets were sold twice.")
    ana.shoot("e-concede-1-answer", around=review.button)
    review.respond()
    assert _outcome(run).state == State.CONCEDED
    assert len(lab.sandbox.journal(operation=_CLOSE, dispute=run.dispute)) == 1
    assert not lab.submissions(run.dispute)
    assert lab.sandbox.dispute(run.dispute)["status"] == "lost"


def test_half_a_concession_is_none(lab: Lab, runs: dict[str, Run], ana: Person) -> None:
    run = runs["half"]
    review = Review(ana, run)
    review.choose("Concede")
    review.respond()
    record = _outcome(run)
    assert record.state == State.HELD
    assert "the confirmation does not match" in record.reason
    assert not lab.sandbox.journal(operation=_CLOSE, dispute=run.dispute)
    ana.page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/outcome")
    expect(ana.page.get_by_text("the confirmation does not match").first).to_be_visible()
    ana.shoot("e-concede-2-void")


def _outcome(run: Run) -> Record:
    """What became of a run's dispute, once it has ended."""
    run.wait_for_end()
    return run.record
