"""The explorer has no serious barrier at any place, and needs no mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desk_page import DeskPage
from playwright.sync_api import Route, expect
from running import run
from support import Connect
from viewing import PREFIX, Site

from dispute_provider.operators.request import RequestOperator
from dispute_provider.sandbox import Sandbox
from tests.harness.explorer_form import field, fill

pytestmark = pytest.mark.usefixtures("shipped_dags")
_TEXT = "Running shoes, size 43, for Zoë."


@pytest.fixture
def explorer(page: DeskPage, connect: Connect) -> DeskPage:
    """The page of a user who may make requests."""
    connect("stripe")
    return page


def work(site: Site) -> None:
    """Make the request of the newest run, as a worker does it."""
    from airflow.models.xcom import XComModel

    client, runs = site.client("ada"), "/api/v2/dags/stripe_request/dagRuns"
    newest = client.get(runs, params={"order_by": "-run_after", "limit": 1}).json()["dag_runs"][0]
    value: Any = run(
        RequestOperator(task_id="request", api="stripe"), params={"show_texts": False, **newest["conf"]}
    )
    here = {"dag_id": "stripe_request", "run_id": newest["dag_run_id"], "task_id": "request", "map_index": -1}
    XComModel.set(key="return_value", value=value, serialize=False, **here)
    assert client.patch(f"{runs}/{newest['dag_run_id']}", json={"state": "success"}).is_success


def operations(page: DeskPage, sandbox: Sandbox) -> None:
    page.page.goto(f"{PREFIX}/desk#explorer")
    expect(page.page.get_by_text("24 operations")).to_be_visible()


def form(page: DeskPage, sandbox: Sandbox) -> None:
    page.page.goto(f"{PREFIX}/desk#explorer/stripe/PostDisputesDispute")
    field(page.page, "dispute").fill("no id")
    expect(page.page.get_by_role("alert").filter(has_text="has the wrong form")).to_be_visible()


def request(page: DeskPage, sandbox: Sandbox) -> None:
    page.page.goto(f"{PREFIX}/desk#explorer/stripe/PostDisputesDispute")
    field(page.page, "dispute").fill("dp_1")
    page.page.get_by_role("tab", name="Request").click()
    expect(page.page.get_by_role("button", name="Copy @task")).to_be_visible()


def final(page: DeskPage, sandbox: Sandbox) -> None:
    page.page.goto(f"{PREFIX}/desk#explorer/stripe/PostDisputesDisputeClose")
    field(page.page, "dispute").fill("dp_1")
    expect(page.page.get_by_role("button", name="Test", exact=True)).to_be_enabled()
    page.page.get_by_label("Dry run").uncheck()
    expect(page.page.get_by_label("Type the dispute ID to confirm")).to_be_visible()


def answer(page: DeskPage, sandbox: Sandbox) -> None:
    page.page.goto(f"{PREFIX}/desk#explorer/stripe/GetDisputesDispute")
    field(page.page, "dispute").fill(sandbox.create_dispute(api="stripe")["id"])
    page.page.get_by_label("Dry run").uncheck()
    page.page.get_by_role("button", name="Send to Stripe").click()
    expect(page.page.get_by_text("Waiting for a worker")).to_be_visible()
    work(page.site)
    expect(page.page.get_by_text("s at the API")).to_be_visible()


def history(page: DeskPage, sandbox: Sandbox) -> None:
    answer(page, sandbox)
    page.page.get_by_role("tab", name="Last tests").click()
    expect(page.page.get_by_role("button", name="Open", exact=True).first).to_be_visible()


PLACES = (operations, form, request, final, answer, history)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_violation_is_serious(
    explorer: DeskPage, sandbox: Sandbox, place: Callable[[DeskPage, Sandbox], None]
) -> None:
    place(explorer, sandbox)
    explorer.is_accessible(f"explorer-{place.__name__}")


def test_a_request_is_found_filled_in_and_tested_by_keyboard(explorer: DeskPage, sandbox: Sandbox) -> None:
    dispute = str(sandbox.create_dispute(api="stripe")["id"])
    page, keys = explorer.page, explorer.page.keyboard
    explorer.open("inbox")
    keys.press("4")
    expect(page.get_by_label("Search operations")).to_be_focused()
    keys.type("UPDATE dispte evidence stripe")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Update a dispute", exact=True)).to_be_focused()
    _tab_to(explorer, field(page, "dispute"))
    keys.type(dispute)
    _tab_to(explorer, page.locator("summary").filter(has_text="Product"))
    keys.press("Enter")
    _tab_to(explorer, field(page, "evidence.product_description"))
    keys.type(_TEXT)
    _tab_to(explorer, page.get_by_label("Dry run"))
    keys.press("Space")
    send = page.get_by_role("button", name="Send to Stripe")
    expect(send).to_be_enabled()
    _tab_to(explorer, send)
    keys.press("Enter")
    explorer.says("Waiting for a worker")
    work(explorer.site)
    explorer.says("s at the API")
    _tab_to(explorer, page.get_by_role("tab", name="Answer"))
    keys.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Request")).to_be_focused()
    expect(page.get_by_role("button", name="Copy Operator")).to_be_visible()
    [sent] = sandbox.journal(operation="PostDisputesDispute")
    assert sent["dispute"] == dispute
    assert sandbox.dispute(dispute)["evidence"]["product_description"] == _TEXT


def test_an_answer_about_an_earlier_form_is_not_taken(explorer: DeskPage, sandbox: Sandbox) -> None:
    page, held = explorer.page, list[Route]()
    page.clock.install()
    page.route("**/requests", lambda route: held.append(route))
    page.goto(f"{PREFIX}/desk#explorer/stripe/GetDisputes")
    test = page.get_by_role("button", name="Test", exact=True)
    expect(test).to_be_visible()
    with page.expect_request("**/requests"):
        page.clock.run_for(1000)
    fill(page, {"limit": "5"})
    with page.expect_response("**/requests"):
        held.pop().continue_()
    # The form has changed since, and what it asks for now is not prepared yet.
    page.evaluate("() => Promise.resolve()")
    expect(test).to_be_disabled()
    page.unroute("**/requests")
    page.clock.run_for(1000)
    expect(test).to_be_enabled()


def _tab_to(explorer: DeskPage, what: Any) -> None:
    """Press Tab until an element has the focus; a page that never gets there fails the test."""
    for _ in range(120):
        explorer.page.keyboard.press("Tab")
        if what.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"{what} cannot be reached by Tab")
