"""Model Moov's disputes, evidence and tokens, and render them for answers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from dispute_provider.sandbox._clock import iso

EVIDENCE_TYPES = (
    "receipt", "proof-of-delivery", "cancelation-policy", "terms-of-service", "customer-communication",
    "generic-evidence", "cover-letter", "other",
)  # fmt: skip
STATUSES = (
    "response-needed", "resolved", "under-review", "closed", "accepted", "expired", "won", "lost",
)  # fmt: skip
PHASES = ("pre-dispute", "inquiry", "chargeback", "unknown")
FILE_TYPES = ("application/pdf", "image/jpeg", "image/tiff")
MAX_FILE = 4_000_000
MAX_TEXT = 750


@dataclass(slots=True)
class Token:
    """An access or refresh token."""

    kind: str
    scopes: frozenset[str]
    expires: float


@dataclass(slots=True)
class MoovEvidence:
    dispute: str
    type: str
    created: float
    updated: float
    text: str | None = None
    filename: str | None = None
    mime_type: str | None = None
    content: bytes | None = None
    submitted: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def render(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "evidenceID": self.id,
            "disputeID": self.dispute,
            "evidenceType": self.type,
            **self._substance(),
            "createdOn": iso(self.created),
            "updatedOn": iso(self.updated),
        }
        if self.submitted is not None:
            shown["submittedOn"] = iso(self.submitted)
        return shown

    def render_created(self) -> dict[str, Any]:
        """Return the shorter form in the answer to an upload."""
        return {
            "evidenceID": self.id,
            "disputeID": self.dispute,
            "evidenceType": self.type,
            **self._substance(),
            "createdOn": iso(self.created),
        }

    def _substance(self) -> dict[str, Any]:
        if self.content is None:
            return {"text": self.text}
        return {"mimeType": self.mime_type, "filename": self.filename, "size": len(self.content)}


@dataclass(slots=True)
class MoovDispute:
    id: str
    account: str
    """The platform's account, which is part of its path."""
    merchant: str
    created: float
    amount: int
    currency: str
    network_reason_code: str
    transfer: str
    respond_by: float
    status: str
    phase: str
    cardholder: str | None = None
    network_reason_description: str | None = None
    outcome: str | None = None
    """The decision after a submission: won, lost, closed or resolved; None for no decision."""
    submitted: float | None = None
    submissions: list[dict[str, Any]] = field(default_factory=list)
    evidence: dict[str, MoovEvidence] = field(default_factory=dict)

    def render(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "disputeID": self.id,
            "merchantAccountID": self.merchant,
            "amount": {"currency": self.currency, "value": self.amount},
            "networkReasonCode": self.network_reason_code,
            "transfer": {"transferID": self.transfer},
            "respondBy": iso(self.respond_by),
            "status": self.status,
            "phase": self.phase,
            "createdOn": iso(self.created),
        }
        if self.network_reason_description is not None:
            shown["networkReasonDescription"] = self.network_reason_description
        if self.submitted is not None:
            shown["submittedOn"] = iso(self.submitted)
        return shown
