"""Stripe's charges: the disputed ones, and the earlier ones of the same customers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dispute_provider.sandbox._accounts import STRIPE_ACCOUNT
from dispute_provider.sandbox._objects.stripe import CARD, StripeCharge, StripeDispute
from dispute_provider.sandbox._state import World

DAY = 86400


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
            fingerprint=CARD if dispute.payment_method == "card" else None,
            payment_intent=dispute.payment_intent,
        )
    world.charges[dispute.charge].disputed = True
