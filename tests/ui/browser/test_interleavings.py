"""A review changes while its page is open: it is said at once, nothing is sent, and no choice is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desk_page import DeskPage, Parked
from playwright.sync_api import Route, expect
from viewing import Site, Staged

Stage = Callable[..., Staged]
EVENTS: dict[str, tuple[Callable[[Parked], None], str]] = {
    "cleared": (Parked.clear, "the review was opened again"),
    "staged again": (Parked.stage_again, "the review was opened again"),
    "failed": (Parked.fail, "the review failed"),
    "timed out": (Parked.time_out, "the review has ended"),
    "answered by another": (Parked.answer_elsewhere, "ada answered it"),
    "deleted": (Parked.delete, "the review was deleted"),
}
events = pytest.mark.parametrize("event", EVENTS)


@pytest.fixture
def parked(site: Site, stage_one: Stage, nothing_open: None) -> Parked:
    return Parked(site, stage_one(), stage_one(), stage_one())


@events
@pytest.mark.parametrize("place", ["review", "inbox"])
def test_it_is_said_at_once(page: DeskPage, parked: Parked, event: str, place: str) -> None:
    happens, said = EVENTS[event]
    page.open()
    page.decide("s", "h")
    page.decided(2)
    if place == "inbox":
        page.page.keyboard.press("1")
    happens(parked)
    page.says(said)
    page.says("Nothing was sent from here; your 2 choices are kept")
    assert page.answers == []
    assert page.kept() == 2


@events
def test_the_summary_takes_no_answer(page: DeskPage, parked: Parked, event: str) -> None:
    happens, said = EVENTS[event]
    page.open()
    page.decide("s", "s", "r")
    dialog = page.summary()
    happens(parked)
    expect(dialog.get_by_text(f"Not sent: {said}")).to_be_visible()
    expect(dialog.get_by_role("button", name="No review to respond to")).to_be_disabled()
    assert page.answers == []
    assert page.kept() == 3


@events
def test_an_answer_that_comes_too_late_is_not_called_answered(
    page: DeskPage, parked: Parked, event: str
) -> None:
    happens, _ = EVENTS[event]
    page.open()
    page.decide("s", "s", "r")
    dialog = page.summary()
    with page.before_the_answer(lambda: happens(parked)):
        dialog.get_by_role("button", name="Respond to 1 review").click()
        expect(dialog.locator(".result.bad")).to_contain_text("Your choices are kept")
    expect(dialog.get_by_text("Answered.")).to_have_count(0)
    assert page.kept() == 3


@pytest.mark.parametrize("event", ["cleared", "staged again", "failed", "deleted"])
def test_an_answer_that_is_lost_later_is_not_called_answered(
    page: DeskPage, parked: Parked, event: str
) -> None:
    happens, _ = EVENTS[event]
    page.open()
    page.decide("s", "s", "r")
    dialog = page.summary()
    dialog.get_by_role("button", name="Respond to 1 review").click()
    page.says("Waiting for the task to move on")
    happens(parked)
    expect(dialog.locator(".result.bad")).to_contain_text("Your choices are kept")
    assert page.kept() == 3


def test_choices_about_unchanged_evidence_can_be_restored(page: DeskPage, parked: Parked) -> None:
    page.open()
    page.decide("s", "s", "r")
    parked.stage_again()
    page.says("You had decided 2 of its disputes, whose evidence is unchanged.")
    page.says("has changed: decide again")
    page.page.get_by_role("button", name="Restore choices").click()
    page.decided(2)


def test_a_review_that_goes_on_as_chosen_is_answered(page: DeskPage, parked: Parked) -> None:
    page.open()
    page.decide("s", "s", "r")
    dialog = page.summary()
    dialog.get_by_role("button", name="Respond to 1 review").click()
    page.says("Waiting for the task to move on")
    parked.resume()
    expect(page.page.get_by_role("heading", name="Answered in the last three days")).to_be_visible()
    assert len(page.answers) == 1
    assert page.kept() == 0


@pytest.mark.parametrize("is_stored", [False, True], ids=["nothing stored", "stored"])
def test_an_error_within_airflow_is_overcome(page: DeskPage, parked: Parked, *, is_stored: bool) -> None:
    """Its database is locked for a moment, or a gateway gives up while Airflow stores the answer."""

    def fail_once(route: Route) -> None:
        if is_stored:
            route.fetch()
        route.fulfill(status=504 if is_stored else 500, body="")

    page.open()
    page.decide("s", "s", "r")
    page.page.route("**/hitlDetails", fail_once, times=1)
    page.summary().get_by_role("button", name="Respond to 1 review").click()
    page.says("Waiting for the task to move on")
    assert parked.is_answered()
    parked.resume()
    expect(page.page.get_by_role("heading", name="Answered in the last three days")).to_be_visible()
    assert page.kept() == 0


def test_an_error_within_airflow_that_stays_is_said(page: DeskPage, parked: Parked) -> None:
    page.open()
    page.decide("s", "s", "r")
    page.page.route("**/hitlDetails", lambda route: route.fulfill(status=500, body=""))
    dialog = page.summary()
    dialog.get_by_role("button", name="Respond to 1 review").click()
    expect(dialog.locator(".result.bad")).to_contain_text("Airflow refused the answer")
    assert len(page.answers) == 3
    assert not parked.is_answered()
    assert page.kept() == 3


def test_the_session_ends_and_nothing_is_lost(page: DeskPage, parked: Parked, site: Site) -> None:
    page.open()
    page.decide("s", "s", "r")
    cookies: Any = page.page.context.cookies()
    page.page.context.clear_cookies()
    dialog = page.summary()
    dialog.get_by_role("button", name="Respond to 1 review").click()
    expect(dialog.locator(".result.bad")).to_contain_text("session has expired")
    page.page.context.add_cookies(cookies)
    page.open()
    page.decided(3)
    assert page.answers == []
    assert not parked.is_answered()
