"""Model Stripe's disputes, files and charges, and render them for answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LONG_TEXT = (
    "access_activity_log", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "duplicate_charge_explanation", "product_description", "refund_policy_disclosure",
    "refund_refusal_explanation", "uncategorized_text",
)  # fmt: skip
SHORT_TEXT = (
    "billing_address", "customer_email_address", "customer_name", "customer_purchase_ip",
    "duplicate_charge_id", "service_date", "shipping_address", "shipping_carrier", "shipping_date",
    "shipping_tracking_number",
)  # fmt: skip
FILES = (
    "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation",
    "receipt", "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
)  # fmt: skip
EVIDENCE_KEYS = sorted((*LONG_TEXT, *SHORT_TEXT, *FILES))
CLOSED = frozenset({"won", "lost", "warning_closed", "prevented"})
ANSWERABLE = {
    "needs_response": "under_review",
    "warning_needs_response": "warning_under_review",
    "appeal_needs_response": "appeal_under_review",
}
FILE_LIFE = 274 * 86400
"""Nine months, in seconds."""
CARD = "sandboxCard00001"
"""The default fingerprint of a card."""


@dataclass(slots=True)
class StripeFile:
    id: str
    account: str
    livemode: bool
    created: int
    purpose: str
    filename: str
    content: bytes
    type: str
    pages: int

    def render(self, base_url: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "created": self.created,
            "expires_at": self.created + FILE_LIFE,
            "filename": self.filename,
            "links": None,
            "purpose": self.purpose,
            "size": len(self.content),
            "title": None,
            "type": {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}[self.type],
            "url": f"{base_url}/v1/files/{self.id}/contents",
        }


@dataclass(slots=True)
class StripeDispute:
    id: str
    account: str
    livemode: bool
    created: int
    amount: int
    currency: str
    reason: str
    status: str
    due_by: int | None
    charge: str
    payment_intent: str | None
    brand: str = "visa"
    case_type: str = "chargeback"
    network_reason_code: str | None = "10.4"
    enhanced_eligibility_types: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    outcome: str | None = None
    """The decision after a submission, unless its text determines it: won, lost or escalate."""
    intended_submission_method: str | None = "manual"
    """With any value but ``manual``, staged evidence is submitted automatically at the due date; None if the
    account has no Smart Disputes."""
    shows_submission_method: bool = True
    """Whether answers have ``intended_submission_method``; which versions omit it is not documented."""
    payment_method: str = "card"
    submissions: list[dict[str, Any]] = field(default_factory=list)
    stage_submitted: bool = False
    withdrawn: bool = False
    """Whether the amount has been withdrawn (never for an inquiry)."""

    def __post_init__(self) -> None:
        self.evidence = {**dict.fromkeys(EVIDENCE_KEYS), "enhanced_evidence": {}, **self.evidence}
        self.withdrawn = self.stage != "inquiry"

    @property
    def stage(self) -> str:
        prefix = self.status.split("_", 1)[0]
        return {"warning": "inquiry", "appeal": "appeal"}.get(prefix, "chargeback")

    def past_due(self, now: float) -> bool:
        return bool(self.due_by) and now > (self.due_by or 0) and not self.stage_submitted

    def has_evidence(self) -> bool:
        return any(map(_says_something, self.evidence.values()))

    def for_the_bank(self, evidence: dict[str, Any]) -> dict[str, Any]:
        """Return the evidence that a submission sends: the appeal at the appeal stage, otherwise the rest."""
        at_appeal = self.stage == "appeal"
        return {
            name: value
            for name, value in evidence.items()
            if (name == "appeal") == at_appeal and _says_something(value)
        }

    def render(self, now: float, version: str) -> dict[str, Any]:
        """Return the dispute in an API version's form; no version hides later fields."""
        details: dict[str, Any] = {
            "due_by": self.due_by,
            "enhanced_eligibility": self._eligibility(),
            "has_evidence": self.has_evidence(),
            "past_due": self.past_due(now),
            "submission_count": len(self.submissions),
            "submission_method": self.submissions[-1]["method"] if self.submissions else "not_submitted",
        }
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": self._balance_transactions(),
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "enhanced_eligibility_types": list(self.enhanced_eligibility_types),
            "evidence": dict(self.evidence),
            "evidence_details": details,
            "is_charge_refundable": self.stage == "inquiry",
            "livemode": self.livemode,
            "metadata": dict(self.metadata),
            "payment_intent": self.payment_intent,
            "payment_method_details": self._payment_method_details(),
            "reason": self.reason,
            "status": self.status,
        }
        if self.shows_submission_method:
            shown["intended_submission_method"] = self.intended_submission_method
        if version < "2014-12-08":
            shown["evidence"] = self.evidence.get("uncategorized_text") or ""
        if version < "2024-09-30":
            transactions = shown["balance_transactions"]
            shown["balance_transaction"] = transactions[0]["id"] if transactions else None
        return shown

    def _payment_method_details(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "card": {
                "brand": self.brand,
                "case_type": self.case_type,
                "network": self.brand,
                "network_reason_code": self.network_reason_code,
            },
            "amazon_pay": {"dispute_type": self.case_type},
            "klarna": {"chargeback_loss_reason_code": None, "reason_code": self.network_reason_code},
            "paypal": {"case_id": f"PP-{self.id}", "reason_code": self.network_reason_code},
        }
        return {self.payment_method: about[self.payment_method], "type": self.payment_method}

    def _balance_transactions(self) -> list[dict[str, Any]]:
        if not self.withdrawn:
            return []
        taken = self._balance_transaction("1", -self.amount, 1500)
        return [taken, self._balance_transaction("2", self.amount, 0)] if self.status == "won" else [taken]

    def _balance_transaction(self, suffix: str, amount: int, fee: int) -> dict[str, Any]:
        return {
            "id": f"txn_{self.id.partition('_')[2] or self.id}_{suffix}",
            "object": "balance_transaction",
            "amount": amount,
            "available_on": self.created,
            "balance_type": "payments",
            "created": self.created,
            "currency": self.currency,
            "description": f"Dispute of {self.charge}",
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [],
            "net": amount - fee,
            "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
            "source": self.id,
            "status": "available",
            "type": "adjustment",
        }

    def _eligibility(self) -> dict[str, Any]:
        enhanced = self.evidence.get("enhanced_evidence") or {}
        eligibility: dict[str, Any] = {}
        for kind in self.enhanced_eligibility_types:
            given = enhanced.get(kind) or {}
            if kind == "visa_compelling_evidence_3":
                missing = _missing(given)
                eligibility[kind] = {
                    "required_actions": missing,
                    "status": "requires_action" if missing else "qualified",
                }
            else:
                agreed = given.get("fee_acknowledged")
                eligibility[kind] = {
                    "status": "fee_acknowledged" if agreed else "requires_fee_acknowledgement"
                }
        return eligibility


def _says_something(value: Any) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, dict) else bool(value)


def _missing(claim: dict[str, Any]) -> list[str]:
    disputed = claim.get("disputed_transaction") or {}
    prior = claim.get("prior_undisputed_transactions") or []
    identifiers = ("customer_purchase_ip", "customer_device_id", "customer_device_fingerprint")
    checks = {
        "missing_customer_identifiers": any(disputed.get(name) for name in identifiers),
        "missing_disputed_transaction_description": disputed.get("product_description"),
        "missing_merchandise_or_services": disputed.get("merchandise_or_services"),
        "missing_prior_undisputed_transactions": len(prior) == 2,
        "missing_prior_undisputed_transaction_description": prior
        and all(item.get("product_description") for item in prior),
    }
    return [name for name, met in checks.items() if not met]


@dataclass(slots=True)
class StripeCharge:
    id: str
    account: str
    livemode: bool
    created: int
    amount: int = 2500
    amount_refunded: int = 0
    currency: str = "usd"
    paid: bool = True
    disputed: bool = False
    payment_method: str | None = "pm_sandbox"
    brand: str = "visa"
    fingerprint: str | None = CARD
    """The same for all charges of one card; None for other payment methods."""
    receipt_email: str | None = "jo@example.com"
    receipt_number: str | None = "2044-7710"
    payment_intent: str | None = None

    def render(self) -> dict[str, Any]:
        paid_with: dict[str, Any] = {"type": "card" if self.fingerprint else "link"}
        if self.fingerprint:
            paid_with["card"] = {"brand": self.brand, "fingerprint": self.fingerprint, "last4": "4242"}
        return {
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount if self.paid else 0,
            "amount_refunded": self.amount_refunded,
            "billing_details": {
                "address": None,
                "email": self.receipt_email,
                "name": "Jo Doe",
                "phone": None,
            },
            "captured": self.paid,
            "created": self.created,
            "currency": self.currency,
            "customer": None,
            "description": None,
            "disputed": self.disputed,
            "livemode": self.livemode,
            "metadata": {},
            "paid": self.paid,
            "payment_intent": self.payment_intent,
            "payment_method": self.payment_method,
            "payment_method_details": paid_with,
            "receipt_email": self.receipt_email,
            "receipt_number": self.receipt_number,
            "refunded": self.amount_refunded >= self.amount,
            "status": "succeeded" if self.paid else "failed",
        }


def payment_intent(dispute: StripeDispute) -> dict[str, Any] | None:
    """Return the payment of the disputed charge, for ``expand``."""
    if dispute.payment_intent is None:
        return None
    return {
        "id": dispute.payment_intent,
        "object": "payment_intent",
        "amount": dispute.amount,
        "amount_received": dispute.amount,
        "created": dispute.created - 86400,
        "currency": dispute.currency,
        "customer": None,
        "latest_charge": dispute.charge,
        "livemode": dispute.livemode,
        "metadata": {},
        "status": "succeeded",
    }
