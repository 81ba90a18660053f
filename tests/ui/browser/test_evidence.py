"""What a reviewer can do with the evidence: turn a page, and compare a text with a colleague's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from desk_page import DeskPage, Parked
from msgspec.structs import replace
from playwright.sync_api import expect
from viewing import Site, Staged

from dispute_provider._state import evidence_store

Stage = Callable[..., Staged]


def test_a_page_is_turned(page: DeskPage, site: Site, stage_one: Stage) -> None:
    Parked(site, stage_one())
    page.open()
    # Narrow pages show either the list or the evidence.
    page.page.get_by_label("Disputes to decide").get_by_role("link").first.click()
    image = page.page.get_by_alt_text("Page 1 of 3")
    expect(image).to_be_visible()
    image.evaluate("each => each.decode()")

    def shape() -> tuple[float, float]:
        found = image.bounding_box()
        assert found
        return found["width"], found["height"]

    width, height = shape()
    assert width < height
    turn = page.page.get_by_role("button", name="Page 1 of 3: rotate")
    turn.focus()
    page.page.keyboard.press("Enter")
    expect(image).to_have_css("rotate", "90deg")
    width, height = shape()
    assert width > height
    whole = "each => each.scrollWidth <= each.clientWidth && each.scrollHeight <= each.clientHeight"
    zoom = page.page.get_by_role("button", name="Page 1 of 3: zoom")
    assert zoom.evaluate(whole)
    for angle in ("180deg", "270deg", "none", "90deg"):
        turn.click()
        expect(image).to_have_css("rotate", angle)
    page.is_accessible("turned")


def test_a_text_is_beside_the_one_that_it_replaced(
    page: DeskPage, site: Site, stage_one: Stage, store: Path
) -> None:
    ours = "Delivered on 4 November to the door, and signed for.\n\nThe customer wrote that it arrived."
    before = ours.replace("4 November", "14 November").replace("signed for", "left with a neighbour")
    staged = stage_one({"uncategorized_text": ours})
    [made] = [each for each in staged.record.differences if each.name == "uncategorized_text"]
    earlier = evidence_store.put(json.dumps({"uncategorized_text": before}).encode())
    record = replace(staged.record, earlier=earlier, differences=(replace(made, kind="overwritten"),))
    Parked(site, Staged(record, staged.hook))
    page.open()
    # Narrow pages show either the list or the evidence.
    page.page.get_by_label("Disputes to decide").get_by_role("link").first.click()
    left = page.page.get_by_role("region", name="From the case")
    right = page.page.get_by_role("region", name="Before staging")
    expect(left.locator("pre")).to_have_text(ours)
    expect(right.locator("pre")).to_have_text(before)
    expect(left.locator("ins")).to_have_text("4 November to the door, and signed for.")
    expect(right.locator("del")).to_have_text("14 November to the door, and left with a neighbour.")
    page.is_accessible("beside")


def test_a_text_that_was_kept_is_beside_the_case_s(
    page: DeskPage, site: Site, stage_one: Stage, store: Path
) -> None:
    theirs = "Delivered on 14 November, and left with a neighbour."
    ours = theirs.replace("14 November", "4 November")
    staged = stage_one({"product_description": ours}, before={"product_description": theirs})
    not_written = evidence_store.put(json.dumps({"product_description": ours}).encode())
    Parked(site, Staged(replace(staged.record, not_written=not_written), staged.hook))
    page.open()
    left = page.page.get_by_role("region", name="On the dispute")
    right = page.page.get_by_role("region", name="From the case, not used")
    expect(left.locator("pre")).to_have_text(theirs)
    expect(right.locator("pre")).to_have_text(ours)
    expect(left.locator("ins")).to_have_text("14")
    expect(right.locator("del")).to_have_text("4")


def test_every_page_is_looked_at_before_submit(
    page: DeskPage, site: Site, stage_one: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVERY_PAGE", "True")
    Parked(site, stage_one(), stage_one())
    page.open()
    page.says("Last updated")
    submit = page.page.get_by_role("button", name="Submit S", exact=True)
    expect(submit).to_be_disabled()
    page.decide("s")
    page.decided(0)
    page.says("Look at every page of the documents to submit.")
    for number in (1, 2, 3):
        expect(submit).to_be_disabled()
        page.page.get_by_alt_text(f"Page {number} of 3").scroll_into_view_if_needed()
    expect(submit).to_be_enabled()
    # What was on screen is kept, as choices are.
    page.page.reload()
    expect(submit).to_be_enabled()
    page.decide("s")
    page.decided(1)
    expect(submit).to_be_disabled()
    # The other decisions need no look at the pages.
    page.decide("r")
    page.decided(2)
