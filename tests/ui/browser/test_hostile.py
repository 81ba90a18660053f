"""Texts that try to be more than texts are shown as they are, and nothing leaves the origin."""

from __future__ import annotations

from collections.abc import Callable

from desk_page import DeskPage, Parked
from msgspec.structs import replace
from playwright.sync_api import expect
from test_inbox import _one_key, made, sweep
from viewing import DAG, PREFIX, Site, Staged

from dispute_provider._evidence.record import State

one_key = _one_key
Stage = Callable[..., Staged]
SCRIPT = "<script>window.harmed = 1</script>"
MARKUP = '<img src="x" onerror="window.harmed = 1"><a href="javascript:window.harmed = 1">here</a>'
ELSEWHERE = '<img src="http://198.51.100.7/x.png"><iframe src="http://198.51.100.7/"></iframe>'
TURNED = "paid \u202edlos\u202c and \u2066held\u2069"
CONTROL = "bell \x07 and escape \x1b[31m and zero\u200bwidth"
HOSTILE = {
    "customer_name": SCRIPT,
    "billing_address": MARKUP,
    "product_description": ELSEWHERE,
    "refund_refusal_explanation": TURNED,
    "uncategorized_text": CONTROL * 5,
}


def _nothing_happened(page: DeskPage) -> None:
    window = page.page
    assert window.evaluate("() => window.harmed") is None
    assert window.locator("iframe, img[onerror], a[href^=javascript], img[src*='198.51']").count() == 0
    assert window.locator("script:not([src='desk.js'], [src='view.js'])").count() == 0


def test_hostile_texts_of_the_evidence_are_shown_as_texts(
    page: DeskPage, site: Site, stage_one: Stage
) -> None:
    Parked(site, stage_one(HOSTILE))
    tab = f"{PREFIX}/view?dag_id={DAG}&run_id={site.run_id}&task_id=review&map_index=-1"
    for address in (f"{PREFIX}/desk#review", tab):
        page.page.goto(address)
        main = page.page.get_by_role("main")
        for text in (SCRIPT, MARKUP, ELSEWHERE):
            expect(main.get_by_text(text, exact=True)).to_be_visible()
        # Characters that turn or hide others are shown by their code points.
        for code in ("U+202E", "U+2066", "U+0007", "U+001B", "U+200B"):
            expect(main.get_by_text(code).first).to_be_visible()
        _nothing_happened(page)


def test_hostile_texts_of_records_are_shown_as_texts(page: DeskPage, site: Site) -> None:
    reason = f"{SCRIPT} {ELSEWHERE} {TURNED}"
    record = replace(
        made("hostile", 1, State.HELD),
        reason=reason,
        dispute_reason=MARKUP,
        network_code=SCRIPT,
        url="javascript:window.harmed = 1",
    )
    sweep(site, "hostile", record)
    page.open("inbox")
    expect(page.page.get_by_role("row").filter(has_text=SCRIPT)).to_be_visible()
    expect(page.page.get_by_role("link", name="du_1")).to_have_count(0)
    _nothing_happened(page)
