"""Collect the facts about a dispute that templates can use without asking. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispute_provider._evidence.snapshot import Dispute

# Attributes of a dispute that are facts as they are.
_SAME = (
    "id",
    "stage",
    "reason",
    "amount",
    "currency",
    "network",
    "network_code",
    "network_description",
    "charge",
    "payment_method",
)
NAMES = (*_SAME, "due")
"""The names of the facts that the disputes of every API have."""


def facts_of(dispute: Dispute, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about a dispute, by name; those that the API does not report are None.

    :param more: what the API reports about the payment.
    """
    return {
        **{name: getattr(dispute, name) for name in _SAME},
        "due": dispute.due.date().isoformat() if dispute.due else None,
        **more,
    }
