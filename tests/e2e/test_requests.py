"""A single request from its form: what is wrong with it is shown, mended, and then it is sent."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.pages import field, open_task, section, switch_off, trigger, trigger_form
from tests.e2e.person import Person
from tests.harness.lab import Lab, Run

_DAG = "stripe_PostDisputesDispute"
_OPERATION = "PostDisputesDispute"
_TEXT = "Running shoes, size 43, and two pairs of socks."


def test_a_request_is_refused_mended_and_sent(lab: Lab, ana: Person) -> None:
    dispute = str(lab.sandbox.create_dispute(api="stripe")["id"])
    page = ana.page

    _request(lab, ana, f"{dispute} ", "b-request-1-form")
    refusal = page.get_by_text("refused: /dispute: has the wrong form")
    expect(refusal).to_be_visible()
    ana.shoot("b-request-2-refused")

    _request(lab, ana, dispute)
    expect(page.get_by_text(f"/v1/disputes/{dispute}").first).to_be_visible()
    expect(page.get_by_text("In Python:")).to_be_visible()
    expect(refusal).to_have_count(0)
    ana.shoot("b-request-3-mended")
    assert not lab.sandbox.journal(operation=_OPERATION, dispute=dispute)

    _request(lab, ana, dispute, dry_run=False)
    expect(page.get_by_text(f"{_OPERATION}").first).to_be_visible()
    ana.shoot("b-request-4-sent")
    (sent,) = lab.sandbox.journal(operation=_OPERATION, dispute=dispute)
    assert not sent["submitted"]
    assert lab.sandbox.dispute(dispute)["evidence"] == {"product_description": _TEXT}


def _request(lab: Lab, ana: Person, dispute: str, picture: str = "", *, dry_run: bool = True) -> None:
    """Fill in the form, start it, and open the log of its task once it has ended."""
    form = trigger_form(ana.page, _DAG)
    field(form, "Dispute").fill(dispute)
    if not dry_run:
        switch_off(form, "Dry run")
    if picture:
        ana.shoot(picture)
    section(form, "Product")
    field(form, "Product description").fill(_TEXT)
    run_id = trigger(form)
    state = Run(lab, "stripe", dispute, _DAG, run_id).wait_for_end()
    assert state == "success"
    open_task(ana.page, _DAG, run_id, "request")
