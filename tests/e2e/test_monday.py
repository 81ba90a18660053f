"""A Monday with sixty disputes: from the login to submitted with about one click or key for each dispute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from dispute_provider._evidence.record import Record, State
from tests.e2e import monday
from tests.e2e.conftest import open_site
from tests.e2e.desk import Desk
from tests.e2e.monday import COUNT, INQUIRIES, TODAY, WITHOUT_CASE, Monday
from tests.e2e.person import Person
from tests.e2e.review import Review
from tests.e2e.test_batch import make_dispute
from tests.harness.lab import Lab, Run

# Clicks and keys in addition to one for each dispute.
_BESIDES = 8
# The disputes of a review that is answered in Airflow's own form, and what that says about the page.
_IN_FORM = 6
_SAYS = "to see the documents exactly as they will be sent. It keeps your choices while you look."
# Logs in at Moov; it changes no dispute.
_TOKEN = "createAccessToken"
_ENDS = {"s": State.SUBMITTED, "h": State.HELD, "e": State.HELD, "r": State.REJECTED}
_LABELS = {"s": "Submit", "h": "Hold", "e": "Edit the case", "r": "Reject"}


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An Airflow whose sweep looks after all connections."""
    with open_site(tmp_path_factory.mktemp("monday"), monday.CONNECTIONS) as lab:
        yield lab


@pytest.fixture
def day(site: Lab) -> tuple[Monday, list[Run]]:
    """The disputes, and the reviews that the sweep opened for them."""
    return monday.make(site), site.sweep()


def test_by_mouse(site: Lab, browser: Browser, day: tuple[Monday, list[Run]]) -> None:
    made, runs = day
    assert len(runs) >= 4
    staged = len(site.sandbox.journal())
    person = Person(browser, site.airflow.url, "ana", site.airflow.passwords["ana"])
    desk = Desk(person, used=1)

    desk.click(desk.frame.get_by_role("link", name="Inbox"))
    expect(desk.frame.get_by_text(f"{COUNT} disputes")).to_be_visible()
    expect(desk.frame.get_by_text(f"{TODAY} due within 24 hours")).to_be_visible()
    expect(desk.frame.get_by_role("button", name=f"No case {WITHOUT_CASE}")).to_be_visible()
    expect(desk.frame.get_by_text("Inquiry").first).to_be_visible()
    desk.shoot("j-monday-1-inbox")
    desk.click(desk.frame.get_by_role("button", name=re.compile("^Review ")).first)

    for decided in range(len(made.choices)):
        dispute = desk.current()
        key = made.choices[dispute]
        desk.loaded()
        if dispute in made.colleagues:
            desk.shows_text("Ben")
        desk.click(desk.frame.get_by_role("button", name=_LABELS[key]).first)
        if key == "h":
            desk.click(desk.frame.get_by_role("button", name="Next"))
        if decided == 15:
            person.page.reload()
            desk.decided(16)
            desk.shoot("j-monday-2-review")
        if decided == 30:
            person.page.goto("/dags")
            desk = Desk(person, used=desk.used)
            desk.decided(31)
        if decided == 45:
            person.end_session()
            desk.frame.get_by_title("Refresh").click()
            expect(desk.frame.get_by_text("Your session has expired")).to_be_visible()
            desk.decided(46)
            person.page.goto("/")
            person.log_in()
            expect(person.page.get_by_role("link", name="Dags", exact=True)).to_be_visible()
            desk = Desk(person, used=desk.used)
            desk.decided(46)
    desk.decided(len(made.choices))
    summary = desk.summary()
    desk.shoot("j-monday-3-summary")
    desk.click(summary.get_by_role("button", name=f"Respond to {len(runs)} reviews"))
    desk.answered()
    assert desk.used <= COUNT + _BESIDES, desk.used
    print(f"clicks: {desk.used} for {COUNT} disputes")
    _ended_as_chosen(site, made, runs, staged)
    expect(desk.frame.get_by_text("In progress")).to_have_count(0)
    desk.shoot("j-monday-4-answered")
    assert not person.strayed
    person.leave()


def test_by_keyboard(site: Lab, browser: Browser, day: tuple[Monday, list[Run]]) -> None:
    made, runs = day
    staged = len(site.sandbox.journal())
    person = Person(browser, site.airflow.url, "ana", site.airflow.passwords["ana"], log_in=False)
    person.page.goto("/plugin/disputes")
    person.log_in(by_key=True)
    desk = Desk(person, used=1, go=False)
    expect(desk.frame.get_by_role("heading", name="Disputes")).to_be_focused()
    desk.press("1")
    expect(desk.frame.get_by_role("table")).to_be_visible()
    desk.accessible()
    desk.press("2")
    # Whatever else is open, the held disputes of an earlier Monday among them, is left alone.
    left = set(made.choices)
    while left:
        dispute = desk.current()
        desk.loaded()
        if dispute not in left:
            desk.press("j")
            continue
        desk.press(made.choices[dispute])
        if made.choices[dispute] == "h":
            desk.accessible()
            desk.press("j")
        left.remove(dispute)
    desk.accessible()
    desk.press("Control+Enter")
    summary = desk.frame.get_by_role("dialog", name="Respond")
    expect(summary.get_by_role("button", name=f"Respond to {len(runs)} reviews")).to_be_visible()
    desk.accessible()
    desk.press("Control+Enter")
    desk.answered()
    desk.accessible()
    assert desk.used <= COUNT + _BESIDES, desk.used
    print(f"keys: {desk.used} for {COUNT} disputes")
    _ended_as_chosen(site, made, runs, staged)
    desk.press("4")
    expect(desk.frame.get_by_label("Search operations")).to_be_focused()
    desk.accessible()
    person.leave()


def test_by_airflow_s_own_form(site: Lab, browser: Browser) -> None:
    """Whoever answers without the page *Disputes* has every choice too."""
    disputes = [make_dispute(site, number, timedelta(days=9)) for number in range(_IN_FORM)]
    (run,) = site.sweep()
    person = Person(browser, site.airflow.url, "ana", site.airflow.passwords["ana"])

    review = Review(person, run)
    expect(person.page.get_by_text(_SAYS)).to_be_visible()
    held, edited, rejected, conceded, *submitted = disputes
    review.choose(*(f"Submit {dispute} " for dispute in submitted))
    review.pick("Hold", held)
    review.pick("Hold reason", "Needs documents")
    review.fill("Assignee", "Ben")
    review.pick("Edit", edited)
    review.pick("Reject", rejected)
    review.pick("Concede", review.offered("concede", conceded))
    review.fill("Confirm concession", conceded)
    review.fill("Note", "Read against the orders.")
    person.shoot("j-monday-5-form", height=2400)
    review.respond()
    run.wait_for_end()

    records = {record.dispute: record for record in _records(site, [run])}
    assert {dispute: record.state for dispute, record in records.items()} == {
        **dict.fromkeys(submitted, State.SUBMITTED),
        **dict.fromkeys((held, edited), State.HELD),
        rejected: State.REJECTED,
        conceded: State.CONCEDED,
    }
    assert "needs documents, assigned to Ben" in records[held].reason
    assert "until the case is edited" in records[edited].reason
    sent = {dispute: len(site.submissions(dispute)) for dispute in disputes}
    assert sent == {**dict.fromkeys(disputes, 0), **dict.fromkeys(submitted, 1)}
    assert not person.strayed
    person.leave()


def _ended_as_chosen(site: Lab, made: Monday, runs: list[Run], staged: int) -> None:
    """The records say what was chosen, and the sandbox was asked for that and nothing else."""
    for run in runs:
        run.wait_for_end()
    found: dict[str, Any] = {record.dispute: record.state for record in _records(site, runs)}
    assert {dispute: found[dispute] for dispute in made.choices} == {
        dispute: _ENDS[key] for dispute, key in made.choices.items()
    }
    after = [entry for entry in site.sandbox.journal()[staged:] if entry["changed"]]
    changed = [entry for entry in after if entry["operation"] != _TOKEN]
    assert Counter(entry["dispute"] for entry in changed) == Counter(made.chosen("s"))
    assert all(entry["submitted"] for entry in changed)
    assert not [entry for entry in changed if entry["dispute"] in made.without_case]
    assert len(made.inquiries) == INQUIRIES


def _records(site: Lab, runs: list[Run]) -> Iterator[Record]:
    for run in runs:
        yield from map(Record.from_dict, site.ana.xcom(run.dag_id, run.run_id, "submit"))
