"""Stripe's charges: the disputed ones, and the earlier ones of the same customers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from dispute_provider.sandbox.objects.stripe import StripeDispute
from dispute_provider.sandbox.state import STRIPE_ACCOUNT, World

DAY = 86400
_CARD = "sandboxCard00001"


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
    fingerprint: str | None = _CARD
    """The same for all charges of one card; null for what is no card."""
    receipt_email: str | None = "jo@example.com"
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
            "refunded": self.amount_refunded >= self.amount,
            "status": "succeeded" if self.paid else "failed",
        }


def create(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """Make a charge from its fields, `created` in Unix seconds. Raises ValueError on what cannot be."""
    known = {each.name for each in fields(StripeCharge)}
    if unknown := given.keys() - known:
        raise ValueError(f"a charge has no {', '.join(sorted(unknown))}")
    number = next(world.sequence)
    defaults = {"id": f"ch_sandbox{number:08d}", "livemode": False, "created": int(world.clock.now())}
    account = world.add_account("stripe", given.get("account") or STRIPE_ACCOUNT).id
    charge = StripeCharge(**{**defaults, **given, "account": account})
    if charge.id in world.charges:
        raise ValueError(f"there is a charge {charge.id}")
    world.charges[charge.id] = charge
    return charge.render()


def have_disputed(world: World, dispute: StripeDispute) -> None:
    """Have a dispute's charge there, and disputed. One that was set up before stays as it is otherwise."""
    if dispute.charge not in world.charges:
        world.charges[dispute.charge] = StripeCharge(
            id=dispute.charge,
            account=dispute.account,
            livemode=dispute.livemode,
            created=dispute.created - DAY,
            amount=dispute.amount,
            currency=dispute.currency,
            brand=dispute.brand,
            fingerprint=_CARD if dispute.payment_method == "card" else None,
            payment_intent=dispute.payment_intent,
        )
    world.charges[dispute.charge].disputed = True
