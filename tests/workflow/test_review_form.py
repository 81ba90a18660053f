"""The review form shows all that bears on the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from disputes import batch, record, snapshot
from msgspec.structs import replace

from dispute_provider._evidence.deadlines import BUFFER, review_end, threshold_reached
from dispute_provider._evidence.record import Difference
from dispute_provider._evidence.snapshot import Evidence, Snapshot, sha256_of
from dispute_provider._workflow.reviewing import review
from dispute_provider._workflow.reviewing.ending import Ending

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def body(held: Snapshot, ending: Ending | None = None, **more: object) -> str:
    return review.form([record(held, **more)], {held.dispute.id: held}, ending).body


@pytest.mark.parametrize(
    ("currency", "shown"),
    [
        ("usd", "12.00 USD disputed · 20.00 USD charged · 5.00 USD refunded"),
        ("jpy", "1,200 JPY disputed · 2,000 JPY charged · 500 JPY refunded"),
        ("kwd", "1.200 KWD disputed · 2.000 KWD charged · 0.500 KWD refunded"),
    ],
)
def test_the_form_shows_the_disputed_charged_and_refunded_amounts(currency, shown):
    assert f"| Amount | {shown} |" in body(snapshot("du_1", currency=currency, charged=2000, refunded=500))


def test_unknown_amounts_are_left_out():
    assert "| Amount | 12.00 USD |" in body(snapshot("du_1"))


def test_the_network_code_comes_with_its_description():
    held = snapshot("du_1", network_code="13.1", network_description="Not | received")
    assert "| Network reason code | 13.1 · Not \\| received |" in body(held)


@pytest.mark.parametrize(
    ("contacted", "shown_as"), [(True, "Yes"), (False, "**No**"), (None, "Not specified")]
)
@pytest.mark.parametrize("provider", ["stripe", "moov"])
def test_whether_the_customer_was_contacted_comes_with_the_guide_of_the_api(provider, contacted, shown_as):
    shown = body(snapshot("du_1", provider=provider), customer_contacted=contacted)
    assert f"| Customer contacted | {shown_as} · [" in shown
    assert f"](https://docs.{provider}." in shown


def test_warnings_come_first_in_bold():
    shown = body(snapshot("du_1"), warnings=("a fee of 500 USD", "the network *ignores* it"))
    assert shown.startswith("**a fee of 500 USD**\n\n**the network \\*ignores\\* it**\n\n**Submit this")
    records, snapshots = batch(2)
    warned = [record(snapshots["du_1"], warnings=("a fee",)), records[0]]
    assert review.form(warned, snapshots).body.startswith("**du\\_1: a fee**\n\n**Select which of these 2")


def test_the_form_gives_the_time_limit_in_utc_and_the_configured_zone():
    until = datetime(2026, 11, 30, 18, tzinfo=UTC)
    shown = body(snapshot("du_1"), Ending(until, ZoneInfo("Asia/Tokyo")))
    assert "Without an answer by **2026-11-30 18:00 UTC (2026-12-01 03:00 JST)**, nothing is sent" in shown
    assert "The dispute is lost if no evidence is submitted by **2026-12-01 00:00 UTC (09:00 JST)**" in shown
    assert "| Due by | 2026-12-01 00:00 UTC (09:00 JST) |" in shown
    assert "UTC (" not in body(snapshot("du_1"), Ending(until, ZoneInfo("Europe/London"))), (
        "the same in winter"
    )
    assert "policy small sums decides" in body(snapshot("du_1"), Ending(until, UTC, "small sums"))
    assert "gives no due date" in body(snapshot("du_1", due=None))


def test_the_form_recommends_an_early_answer_to_an_inquiry():
    shown = body(snapshot("du_1", stage="inquiry"))
    assert "Answer it early" in shown
    assert "Conceding does not settle an inquiry. A full refund does." in shown
    assert "refund" not in body(snapshot("du_1", stage="inquiry", provider="moov")), "Moov advises against it"
    assert "inquiry" not in body(snapshot("du_1"))


def test_the_form_shows_missing_evidence_and_used_limits():
    shown = body(
        snapshot("du_1"), verdict="weak", missing=("receipt: shows what was bought",), usage="3 of 49 pages"
    )
    assert "**Weak**. Missing evidence that would help:\n\n- Receipt\\: shows what was bought" in shown
    assert "3 of 49 pages" in shown


def test_a_text_shows_its_share_of_the_limit():
    text = "Signed for by the customer. 😀\n" * 9
    held = replace(snapshot("du_1"), evidence=(Evidence("uncategorized_text", text=text),))
    assert f"**Additional information** · {31 * 9} of 20,000 characters" in body(held)


def test_every_piece_of_evidence_shows_its_author():
    texts = {"kept": "a colleague's", "new": "ours", "mixed": "later than the staging"}
    evidence = [Evidence(name, text=text) for name, text in texts.items()]
    evidence += [Evidence("receipt", id="file_1"), Evidence("form", value={"a": {"b": "c"}, "d": {"e": "f"}})]
    held = Snapshot(snapshot("du_1").dispute, tuple(evidence))

    def start(text: str) -> str:
        return sha256_of(text)[:12]

    differences = (
        Difference("kept", "kept", start("the case's"), start("a colleague's")),
        Difference("new", "overwritten", start("ours"), start("what was there")),
        Difference("mixed", "added", start("what was staged"), None),
        Difference("receipt", "added", "d" * 12, None),
        Difference("form.a", "foreign", None, start("x")),
        Difference("form.d", "added", start("y"), None),
    )
    shown = body(held, differences=differences, documents={"file_1": "d" * 64})

    def line(name: str) -> str:
        return next(line for line in shown.split("\n") if line.startswith((f"| {name} ", f"**{name}**")))

    assert "**existing evidence kept; the case has different evidence**" in line("Kept")
    assert "**existing evidence overwritten**" in line("New")
    assert "**changed since staging**" in line("Mixed")
    assert " · " not in line("Receipt").partition("sha256")[2]
    assert "a **existing evidence, not from the case**" in line("Form")
    assert "### Changes made by staging" in shown
    assert f"| `{start('ours')}` | `{start('what was there')}` |" in shown


def test_without_foreign_evidence_there_is_no_table_of_differences():
    held = snapshot("du_1")
    differences = (Difference("uncategorized_text", "added", sha256_of("Delivered.")[:12], None),)
    shown = body(held, differences=differences)
    assert "added from the case" not in shown
    assert "### Changes made by staging" not in shown


def test_the_form_refers_to_the_evidence_tab_for_documents():
    held = snapshot("du_1")
    assert "**Evidence** tab" not in body(held)
    held = Snapshot(held.dispute, (*held.evidence, Evidence("receipt", id="file_1")))
    assert "Open **Disputes** in the navigation" in body(held)


def test_a_batch_has_a_verdict_column_where_there_are_verdicts_and_totals_per_currency():
    records, snapshots = batch(2)
    assert "| Verdict |" not in review.form(records, snapshots).body
    snapshots["du_2"] = snapshot("du_2", currency="jpy", amount=7)
    records = [record(held, verdict="ready") for held in snapshots.values()]
    shown = review.form(records, snapshots).body
    assert "| Verdict |" in shown
    assert "Total: 7 JPY + 3.00 USD" in shown


def test_a_review_ends_the_buffer_before_the_earliest_due_date_and_later_only_where_that_has_begun():
    soon, later = NOW + timedelta(days=2), NOW + timedelta(days=9)
    assert review_end([later, None, soon], BUFFER, NOW) == soon - BUFFER
    assert review_end([None], BUFFER, NOW) is None
    assert review_end([NOW + timedelta(hours=1)], BUFFER, NOW) == NOW + timedelta(minutes=55)
    assert review_end([NOW + timedelta(minutes=1)], BUFFER, NOW) == NOW + timedelta(minutes=1)
    almost = NOW + BUFFER + timedelta(seconds=1)
    assert review_end([almost], BUFFER, NOW) == almost - timedelta(minutes=5), "not a review of one second"


@pytest.mark.parametrize(
    ("left", "last_reminder", "reached"),
    [
        (73, None, None),
        (72, None, 72),
        (71, 72, None),
        (20, 72, 24),
        (5, None, 8),
        (5, 8, None),
        (0, None, None),
    ],
)
def test_one_reminder_replaces_all_that_were_missed(left, last_reminder, reached):
    assert threshold_reached(NOW + timedelta(hours=left), [72, 24, 8], last_reminder, NOW) == reached
    assert threshold_reached(NOW + timedelta(hours=left), [], last_reminder, NOW) is None
