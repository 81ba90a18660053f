"""Answers that come too late. This file runs last, because the review takes five minutes to end."""

from __future__ import annotations

from playwright.sync_api import expect

from dispute_provider._evidence.record import State
from tests.e2e.pages import open_task
from tests.e2e.person import Person
from tests.e2e.review import Review, contest
from tests.harness.lab import Lab, Run


def test_an_answer_after_the_due_date_sends_nothing(lab: Lab, ana: Person) -> None:
    dispute, run = contest(lab, "du_demo_ring")
    review = Review(ana, run)
    review.choose("Submit")
    lab.sandbox.edit_dispute(dispute.id, due_in=-60)
    review.respond()
    assert run.wait_for_end() == "failed"
    record = run.record
    assert record.state == State.REFUSED
    assert "due" in record.reason
    assert not lab.submissions(dispute.id)
    open_task(ana.page, run.dag_id, run.run_id, "outcome")
    expect(ana.page.get_by_text(record.reason).first).to_be_visible()
    ana.shoot("f-late-1-refused")


def test_a_review_that_nobody_answers_ends_by_itself(lab: Lab, unanswered: Run, ana: Person) -> None:
    run = unanswered
    assert run.wait_for_end() == "failed"
    assert run.record.state == State.HELD
    assert run.record.reason == "no answer in time; nothing was sent"
    page = ana.page
    page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/review/required_actions")
    expect(page.get_by_text("Without an answer by")).to_be_visible()
    expect(page.get_by_role("button", name="Respond")).to_be_disabled()
    ana.shoot("f-late-2-expired", height=1400)

    # The form cannot be answered any more; Airflow's API still takes an answer, which changes nothing.
    form = lab.ana.form(run.dag_id, run.run_id)
    assert form is not None
    lab.ana.respond(run.dag_id, run.run_id, form["options"][:1], "")
    open_task(page, run.dag_id, run.run_id, "outcome")
    expect(page.get_by_text("no answer in time").first).to_be_visible()
    ana.shoot("f-late-3-outcome")
    assert run.task("review")["state"] == "success"
    assert not lab.submissions(run.dispute)
