"""Sixty disputes of both APIs, as they wait on a Monday."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from demo.cases import SHOP
from tests.harness.documents import receipt
from tests.harness.lab import Lab

CONNECTIONS = ("stripe_default", "stripe_shop", "moov_default")
COUNT, TODAY, INQUIRIES, WITHOUT_CASE, COLLEAGUES = 60, 5, 4, 3, 2
_HOUR, _DAY = 3600, 86_400
_SALES = (
    ("usd", 4_999, "fraudulent", "10.4", "Road atlas, two volumes"),
    ("eur", 12_000, "product_not_received", "13.1", "Desk lamp, brass"),
    ("jpy", 8_400, "product_unacceptable", "13.3", "Tea bowl, grey glaze"),
    ("gbp", 2_250, "unrecognized", "10.4", "Rain coat, size M"),
)


@dataclass(frozen=True)
class Monday:
    """The disputes, by id.

    :param choices: the key of what the reviewer chooses about each dispute that has a case.
    """

    choices: dict[str, str]
    without_case: list[str]
    today: list[str]
    inquiries: list[str]
    colleagues: list[str]
    counts: Counter[str] = field(default_factory=Counter)

    def chosen(self, key: str) -> list[str]:
        return [dispute for dispute, choice in self.choices.items() if choice == key]


def make(lab: Lab) -> Monday:
    """Make the disputes and their cases."""
    day = Monday({}, [], [], [], [])
    for number in range(COUNT):
        connection = CONNECTIONS[number % len(CONNECTIONS)]
        due = (5 + 3 * number) * _HOUR if number < TODAY else (3 + number % 9) * _DAY + number * 600
        is_inquiry = connection.startswith("stripe") and len(day.inquiries) < INQUIRIES and number >= TODAY
        has_colleague = (
            connection == "stripe_default" and len(day.colleagues) < COLLEAGUES and number > COUNT // 2
        )
        dispute = _dispute(lab, number, connection, due, is_inquiry, has_colleague)
        if number < TODAY:
            day.today.append(dispute)
        if is_inquiry:
            day.inquiries.append(dispute)
        if has_colleague:
            day.colleagues.append(dispute)
        if number >= COUNT - WITHOUT_CASE:
            day.without_case.append(dispute)
            continue
        _case(lab, number, connection, dispute)
        day.choices[dispute] = {11: "r", 23: "e", 37: "h"}.get(number, "s")
        day.counts[connection] += 1
    return day


def _dispute(
    lab: Lab, number: int, connection: str, due: float, is_inquiry: bool, has_colleague: bool
) -> str:
    currency, amount, reason, code, _ = _SALES[number % len(_SALES)]
    fields: dict[str, Any] = {"amount": amount + 10 * number, "due_in": due}
    if connection == "moov_default":
        return str(lab.sandbox.create_dispute(api="moov", **fields)["id"])
    if connection == "stripe_shop":
        fields["account"] = SHOP
    if is_inquiry:
        fields["status"] = "warning_needs_response"
    if has_colleague:
        fields["evidence"] = {"product_description": "As described on the shop's page. (Ben)"}
    made = lab.sandbox.create_dispute(
        api="stripe", currency=currency, reason=reason, network_reason_code=code, **fields
    )
    return str(made["id"])


def _case(lab: Lab, number: int, connection: str, dispute: str) -> None:
    currency, amount, _, _, what = _SALES[number % len(_SALES)]
    api = connection.partition("_")[0]
    folder = lab.cases / dispute
    folder.mkdir()
    pdf = receipt("Corner Shop", f"CS-{number}", "2 November 2026", "Noor Haddad", [(what, amount)], currency)
    (folder / "receipt.pdf").write_bytes(pdf)
    texts = {
        "stripe": {
            "customer_name": "Noor Haddad",
            "product_description": f"{what}.",
            "shipping_tracking_number": f"NW44719{number:04d}",
        },
        "moov": {"cover-letter": f"{what}: delivered and signed for on 4 November 2026."},
    }[api]
    case = {
        "provider": api,
        "dispute": dispute,
        "prepared_by": "Ben",
        "customer_contacted": True,
        "product": "physical",
        "evidence": {**texts, "receipt": {"file": "receipt.pdf"}},
    }
    (folder / "case.json").write_text(json.dumps(case))
