"""The progress of a task at work shows in the UI."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.pages import open_task
from tests.e2e.person import Person
from tests.harness.lab import Lab

_DAG = "stripe_dispute_evidence"


def test_how_far_staging_has_come_is_shown_with_its_task(lab: Lab, ana: Person) -> None:
    dispute = lab.dispute("stripe")
    # Long enough for a line of progress, which comes every ten seconds, to be seen in the UI.
    lab.hold("reading", "stripe", dispute, 40.0)
    run = lab.contest("stripe", dispute, _DAG)
    lab.until("staging to begin", lambda: run.task("stage")["state"] == "running")
    open_task(ana.page, run.dag_id, run.run_id, "stage")
    ana.page.get_by_role("link", name="Storage").click()
    expect(ana.page.get_by_text("staging: 0 done, 1 left").first).to_be_visible()
    ana.shoot("g-progress")
    lab.wait_for_reviews(run)
    ana.page.reload()
    expect(ana.page.get_by_text("staging: 1 done, 0 left").first).to_be_visible()
