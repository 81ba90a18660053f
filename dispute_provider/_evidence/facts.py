"""Collect the facts about a dispute that templates can use without asking. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispute_provider._evidence.snapshot import Dispute


def facts_of(dispute: Dispute, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about a dispute, by name; those that the API does not report are None.

    :param more: what the API reports about the payment.
    """
    return {
        "id": dispute.id,
        "stage": dispute.stage,
        "reason": dispute.reason,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "network": dispute.network,
        "network_code": dispute.network_code,
        "network_description": dispute.network_description,
        "due": dispute.due.date().isoformat() if dispute.due else None,
        "charge": dispute.charge,
        "payment_method": dispute.payment_method,
        **more,
    }
