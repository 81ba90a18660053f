"""Define the requests and answers of all measurements."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._contracts.request import Request
from dispute_provider.sandbox._objects.stripe import FILES, StripeCharge, StripeDispute

KEY = "sk_test_benchmark"
REQUESTS = 3
"""Requests per staged dispute of the other ways: read, write, read back. Ours needs no third one."""

EVIDENCE = {
    "customer_name": "Jane Roe",
    "customer_email_address": "jane.roe@example.com",
    "billing_address": "12 Mill Lane, 4020 Linz, Austria",
    "product_description": "One kettle, steel, 1.7 litres, with a built-in filter.",
    "shipping_address": "12 Mill Lane, 4020 Linz, Austria",
    "shipping_carrier": "Post",
    "shipping_date": "2026-10-02",
    "shipping_tracking_number": "RR 123 456 785 AT",
    "uncategorized_text": "Ordered on 1 October, sent on the 2nd, signed for by the customer on the 5th. "
    * 8,
}
EXPAND = ["charge", *(f"evidence.{name}" for name in FILES)]
"""Objects that staging reads with a dispute: its charge and its documents."""

_WEEK = 7 * 86_400
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Calls:
    """The requests that stage the evidence of one dispute."""

    read: Request
    write: Request

    @classmethod
    def of(cls, dispute: str) -> Calls:
        stripe = contract.load("stripe")
        return cls(
            Request.of(stripe["GetDisputesDispute"], dispute=dispute, expand=EXPAND),
            Request.of(stripe["PostDisputesDispute"], dispute=dispute, evidence=EVIDENCE, submit=False),
        )


def new_disputes(count: int) -> list[str]:
    """Return ids that no measurement has used, so that no evidence is staged there."""
    return [f"du_bench{next(_numbers):012}" for _ in range(count)]


def cases(disputes: list[str]) -> list[dict[str, Any]]:
    return [{"provider": "stripe", "dispute": dispute, "evidence": EVIDENCE} for dispute in disputes]


class Shop:
    """The server's data: the evidence of each dispute, and its rendered JSON."""

    def __init__(self) -> None:
        created = int(time.time())
        dispute = StripeDispute(
            id="{dispute}",
            account="acct_bench",
            livemode=False,
            created=created,
            amount=4900,
            currency="eur",
            reason="product_not_received",
            status="needs_response",
            due_by=created + _WEEK,
            charge="ch_bench",
            payment_intent="pi_bench",
            network_reason_code="13.1",
        )
        charge = StripeCharge(
            id="ch_bench", account="acct_bench", livemode=False, created=created, disputed=True
        )
        version = contract.load("stripe").document["info"]["version"]
        self._nothing = dispute.render(created, version)["evidence"]
        self._shown: dict[tuple[bool, bool], str] = {}
        for submitted in (False, True):
            if submitted:
                dispute.status = "under_review"
                dispute.submissions.append({"method": "manual"})
            shown = dispute.render(created, version)
            del shown["evidence"]
            self._shown[submitted, False] = json.dumps(shown)
            self._shown[submitted, True] = json.dumps(shown | {"charge": charge.render()})
        self._evidence: dict[str, str] = {}
        self.submissions: Counter[str] = Counter()

    def stage(self, dispute: str, evidence: dict[str, str]) -> None:
        self._evidence[dispute] = json.dumps(self._nothing | evidence)

    def show(self, dispute: str, *, expanded: bool) -> bytes:
        """Return a dispute as Stripe's JSON."""
        shown = self._shown[dispute in self.submissions, expanded].replace("{dispute}", dispute)
        evidence = self._evidence.get(dispute) or json.dumps(self._nothing)
        return f'{shown[:-1]}, "evidence": {evidence}}}'.encode()
