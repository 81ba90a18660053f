"""Convert Stripe's dispute object to a :class:`Dispute`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dispute_provider._apis.stripe_evidence import without_nothing
from dispute_provider._contracts.encoding import segment
from dispute_provider._evidence.snapshot import UNKNOWN_REASON, Dispute, Programme

_ANSWERABLE = {"needs_response", "warning_needs_response", "appeal_needs_response"}
_UNDER_REVIEW = {"under_review", "warning_under_review", "appeal_under_review"}
_CLOSED = {
    "won": "it is decided: won",
    "lost": "it is decided: lost",
    "warning_closed": "the inquiry is closed",
    "prevented": "it was resolved before it became a dispute",
}
_DECIDED = ("won", "lost")
_DASHBOARD = "https://dashboard.stripe.com"


def dispute_of(data: Mapping[str, Any], account: str | None, *, live: bool) -> Dispute:
    """Convert a dispute.

    :param data: the API's object, validated against the contract.
    :param account: the account that it was read from; None for the key's own account.
    :param live: whether the connection is in live mode.
    """
    paid = data.get("payment_method_details") or {}
    card = paid.get("card") or {}
    charge = data["charge"] if isinstance(data.get("charge"), Mapping) else {}
    method = data.get("intended_submission_method")
    details = data["evidence_details"]
    status, due = data["status"], details["due_by"]
    return Dispute(
        provider="stripe",
        account=account,
        id=data["id"],
        stage=_stage(status, card.get("case_type"), appealed=_has_appeal(data)),
        status=status,
        submissions=details["submission_count"],
        submitted=status in _UNDER_REVIEW,
        submitted_at=None,
        closed=_CLOSED.get(status) or (None if due else "the API accepts no response to it"),
        due=datetime.fromtimestamp(due, UTC) if due else None,
        amount=data["amount"],
        currency=data["currency"],
        reason=data.get("reason") or UNKNOWN_REASON,
        network_code=card.get("network_reason_code") or data.get("network_reason_code"),
        network=card.get("network") or card.get("brand"),
        live=data.get("livemode"),
        url=dashboard_url(data["id"], account, live=live),
        charged=charge.get("amount"),
        refunded=charge.get("amount_refunded"),
        automatic=method if method != "manual" else None,
        # null: the account has no Smart Disputes. Absent: unknown.
        automatic_known="intended_submission_method" in data and method != "",
        unsupported=_unsupported(status),
        charge=charge.get("id") or data.get("charge"),
        payment_method=paid.get("type"),
        programmes=_programmes(data),
    )


def may_be_open(status: str | None) -> bool:
    """Return whether a dispute may still need a response. An unknown status counts as open."""
    return status not in _UNDER_REVIEW | _CLOSED.keys()


def dashboard_url(dispute: str, account: str | None, *, live: bool) -> str:
    """Return the URL of a dispute in Stripe's Dashboard."""
    parts = [account, None if live else "test", "disputes", dispute]
    return "/".join([_DASHBOARD, *map(segment, filter(None, parts))])


def _unsupported(status: str) -> str | None:
    """Return why this package cannot answer a dispute; None if it can."""
    if status in _ANSWERABLE or not may_be_open(status):
        return None
    return f"its status, {status[:60]}, is unknown to this version. To do: open it in the Stripe Dashboard"


def _stage(status: str, case_type: str | None, *, appealed: bool) -> str:
    """Return the stage of a dispute. For a decided dispute, it is the last one.

    :param appealed: whether the dispute has evidence for an appeal, which only that stage accepts.
    """
    if status.startswith("warning_"):
        return "inquiry"
    if status.startswith("appeal_") or (appealed and status in _DECIDED):
        return "appeal"
    return "chargeback" if case_type in (None, "inquiry") else case_type


def _has_appeal(data: Mapping[str, Any]) -> bool:
    return bool(without_nothing((data.get("evidence") or {}).get("appeal")))


def _programmes(data: Mapping[str, Any]) -> tuple[Programme, ...]:
    eligibility = data["evidence_details"].get("enhanced_eligibility") or {}
    names = dict.fromkeys([*(data.get("enhanced_eligibility_types") or ()), *eligibility])
    standing = {name: eligibility.get(name) or {} for name in names}
    return tuple(
        Programme(name, each.get("status"), tuple(each.get("required_actions") or ()))
        for name, each in standing.items()
    )
