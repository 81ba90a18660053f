"""Create Stripe's charges: disputed ones, and earlier ones of the same customers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dispute_provider.sandbox._accounts import STRIPE_ACCOUNT
from dispute_provider.sandbox._objects.stripe import CARD, StripeCharge, StripeDispute
from dispute_provider.sandbox._state import World

DAY = 86400


def create(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """Create a charge from its fields, with ``created`` in Unix seconds.

    :raises ValueError: for an unknown field or an invalid value.
    """
    known = {each.name for each in fields(StripeCharge)}
    if unknown := given.keys() - known:
        raise ValueError(f"unknown charge field {', '.join(sorted(unknown))}")
    number = next(world.sequence)
    defaults = {"id": f"ch_sandbox{number:08d}", "livemode": False, "created": int(world.clock.now())}
    account = world.add_account("stripe", given.get("account") or STRIPE_ACCOUNT).id
    charge = StripeCharge(**{**defaults, **given, "account": account})
    if charge.id in world.charges:
        raise ValueError(f"charge {charge.id} already exists")
    world.charges[charge.id] = charge
    return charge.render()


def mark_disputed(world: World, dispute: StripeDispute) -> None:
    """Mark a dispute's charge as disputed; create the charge if it does not exist."""
    if dispute.charge not in world.charges:
        world.charges[dispute.charge] = StripeCharge(
            id=dispute.charge,
            account=dispute.account,
            livemode=dispute.livemode,
            created=dispute.created - DAY,
            amount=dispute.amount,
            currency=dispute.currency,
            brand=dispute.brand,
            fingerprint=CARD if dispute.payment_method == "card" else None,
            payment_intent=dispute.payment_intent,
        )
    world.charges[dispute.charge].disputed = True
