"""The desk: disputes of several reviews and both APIs are decided, answered and submitted on one page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from demo.cases import SHOP
from dispute_provider._evidence.record import Record, State
from tests.e2e.desk import Desk
from tests.e2e.person import Person
from tests.e2e.test_batch import make_dispute
from tests.harness.explorer_form import field
from tests.harness.lab import Lab, Run
from tests.harness.rest import SWEEP

_BATCH = 6
_CONTEST = "stripe_dispute_evidence"
# Clicks and keys in addition to one for each dispute.
_BESIDES = 8


@pytest.fixture(scope="module")
def batch(lab: Lab) -> tuple[list[str], Run]:
    """Disputes that a sweep put to one review, soonest due first."""
    disputes = [make_dispute(lab, number, timedelta(days=9)) for number in range(_BATCH)]
    (run,) = lab.sweep()
    return disputes[::-1], run


def test_disputes_of_several_reviews_are_submitted_from_one_page(
    lab: Lab, ana: Person, batch: tuple[list[str], Run]
) -> None:
    disputes, run = batch
    moov = lab.contest("moov", lab.dispute("moov", due_in=20 * 86400), "moov_dispute_evidence")
    stripe = lab.contest("stripe", lab.dispute("stripe", due_in=21 * 86400), _CONTEST)
    lab.wait_for_reviews(moov, stripe)
    desk = Desk(ana)
    desk.open(disputes[0])
    desk.shoot("i-desk-1-review")

    held, rejected, *submitted = disputes
    desk.press("h")
    desk.click(desk.frame.get_by_label("Needs documents"))
    desk.frame.get_by_label("Assignee").fill("Ben")
    desk.is_decided(held, "Hold")
    desk.frame.get_by_label("Assignee").press("Enter")
    desk.shows(rejected)
    desk.press("r")
    for dispute in submitted:
        desk.shows(dispute)
        desk.press("s")
    desk.shows(moov.dispute)
    desk.press("s")
    desk.shows(stripe.dispute)
    desk.press("c")
    desk.frame.get_by_label("to confirm").fill(stripe.dispute)
    desk.is_decided(stripe.dispute, "Concede")

    # Choices outlast a reload, and another page in between.
    ana.page.goto("/dags")
    desk = _again(desk)
    desk.is_decided(held, "Hold")
    desk.is_decided(rejected, "Reject")
    for dispute in (*submitted, moov.dispute):
        desk.is_decided(dispute, "Submit")
    desk.is_decided(stripe.dispute, "Concede")

    summary = desk.summary()
    expect(summary.get_by_text(f"Conceded permanently: {stripe.dispute}")).to_be_visible()
    desk.shoot("i-desk-2-summary")
    desk.click(summary.get_by_role("button", name="Respond to 3 reviews"))
    expect(desk.frame.get_by_role("heading", name="Answered in the last three days")).to_be_visible()
    assert desk.used <= len(disputes) + 2 + _BESIDES

    for each in (run, moov, stripe):
        each.wait_for_end()
    cards = desk.frame.get_by_role("main").locator("section")
    card = cards.filter(has_text=submitted[0])
    expect(card.get_by_text("In progress")).to_have_count(0)
    for dispute in submitted:
        way = card.get_by_role("listitem").filter(has_text=dispute)
        expect(way.get_by_label("States")).to_contain_text("Submitted")
        expect(way.get_by_text("Receipt req_")).to_be_visible()
    expect(card.get_by_text("held by the reviewer (needs documents, assigned to Ben)")).to_be_visible()
    desk.shoot("i-desk-3-answered")

    records = {record.dispute: record for record in map(Record.from_dict, _submitted(lab, run))}
    assert {dispute: records[dispute].state for dispute in disputes} == {
        held: State.HELD,
        rejected: State.REJECTED,
        **dict.fromkeys(submitted, State.SUBMITTED),
    }
    assert moov.record.state == State.SUBMITTED
    assert stripe.record.state == State.CONCEDED
    sent = {dispute: len(lab.submissions(dispute)) for dispute in (*disputes, moov.dispute, stripe.dispute)}
    assert sent == {held: 0, rejected: 0, **dict.fromkeys(submitted, 1), moov.dispute: 1, stripe.dispute: 0}


@pytest.mark.usefixtures("batch")
def test_the_inbox_shows_what_is_open_and_opens_its_review(lab: Lab, ana: Person) -> None:
    caseless = str(
        lab.sandbox.create_dispute(api="stripe", account=SHOP, amount=45_000, due_in=2 * 86400)["id"]
    )
    run = lab.contest("stripe", lab.dispute("stripe", due_in=25 * 86400), _CONTEST)
    lab.wait_for_reviews(run)
    desk = Desk(ana)
    desk.inbox()
    desk.frame.get_by_role("button", name="Sweep now").click()
    expect(desk.frame.get_by_text("The sweep has started")).to_be_visible()
    sweep = Run(lab, "stripe", "", SWEEP, list(lab.ana.runs(SWEEP))[-1])
    sweep.wait_for_end()
    desk.frame.get_by_title("Refresh").click()
    row = desk.frame.get_by_role("row").filter(has_text=caseless)
    expect(row).to_contain_text("No case")
    desk.shoot("i-desk-5-inbox")
    desk.frame.get_by_label("Search open disputes").fill(run.dispute)
    expect(desk.frame.get_by_role("row")).to_have_count(2)
    desk.frame.get_by_role("button", name=f"Review {run.dispute}").click()
    desk.shows(run.dispute)

    # The other one gets its case here, which is staged, reviewed and submitted.
    desk.inbox()
    desk.frame.get_by_label("Search open disputes").fill(caseless)
    desk.frame.get_by_role("button", name=f"Make a case for {caseless}").click()
    field(desk.frame, "shipping_tracking_number").fill("NW44719000")
    expect(desk.frame.get_by_role("region", name="case.yaml")).to_contain_text("NW44719000")
    desk.shoot("i-desk-6-case")
    before = set(lab.ana.runs(_CONTEST))
    desk.frame.get_by_role("button", name="Stage and review").click()
    expect(desk.frame.get_by_role("group", name=f"Decision about {caseless}")).to_be_visible()
    desk.shows_text("NW44719000")
    desk.press("s")
    (run_id,) = set(lab.ana.runs(_CONTEST)) - before
    desk.summary().get_by_role("button", name="Respond to 1 review").click()
    desk.answered()
    made = Run(lab, "stripe", caseless, _CONTEST, run_id)
    made.wait_for_end()
    assert made.record.state == State.SUBMITTED
    assert made.record.prepared_by == "ana"
    assert len(lab.submissions(caseless)) == 1


def test_a_review_that_is_opened_again_takes_no_old_answer(lab: Lab, ana: Person) -> None:
    run = lab.contest("stripe", lab.dispute("stripe", due_in=30 * 86400), _CONTEST)
    lab.wait_for_reviews(run)
    desk = Desk(ana)
    desk.open(run.dispute)
    desk.press("s")
    summary = desk.summary()
    run.clear("review")
    lab.until("the review opens again", run.is_parked)
    expect(summary.get_by_text("Not sent: the review was opened again")).to_be_visible()
    ana.shoot("i-desk-4-stale")
    assert run.is_parked()
    assert not lab.submissions(run.dispute)

    summary.get_by_role("button", name="Back to review").click()
    desk.frame.get_by_role("button", name="Restore choices").click()
    desk.is_decided(run.dispute, "Submit")
    desk.summary().get_by_role("button", name="Respond to 1 review").click()
    expect(desk.frame.get_by_role("heading", name="Answered in the last three days")).to_be_visible()
    run.wait_for_end()
    assert run.record.state == State.SUBMITTED
    assert len(lab.submissions(run.dispute)) == 1


def _again(desk: Desk) -> Desk:
    used = desk.used
    desk = Desk(desk.person)
    desk.used = used
    return desk


def _submitted(lab: Lab, run: Run) -> list[dict[str, object]]:
    return list(lab.ana.xcom(run.dag_id, run.run_id, "submit"))
