"""Make disputes of both APIs, and a case for each."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.documents import letter

APIS = ("stripe", "moov")
_LARGEST_CHUNK = 250
_LEAST_CHUNKS = 5

_SPACE = uuid.UUID("8c9a4d0e-5ca1-4e00-8000-000000000000")
_DUE_IN = 7 * 86_400


@dataclass(frozen=True, eq=False)
class Batch:
    """The disputes of one run.

    :param name: names the folder of their cases.
    :param disputes: the API of each dispute, by its id.
    """

    name: str
    disputes: dict[str, str]

    @classmethod
    def of(cls, name: str, count: int) -> Batch:
        """Return a batch with three fifths of its disputes at Stripe, two fifths at Moov."""
        at_moov = count * 2 // 5
        stripe = [f"du_{name}{number:06}" for number in range(count - at_moov)]
        moov = [str(uuid.uuid5(_SPACE, f"{name} {number}")) for number in range(at_moov)]
        return cls(name, {**dict.fromkeys(stripe, "stripe"), **dict.fromkeys(moov, "moov")})

    @property
    def chunk(self) -> int:
        """The number of disputes of one chunk."""
        return min(_LARGEST_CHUNK, -(-len(self.disputes) // (len(APIS) * _LEAST_CHUNKS)))

    def made(self) -> list[dict[str, Any]]:
        """Return the disputes as the sandbox accepts them."""
        about = {
            "stripe": {"currency": "usd", "reason": "fraudulent"},
            "moov": {"currency": "USD", "networkReasonCode": "13.1"},
        }
        return [
            {"api": api, "id": dispute, "amount": 4_900, "due_in": _DUE_IN, **about[api]}
            for dispute, api in self.disputes.items()
        ]

    def write_cases(self, root: Path) -> None:
        """Write a folder for each case, with one document."""
        for dispute, api in self.disputes.items():
            folder = root / self.name / api / dispute
            folder.mkdir(parents=True)
            (folder / "document.pdf").write_bytes(letter("Record", f"Of the payment {dispute}."))
            case = {
                "provider": api,
                "dispute": dispute,
                "product": "digital",
                "evidence": evidence(dispute, api),
            }
            (folder / "case.json").write_text(json.dumps(case))


def evidence(dispute: str, api: str) -> dict[str, Any]:
    """Return all evidence that suits the reason; every text names its dispute."""
    if api == "moov":
        return {
            "proof-of-delivery": {"file": "document.pdf"},
            "customer-communication": f"The customer wrote of {dispute} that the parcel had come.",
        }
    return {
        "customer_name": "Robin Larsen",
        "customer_email_address": "robin@example.com",
        "customer_purchase_ip": "203.0.113.24",
        "access_activity_log": f"The customer of the payment {dispute} logged in on four days after it.",
        "receipt": {"file": "document.pdf"},
    }
