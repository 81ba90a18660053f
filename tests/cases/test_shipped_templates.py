"""The templates that ship: each is completed from full, scarce and hostile facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from disputes import snapshot

from dispute_provider._cases.completing import Completed, complete
from dispute_provider._cases.templates import SHIPPED, Template, Templates
from dispute_provider._contracts import contract
from dispute_provider._documents.letter_writer import LetterWriter
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.facts import facts_of
from dispute_provider._evidence.snapshot import Dispute

FULL: dict[str, Any] = {
    "customer": {"name": "Jane Roe", "email": "jane@example.com", "ip": "203.0.113.7"},
    "order": {"number": "10432", "date": "2026-03-01", "description": "1 brass lamp"},
    "shipment": {
        "carrier": "UPS",
        "date": "2026-03-03",
        "tracking_number": "1Z999AA10123456784",
        "address": "1 Main St, Springfield",
        "delivered_on": "2026-03-05",
        "signed_by": "J. Roe",
    },
    "access": {"date": "2026-03-01", "log": "2026-03-01 10:00 download"},
    "service": {"date": "2026-03-04"},
    "refund": {"disclosure": "Shown at checkout.", "refusal": "The 30 days had passed."},
    "duplicate": {"charge": "ch_2", "explanation": "The other payment was for order 10433."},
    "cancellation": {"disclosure": "Shown at sign-up.", "rebuttal": "No cancellation was received."},
    "complaint": {"answer": "We offered a replacement on 7 March 2026."},
}
SCARCE = {"order": FULL["order"], "customer": {"name": None, "email": ""}}
MARK = "{{ 7 * 7 }}{% raw %}<b>&#39;"
OPENING = "We contest the dispute of 12.00 USD for order 10432 of 1 March 2026: 1 brass lamp."
REASONS = [
    "fraudulent",
    "unrecognized",
    "product_not_received",
    "product_unacceptable",
    "credit_not_processed",
    "duplicate",
    "subscription_canceled",
    "general",
]
CODES = {
    "4837": "moov",
    "13.1": "moov-not-received",
    "10.4": "moov-card-absent-fraud",
    "12.6.1": "moov-duplicate",
    "13.2": "moov-cancelled",
    "13.3": "moov-not-as-described",
    "13.6": "moov-credit-not-processed",
}


@pytest.fixture(scope="module")
def writer() -> Iterator[LetterWriter]:
    with LetterWriter() as writer:
        yield writer


def dispute(provider: str, **facts: Any) -> Dispute:
    return snapshot("du_1", provider=provider, **facts).dispute


def hostile(facts: Any) -> Any:
    """Return facts with a text in Jinja's syntax in each text that is no date."""
    if isinstance(facts, dict):
        return {
            name: value if "date" in name or "_on" in name else hostile(value)
            for name, value in facts.items()
        }
    return f"{facts} {MARK}"


def templates() -> list[Template]:
    found = []
    for api in ("stripe", "moov"):
        for reason in [*REASONS, *CODES]:
            for product in ("physical", "digital", "service"):
                case = Case.parse({"provider": api, "dispute": "du_1", "facts": {}, "product": product})
                about = dispute(api, reason=reason, network_code=reason)
                found.append(Templates([]).choose(case, about))
    return list({each.name: each for each in found}.values())


def completed(template: Template, facts: Mapping[str, Any], writer: LetterWriter) -> Completed:
    data = {
        "provider": template.of.provider,
        "dispute": "du_1",
        "template": template.name,
        "facts": facts,
        # Longer facts than these make a document of a letter at Moov.
        "prepare": ["convert"],
    }
    about = facts_of(dispute(template.of.provider), {})
    return complete(Case.parse(data), template, {**facts, "dispute": about}, writer)


ALL = templates()


def test_every_shipped_template_is_chosen_for_some_dispute() -> None:
    from pathlib import Path

    names = {path.stem for path in Path(SHIPPED).glob("*.yaml")}
    assert {each.name for each in ALL} == names
    assert len(names) == 28


@pytest.mark.parametrize("code", CODES)
def test_a_network_code_is_matched_by_its_family(code: str) -> None:
    case = Case.parse({"provider": "moov", "dispute": "du_1", "facts": {}})
    assert Templates([]).choose(case, dispute("moov", network_code=code)).name == CODES[code]


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.name)
def test_full_scarce_and_hostile_facts(template: Template, writer: LetterWriter) -> None:
    full = completed(template, FULL, writer)
    assert full.missing == ()
    texts = {entry.name: entry.value for entry in full.case.evidence}
    letter = texts.get("uncategorized_text") or texts["cover-letter"]
    assert str(letter).startswith(OPENING)
    assert not any(sign in str(letter) for sign in ("{{", "{%", "  ", "None", "\n\n\n"))
    assert template.of.provider != "moov" or len(str(letter)) <= 750
    names = contract.load(template.of.provider).resolve(contract.load(template.of.provider).evidence)[
        "properties"
    ]
    assert texts.keys() <= names.keys()

    assert str(letter).endswith("We ask you to decide this dispute in our favour.")

    scarce = completed(template, SCARCE, writer)
    # A letter that only repeats the claim would admit it.
    assert not {"uncategorized_text", "cover-letter"} & {entry.name for entry in scarce.case.evidence}
    assert {"uncategorized_text", "cover-letter"} & {name for name, _ in scarce.missing}
    assert {entry.name for entry in scarce.case.evidence} <= texts.keys()
    for name, lacking in scarce.missing:
        assert name in texts
        assert not {"customer.email", "order.number"} <= set(lacking)

    for entry in completed(template, hostile(FULL), writer).case.evidence:
        assert str(entry.value).count(MARK) == str(entry.value).count("{{")
        assert "49" not in str(entry.value).replace("1Z999AA10123456784", "")


@pytest.mark.parametrize("name", ["stripe-physical", "moov"])
def test_the_items_of_an_order_take_the_place_of_its_description(name: str, writer: LetterWriter) -> None:
    [template] = [each for each in ALL if each.name == name]
    order = {"number": "10432", "date": "2026-03-01", "items": ["a lamp", "a bulb"]}
    found = completed(template, {"order": order, "shipment": FULL["shipment"]}, writer)
    texts = {entry.name: str(entry.value) for entry in found.case.evidence}
    letter = texts.get("uncategorized_text") or texts["cover-letter"]
    assert letter.startswith(
        "We contest the dispute of 12.00 USD for order 10432 of 1 March 2026: a lamp and a bulb."
    )
    assert texts.get("product_description", "a lamp and a bulb") == "a lamp and a bulb"
    lacking = completed(template, {"shipment": FULL["shipment"]}, writer)
    assert (
        "order.description"
        in dict(lacking.missing)["cover-letter" if name == "moov" else "uncategorized_text"]
    )


@pytest.mark.parametrize("name", ["stripe-fraudulent-digital", "stripe-product-not-received-service", "moov"])
def test_the_address_of_every_customer_makes_no_shipment(name: str, writer: LetterWriter) -> None:
    [template] = [each for each in ALL if each.name == name]
    facts = {**FULL, "shipment": {"address": "1 Main St, Springfield"}}
    found = completed(template, facts, writer)
    assert {"uncategorized_text", "cover-letter"} & {entry.name for entry in found.case.evidence}
    letter = next(
        str(each.value) for each in found.case.evidence if each.name in ("uncategorized_text", "cover-letter")
    )
    assert ("access" in letter, "provided" in letter) == (
        not name.endswith("-service"),
        not name.endswith("-digital"),
    )
