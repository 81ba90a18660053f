"""Convert Moov's dispute object to a :class:`Dispute`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dispute_provider._contracts.encoding import segment
from dispute_provider._evidence.snapshot import UNKNOWN_REASON, Dispute

_CLOSED = {
    "accepted": "it was accepted, which is final",
    "expired": "its due date has passed",
    "closed": "the issuer reversed it",
    "resolved": "it was resolved before it became a dispute",
    "won": "it is decided: won",
    "lost": "it is decided: lost",
}
_DASHBOARD = "https://dashboard.moov.io"


def dispute_of(data: Mapping[str, Any], account: str, *, live: bool) -> Dispute:
    """Convert a dispute.

    :param data: the API's object, validated against the contract.
    :param account: the connection's account.
    :param live: whether the connection is in production mode.
    """
    status, phase, submitted_on = data["status"], data["phase"], data.get("submittedOn")
    closed = _CLOSED.get(status)
    if phase == "pre-dispute":
        closed = closed or "a pre-dispute is resolved by the network and accepts no evidence"
    elif closed is None and status not in ("response-needed", "under-review"):
        closed = "its status is unknown to this version"
    return Dispute(
        provider="moov",
        account=account,
        id=data["disputeID"],
        stage=phase,
        status=status,
        submissions=1 if submitted_on else 0,
        submitted=status == "under-review",
        submitted_at=submitted_on,
        closed=closed,
        due=datetime.fromisoformat(data["respondBy"]),
        amount=data["amount"]["value"],
        currency=data["amount"]["currency"].lower(),
        reason=data.get("networkReasonDescription") or data.get("networkReasonCode") or UNKNOWN_REASON,
        network_code=data.get("networkReasonCode"),
        network_description=data.get("networkReasonDescription"),
        merchant=data.get("merchantAccountID"),
        live=live,
        url=dashboard_url(account, data["disputeID"]),
        charge=(data.get("transfer") or {}).get("transferID"),
    )


def dashboard_url(account: str, dispute: str) -> str:
    """Return the URL of a dispute in Moov's Dashboard."""
    return f"{_DASHBOARD}/accounts/{segment(account)}/disputes/{segment(dispute)}"
