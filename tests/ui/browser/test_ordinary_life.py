"""What people do besides their work: go back, reload, use two windows, and have long names."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from desk_page import DeskPage, Parked
from msgspec.structs import replace
from parking import park
from playwright.sync_api import Locator, Page, expect
from test_cases import open_form
from test_inbox import made, sweep
from viewing import ELSEWHERE, PREFIX, Site, Staged

from dispute_provider._evidence.record import State
from dispute_provider._workflow.listing import NO_CASE_FOUND

Stage = Callable[..., Staged]
_LONG = "of_a_customer_whose_name_and_number_have_no_space_" * 3


def overflow(page: Page) -> int:
    found: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


def refresh(page: DeskPage, path: str) -> None:
    """Have the page read its data again, as it does when its window gets the focus."""
    with page.page.expect_response(f"**{PREFIX}/{path}**"):
        page.page.evaluate("() => dispatchEvent(new Event('focus'))")


def test_back_and_reload_keep_the_place(page: DeskPage, site: Site, stage_one: Stage) -> None:
    Parked(site, stage_one())
    page.open()
    table = page.page.get_by_role("table")
    decision = page.page.get_by_role("complementary", name="Decision")
    page.page.get_by_role("link", name="Inbox").click()
    expect(table).to_be_visible()
    page.page.reload()
    expect(table).to_be_visible()
    page.page.keyboard.press("3")
    page.says("Answered in the last three days")
    page.page.go_back()
    expect(table).to_be_visible()
    page.page.go_back()
    expect(decision).to_be_visible()
    page.page.go_forward()
    expect(table).to_be_visible()


def test_back_and_reload_keep_the_place_within_airflow(page: DeskPage, site: Site, stage_one: Stage) -> None:
    """The window's address follows the frame's, and *Back* changes both."""
    Parked(site, stage_one())
    window = page.page.context.new_page()
    window.goto("/plugin/disputes")
    desk = window.frame_locator("iframe")

    def is_at(place: str, shown: Locator) -> None:
        expect(shown).to_be_visible()
        expect(window).to_have_url(re.compile(rf"/plugin/disputes/dispute-evidence/desk#{place}$"))

    table, decision = desk.get_by_role("table"), desk.get_by_role("complementary", name="Decision")
    is_at("review", decision)
    desk.get_by_role("link", name="Inbox").click()
    is_at("inbox", table)
    window.go_back()
    is_at("review", decision)
    window.go_forward()
    is_at("inbox", table)
    window.reload()
    is_at("inbox", table)


def test_a_review_answered_in_another_window_says_so(page: DeskPage, site: Site, stage_one: Stage) -> None:
    parked = Parked(site, stage_one())
    page.open()
    page.decide("s")
    parked.answer_elsewhere("ana")
    page.says("you answered it in another window")
    page.says("your choice is kept in this browser")
    assert page.answers == []


def test_an_answer_of_this_window_is_not_said_to_come_from_another(
    page: DeskPage, site: Site, stage_one: Stage
) -> None:
    """The list is read again while the summary is open, because another review has opened."""
    Parked(site, stage_one())
    page.open()
    page.decide("s")
    dialog = page.summary()
    park(site, stage_one(), dag=ELSEWHERE)
    count = page.page.get_by_role("link", name="Review", include_hidden=True).locator(".count")
    expect(count).to_have_text("2")
    dialog.get_by_role("button", name="Respond to 1 review").click()
    page.says("Waiting for the task to move on")
    expect(count).to_have_text("1")
    expect(page.page.get_by_text("Nothing was sent from here")).to_have_count(0)


def test_a_choice_made_in_one_window_is_shown_in_the_other(
    page: DeskPage, site: Site, stage_one: Stage
) -> None:
    Parked(site, stage_one(), stage_one())
    page.open()
    other = DeskPage(page.page.context.new_page(), site)
    other.open()
    page.decide("s", "h")
    other.decided(2)
    other.decide("Backspace")
    page.decided(1)


def test_a_choice_is_not_lost_to_another_window(page: DeskPage, site: Site, stage_one: Stage) -> None:
    """A window may change a choice before it has heard of the other's."""
    Parked(site, stage_one(), stage_one())
    # Nothing tells this page what another one has stored.
    page.page.add_init_script("addEventListener('storage', (event) => event.stopImmediatePropagation())")
    page.open()
    other = DeskPage(page.page.context.new_page(), site)
    other.open()
    other.decide("s")
    other.decided(1)
    page.decide("j", "r")
    page.decided(2)
    assert page.kept() == 2


@pytest.mark.parametrize(
    ("fields", "totals"),
    [
        ({"currency": "jpy", "amount": 5_000}, "2 disputes · 10,000 JPY"),
        # Amounts of these have two decimals at the APIs, but none in banks' lists.
        ({"currency": "isk", "amount": 250_000}, "2 disputes · 5,000.00 ISK"),
        ({"currency": "ugx", "amount": 250_000}, "2 disputes · 5,000.00 UGX"),
    ],
    ids=["jpy", "isk", "ugx"],
)
def test_totals_are_written_as_amounts_are(
    page: DeskPage, site: Site, stage_one: Stage, fields: dict[str, object], totals: str
) -> None:
    Parked(site, stage_one(**fields), stage_one(**fields))
    page.open()
    page.says(totals)
    page.decide("s", "s")
    expect(page.summary().get_by_text(totals)).to_be_visible()


def test_a_dispute_without_an_amount_has_no_total(page: DeskPage, site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    record = replace(staged.record, amount=None, currency=None)
    Parked(site, Staged(record, staged.hook))
    page.open()
    queue = page.page.get_by_label("Disputes to decide")
    expect(queue.get_by_text("1 dispute", exact=True)).to_be_visible()
    expect(queue.get_by_text("Unknown amount", exact=True)).to_be_visible()


def test_what_has_the_focus_in_the_inbox_keeps_it(page: DeskPage, site: Site, stage_one: Stage) -> None:
    connection = stage_one().record.connection
    sweep(site, connection, *(made(connection, n, State.HELD) for n in (1, 2)), without=("du_1", "du_2"))
    page.page.goto(f"{PREFIX}/desk#inbox")
    page.says("2 disputes")
    link = page.page.get_by_role("button", name="No case")
    link.focus()
    refresh(page, "inbox")
    expect(link).to_be_focused()
    sweep(site, connection, *(made(connection, n, State.HELD) for n in (1, 2, 3)), without=("du_1", "du_2"))
    refresh(page, "inbox")
    page.says("3 disputes")
    expect(link).to_be_focused()


def test_what_is_selected_among_the_answered_stays(page: DeskPage, site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    Parked(site, staged).answer_elsewhere()
    page.page.goto(f"{PREFIX}/desk#answered")
    shown = page.page.get_by_role("link", name="Open run").first
    shown.focus()
    for _ in range(2):
        refresh(page, "answered")
        expect(shown).to_be_focused()


@pytest.mark.usefixtures("shipped_dags")
def test_long_names_stay_in_the_window(page: DeskPage, site: Site, stage_one: Stage) -> None:
    staged = stage_one({"customer_name": _LONG, "uncategorized_text": _LONG * 9})
    found = replace(
        staged.record.ended(State.HELD, NO_CASE_FOUND),
        dispute=f"du_{_LONG}", dispute_reason=_LONG, digest=None, documents={},
    )  # fmt: skip
    Parked(site, Staged(replace(staged.record, warnings=(_LONG,), dispute_reason=_LONG), staged.hook))
    sweep(site, "stripe_default", found, without=(found.dispute,))
    for width in (1440, 768, 390, 318):
        page.page.set_viewport_size({"width": width, "height": 800})
        page.open("inbox")
        page.page.reload()
        expect(page.page.get_by_role("button", name="Make a case for")).to_be_visible()
        places = page.page.get_by_role("navigation", name="Places")
        assert places.evaluate("each => each.scrollWidth <= each.clientWidth"), width
        assert overflow(page.page) == 0, width
        open_form(page, found.dispute)
        assert overflow(page.page) == 0, width
        page.page.keyboard.press("2")
        first = page.page.get_by_label("Disputes to decide").get_by_role("link").first
        first.evaluate("each => each.click()")
        page.says("Last updated")
        assert overflow(page.page) == 0, width
        page.decide("h")
        page.summary()
        assert overflow(page.page) == 0, width
        page.page.keyboard.press("Escape")


@pytest.mark.usefixtures("shipped_dags")
def test_the_way_back_from_the_form_keeps_the_keyboard(page: DeskPage, site: Site, stage_one: Stage) -> None:
    found = replace(stage_one().record.ended(State.HELD, NO_CASE_FOUND), digest=None, documents={})
    sweep(site, "stripe_default", found, without=(found.dispute,))
    open_form(page, found.dispute)
    page.page.get_by_role("button", name="← Inbox").press("Enter")
    expect(page.page.get_by_role("main")).to_be_focused()
