"""A dispute is compared with its review by the check that precedes a submission."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispute_provider._evidence.record import Difference, Record, State
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot
from dispute_provider._ui.comparison import Match, changed, compare
from dispute_provider._workflow.sending.submit import refuse_submission

DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
DISPUTE = Dispute(
    provider="stripe", account=None, id="dp_1", stage="chargeback", status="needs_response", submissions=0,
    submitted=False, submitted_at=None, closed=None, due=DUE, amount=100, currency="usd", reason="fraudulent",
)  # fmt: skip
NAMES = ("customer_name", "receipt", "product_description", "service_date", "refund_policy")
texts = st.dictionaries(st.sampled_from(NAMES), st.text(min_size=1, max_size=20), min_size=1)


def holding(evidence: dict[str, str], **facts: Any) -> Snapshot:
    pieces = tuple(Evidence(name, text) for name, text in evidence.items())
    return Snapshot(replace(DISPUTE, **facts), pieces)


def staged(found: Snapshot) -> Record:
    differences = tuple(Difference(piece.name, "added", piece.sha256[:12]) for piece in found.evidence)
    record = Record("stripe", "stripe_default", "dp_1", State.STAGED, "staged", differences=differences)
    return record.seen(found)


@settings(max_examples=60)
@given(before=texts, after=texts)
def test_it_is_exact_just_where_a_submission_would_go_through(
    before: dict[str, str], after: dict[str, str]
) -> None:
    record, found = staged(holding(before)), holding(after)
    assert (compare(record, found).match == Match.EXACT) == (refuse_submission(record, found) is None)


@settings(max_examples=60)
@given(before=texts, after=texts)
def test_just_the_pieces_that_differ_are_named(before: dict[str, str], after: dict[str, str]) -> None:
    positions, gone = changed(staged(holding(before)), holding(after))
    assert {list(after)[position] for position in positions} == {
        name for name in after if after[name] != before.get(name)
    }
    assert set(gone) == set(before) - set(after)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"stage": "appeal"}, "Stage changed from Chargeback to Appeal."),
        ({"due": DUE + timedelta(days=1)}, "Due date changed from"),
    ],
)
def test_what_became_of_the_dispute_itself_is_said(facts: dict[str, Any], expected: str) -> None:
    evidence = {"customer_name": "Robin"}
    comparison = compare(staged(holding(evidence)), holding(evidence, **facts))
    assert comparison.match == Match.CHANGED
    [fact] = comparison.facts
    assert fact.startswith(expected)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"closed": "it was conceded"}, "it was conceded"),
        ({"due": datetime(2020, 1, 1, tzinfo=UTC)}, "the due date has passed"),
    ],
)
def test_what_takes_no_answer_is_over(facts: dict[str, Any], expected: str) -> None:
    found = holding({"customer_name": "Robin"}, **facts)
    comparison = compare(staged(found), found)
    assert comparison.match == Match.OVER
    assert comparison.facts[0].startswith(expected)


def test_an_inquiry_that_was_answered_and_became_a_chargeback() -> None:
    evidence = {"customer_name": "Robin"}
    record = staged(holding(evidence, stage="inquiry")).ended(State.SUBMITTED, "confirmed")
    comparison = compare(record, holding(evidence, submissions=1))
    assert comparison.match == Match.SENT
    assert comparison.facts[1:] == ("Stage changed from Inquiry to Chargeback.",)


def test_parts_of_structured_evidence_are_not_accused() -> None:
    before = Snapshot(DISPUTE, (Evidence("enhanced_evidence", value={"visa": {"a": "1"}}),))
    record = replace(
        staged(before), differences=(Difference("enhanced_evidence.visa", "added", "0" * 12),)
    ).seen(before)
    after = Snapshot(DISPUTE, (Evidence("enhanced_evidence", value={"visa": {"a": "2"}}),))
    assert compare(record, after).facts == ("The changed piece of evidence cannot be identified.",)
