"""The form of a case in the inbox: filled in, checked, started, and followed to its review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_
from typing import Any

import pytest
from desk_page import DeskPage
from msgspec.structs import replace
from parking import park
from playwright.sync_api import expect
from test_hostile import MARKUP, SCRIPT
from test_inbox import sweep
from viewing import Site, Staged

from dispute_provider._evidence.record import State
from dispute_provider._workflow.listing import NO_CASE_FOUND
from tests.harness.explorer_form import field, fill

pytestmark = pytest.mark.usefixtures("shipped_dags")
Stage = Callable[..., Staged]
_DAG = "stripe_dispute_evidence"


@pytest.fixture
def caseless(site: Site, stage_one: Stage) -> Staged:
    """A dispute that the last sweep found no case for."""
    assert site.client("ada").patch(f"/api/v2/dags/{_DAG}", json={"is_paused": False}).is_success
    staged = stage_one(reason="product_not_received")
    found = replace(staged.record.ended(State.HELD, NO_CASE_FOUND), digest=None, documents={})
    sweep(site, "stripe_default", found, without=(found.dispute,))
    return staged


def open_form(page: DeskPage, dispute: str) -> None:
    page.open("inbox")
    page.page.get_by_role("button", name=f"Make a case for {dispute}").click()
    expect(page.page.get_by_role("heading", name=f"Case for {dispute}")).to_be_focused()


def newest_run(site: Site) -> Any:
    runs = site.client("ada").get(
        f"/api/v2/dags/{_DAG}/dagRuns", params={"order_by": "-run_after", "limit": 1}
    )
    return runs.json()["dag_runs"][0]


def test_a_case_is_made_and_its_review_opens(page: DeskPage, site: Site, caseless: Staged) -> None:
    dispute = caseless.record.dispute
    open_form(page, dispute)
    start = page.page.get_by_role("button", name="Stage and review")
    expect(start).to_be_disabled()
    tracking = field(page.page, "shipping_tracking_number")
    tracking.fill("Card 4111 1111 1111 1111")
    page.says("has a card number at character")
    expect(start).to_be_disabled()
    tracking.fill("NW4471")
    expect(page.page.get_by_role("region", name="case.yaml")).to_contain_text(
        "shipping_tracking_number: NW4471"
    )
    page.is_accessible("case")
    page.page.set_viewport_size({"width": 1440, "height": 900})

    start.click()
    page.says("Staging the evidence")
    run = newest_run(site)
    assert run["conf"] == {
        "conn_id": "stripe_default",
        "dispute": dispute,
        "shipping_tracking_number": "NW4471",
    }
    park(with_(site, run_id=run["dag_run_id"]), caseless, dag=_DAG)
    expect(page.page.get_by_role("group", name=f"Decision about {dispute}")).to_be_visible()
    page.page.get_by_role("link", name="Inbox").click()
    expect(page.page.get_by_role("button", name=f"Review {dispute}")).to_be_visible()


def test_a_run_that_stages_nothing_leaves_what_was_typed(
    page: DeskPage, site: Site, caseless: Staged
) -> None:
    open_form(page, caseless.record.dispute)
    name = field(page.page, "customer_name")
    name.fill("Robin Larsen")
    page.page.get_by_role("button", name="Stage and review").click()
    page.says("Staging the evidence")
    path = f"/api/v2/dags/{_DAG}/dagRuns/{newest_run(site)['dag_run_id']}"
    assert site.client("ada").patch(path, json={"state": "failed"}).is_success
    page.says("The run ended without staging the case.")
    expect(page.page.get_by_role("link", name="Open run")).to_be_visible()
    expect(name).to_have_value("Robin Larsen")
    expect(page.page.get_by_role("button", name="Stage and review")).to_be_enabled()
    page.page.get_by_role("button", name="← Inbox").click()
    expect(page.page.get_by_role("table")).to_be_visible()


def test_an_ended_session_leaves_what_was_typed(page: DeskPage, site: Site, caseless: Staged) -> None:
    open_form(page, caseless.record.dispute)
    field(page.page, "customer_name").fill("Robin Larsen")
    start = page.page.get_by_role("button", name="Stage and review")
    expect(start).to_be_enabled()
    page.page.context.clear_cookies()
    start.click()
    page.says("Your session has expired")
    expect(field(page.page, "customer_name")).to_have_value("Robin Larsen")


def test_hostile_texts_of_a_case_are_shown_as_texts(page: DeskPage, site: Site, caseless: Staged) -> None:
    found = replace(caseless.record.ended(State.HELD, NO_CASE_FOUND), dispute_reason=MARKUP, digest=None)
    sweep(site, "stripe_default", found, without=(found.dispute,))
    open_form(page, found.dispute)
    expect(page.page.get_by_text(MARKUP).first).to_be_visible()
    fill(page.page, {"customer_name": f"{SCRIPT} \u202edlos"})
    expect(page.page.get_by_role("region", name="case.yaml")).to_contain_text(SCRIPT)
    assert page.page.evaluate("() => window.harmed") is None
