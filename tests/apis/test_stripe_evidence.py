"""Evidence is sent to Stripe in the form in which Stripe holds it: nested, and with whole lists."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispute_provider._apis.stripe_evidence import held, sendable
from dispute_provider._contracts import contract

STRIPE = contract.load("stripe")
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
file_id = st.from_regex(r"file_[A-Za-z0-9]{1,24}", fullmatch=True)
nothing: st.SearchStrategy[Any] = st.none()
card = st.fixed_dictionaries(
    {},
    optional={
        "reason_for_filing": text | nothing,
        "supporting_files": st.lists(file_id, max_size=4) | nothing,
    },
)
stored = st.fixed_dictionaries(
    {},
    optional={
        "customer_name": text | nothing,
        "receipt": file_id | nothing,
        "enhanced_evidence": st.just({}) | st.just({"visa_compliance": {"fee_acknowledged": True}}),
        "appeal": st.fixed_dictionaries({}, optional={"card": card | nothing}) | nothing,
    },
)


def without_nothing(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {name: without_nothing(each) for name, each in value.items()}
    return {name: each for name, each in kept.items() if each not in (None, "", {}, [])}


@given(stored=stored)
def test_evidence_survives_the_round_trip(stored: dict[str, Any]) -> None:
    assert sendable(STRIPE, held(STRIPE, stored)) == without_nothing(stored)


def test_each_document_of_an_appeal_is_a_separate_piece() -> None:
    stored = {"appeal": {"card": {"reason_for_filing": "Why.", "supporting_files": ["file_1", "file_2"]}}}
    assert [(piece.name, piece.text, piece.id) for piece in held(STRIPE, stored)] == [
        ("appeal/card/reason_for_filing", "Why.", None),
        ("appeal/card/supporting_files", None, "file_1"),
        ("appeal/card/supporting_files", None, "file_2"),
    ]


def test_members_of_a_later_version_are_read_but_not_sent() -> None:
    stored = {"appeal": {"klarna": {"note": "x"}, "card": {"stance": "y", "reason_for_filing": "Why."}}}
    pieces = list(held(STRIPE, stored))
    assert {piece.name for piece in pieces} == {
        "appeal/klarna",
        "appeal/card/stance",
        "appeal/card/reason_for_filing",
    }
    assert sendable(STRIPE, pieces) == {"appeal": {"card": {"reason_for_filing": "Why."}}}
