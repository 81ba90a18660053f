"""Names as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from dispute_provider._contracts import contract
from dispute_provider._explain.labels import label


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("product_not_received", "Product not received"),
        ("response-needed", "Response needed"),
        ("networkReasonCode", "Network reason code"),
        ("disputeID", "Dispute ID"),
        ("transferIDs", "Transfer IDs"),
        ("receipt_url", "Receipt URL"),
        ("avs_check", "AVS check"),
        ("cvc", "CVC"),
        ("3ds_version", "3DS version"),
        ("visa_debit", "Visa debit"),
        ("submitted-differs", "Submitted differs"),
        ("shipping.address_city", "Shipping › Address city"),
        ("MERCHANDISE_OR_SERVICE_NOT_RECEIVED", "Merchandise or service not received"),
        ("NO_CVV", "No CVV"),
    ],
)
def test_a_name_follows_the_rule(name: str, expected: str) -> None:
    assert label(name) == expected


@pytest.mark.parametrize(
    "text", ["10.4", "4853", "UA02", "C08", "MC_4853", "NO", "Goods not as described", "", "–", "won’t pay"]
)
def test_text_that_is_not_a_name_is_unchanged(text: str) -> None:
    assert label(text) == text


@pytest.mark.parametrize(
    ("api", "name", "expected"),
    [
        ("stripe", "customer_purchase_ip", "Customer's IP address"),
        ("stripe", "warning_needs_response", "Inquiry needs response"),
        ("stripe", "visa_compelling_evidence_3", "Visa Compelling Evidence 3.0"),
        ("stripe", "needs_response", "Needs response"),
        ("stripe", "appeal/card/reason_for_filing", "Appeal › Card › Reason for the appeal"),
        (
            "stripe",
            "enhanced_evidence.visa_compliance.fee_acknowledged",
            "Evidence for network programs › Visa compliance › Fee accepted",
        ),
        ("moov", "cancelation-policy", "Cancellation policy"),
        ("moov", "pre-dispute", "Pre-dispute"),
    ],
)
def test_labels_of_a_contract_take_precedence(api: str, name: str, expected: str) -> None:
    assert label(name, api) == expected


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_every_name_of_a_contract_reads_as_text(api: str) -> None:
    document = contract.load(api).document
    names = {name for part in ("paths", "components") for name in _names(document[part])}
    assert len(names) > 50
    odd = {name: label(name, api) for name in names if not _reads_as_text(label(name, api))}
    assert not odd


def _reads_as_text(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Z0-9][\w .’'/,-]*", text)) and not re.search(
        r"_|[a-z][A-Z]", text.replace("PayPal", "")
    )


def _names(node: Any) -> Iterator[str]:
    """The enum values and the names of the fields of a contract that are names, not examples."""
    if isinstance(node, list):
        for item in node:
            yield from _names(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("properties"), dict):
        yield from node["properties"]
    for keyword in ("enum", "x-knownValues"):
        if isinstance(node.get(keyword), list):
            yield from (value for value in node[keyword] if value and isinstance(value, str))
    for keyword, inner in node.items():
        if keyword not in ("example", "examples"):
            yield from _names(inner)
