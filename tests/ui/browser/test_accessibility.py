"""No place has a serious problem for people who cannot see or use a mouse, at any width, light or dark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from desk_page import DeskPage, Parked
from msgspec.structs import replace
from playwright.sync_api import expect
from test_inbox import made, sweep
from viewing import DAG, PREFIX, Site, Staged

from dispute_provider._evidence.record import State

Stage = Callable[..., Staged]
_STORY = "The parcel was delivered on 4 November and signed for.\n\nThe customer wrote that it arrived."


def inbox(page: DeskPage) -> None:
    page.open("inbox")
    expect(page.page.get_by_role("table")).to_be_visible()


def review(page: DeskPage) -> None:
    page.open()
    page.page.get_by_label("Disputes to decide").get_by_role("link").first.click()
    expect(page.page.get_by_text("Last updated")).to_be_visible()
    expect(page.page.get_by_alt_text("Page 1 of 3")).to_be_visible()


def hold(page: DeskPage) -> None:
    review(page)
    page.decide("h")


def concede(page: DeskPage) -> None:
    review(page)
    # An inquiry, which comes first, cannot be conceded.
    page.decide("j", "c")
    expect(page.page.get_by_label("to confirm")).to_be_focused()


def summary(page: DeskPage) -> None:
    review(page)
    page.decide("s", "s")
    dialog = page.summary()
    expect(dialog.get_by_role("button", name="Select a review to respond to")).to_be_disabled()


def keys(page: DeskPage) -> None:
    review(page)
    page.page.keyboard.press("?")
    expect(page.page.get_by_role("dialog")).to_be_visible()


def answered(page: DeskPage) -> None:
    page.open("answered")
    expect(page.page.get_by_text("Approved").first).to_be_visible()


def nothing(page: DeskPage) -> None:
    page.open("answered")
    page.page.get_by_role("link", name=re.compile("Review")).click()


def tab(page: DeskPage) -> None:
    site = page.site
    page.page.goto(f"{PREFIX}/view?dag_id={DAG}&run_id={site.run_id}&task_id=review&map_index=-1")
    expect(page.page.get_by_text("Last updated")).to_be_visible()
    # What all disputes of the list have in common is not said.
    marks = page.page.get_by_role("navigation", name="Disputes in this task").locator(".chip")
    expect(marks).to_have_text(["Weak", "Weak", "Weak"])


PLACES = (inbox, review, hold, concede, summary, keys, answered, nothing, tab)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_violation_is_serious(
    page: DeskPage, site: Site, stage_one: Stage, place: Callable[[DeskPage], None]
) -> None:
    staged = [
        stage_one({"customer_name": "Robin Larsen", "uncategorized_text": _STORY}, amount=960_000),
        stage_one(status="warning_needs_response", due_in=4 * 3600),
        stage_one(before={"product_description": "As on the shop's page. (Ben)"}, currency="jpy"),
    ]
    parked = Parked(site, *staged)
    sweep(
        site, "stripe_default", *(each.record for each in staged),
        replace(made("stripe_default", 2, State.HELD), reason="no case was found for it"),
        replace(made("stripe_default", 3, State.HELD), reason="held by the reviewer (needs documents)"),
        made("stripe_default", 4, State.REFUSED), made("stripe_default", 5, State.APPROVED),
        without=("du_2",),
    )  # fmt: skip
    if place in (answered, nothing):
        parked.answer_elsewhere()
        parked.resume()
    place(page)
    page.is_accessible(place.__name__)
