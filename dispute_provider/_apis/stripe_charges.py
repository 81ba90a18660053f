"""Read Stripe charges: those that Visa Compelling Evidence 3.0 refers to, and the facts of a disputed one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dispute_provider._apis.api import Api
from dispute_provider._apis.stripe_compelling import Charge, Claim, charges_of, unmet
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider.exceptions import InvalidRequestError, NotFoundError


async def unmet_by(api: Api, dispute: Dispute, claim: Claim, account: str | None = None) -> list[str]:
    """Read the charges that a claim refers to, and return the conditions that are not met.

    :raises ApiError: if a charge cannot be read, for another reason than that it does not exist.
    """
    charges: dict[str, Charge] = {}
    for charge_id in charges_of(dispute, claim):
        try:
            answer: Answer = await api.call("GetChargesCharge", account, charge=charge_id)
        except NotFoundError:
            continue
        except InvalidRequestError as error:
            if not error.violations:
                raise
            continue  # the id is malformed
        charges[charge_id] = charge_from(answer.data)
    return unmet(dispute, claim, charges)


def charge_from(data: Mapping[str, Any]) -> Charge:
    """Read a charge. Stripe gives each card number one fingerprint, however often the card is saved."""
    card = (data.get("payment_method_details") or {}).get("card") or {}
    created, paid = data.get("created"), data.get("paid")
    return Charge(
        id=data["id"],
        created=None if created is None else datetime.fromtimestamp(created, UTC),
        paid=paid and data.get("status") in (None, "succeeded"),
        disputed=data.get("disputed"),
        method=card.get("fingerprint") or data.get("payment_method"),
    )


def payment_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a charge that templates can use.

    :param data: the API's object, validated against the contract.
    """
    created, card = data.get("created"), (data.get("payment_method_details") or {}).get("card") or {}
    return {
        "charged": data.get("amount"),
        "refunded": data.get("amount_refunded"),
        "charged_on": None if created is None else datetime.fromtimestamp(created, UTC).date().isoformat(),
        "description": data.get("description"),
        "receipt_number": data.get("receipt_number"),
        "receipt_email": data.get("receipt_email"),
        "card": card.get("brand"),
        "billing": data.get("billing_details") or {},
    }
