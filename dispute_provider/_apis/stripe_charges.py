"""Stripe's charges: what Visa Compelling Evidence 3.0 has to be compared with."""

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
    """Read the payments that a claim names, and say which conditions of the programme are not met.

    :raises ApiError: if one of them cannot be read for another reason than that there is none.
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
            continue  # nothing that could be an id
        charges[charge_id] = charge_from(answer.data)
    return unmet(dispute, claim, charges)


def charge_from(data: Mapping[str, Any]) -> Charge:
    """A charge from the API's answer; one card number has one fingerprint, however often it is saved."""
    card = (data.get("payment_method_details") or {}).get("card") or {}
    created, paid = data.get("created"), data.get("paid")
    return Charge(
        id=data["id"],
        created=None if created is None else datetime.fromtimestamp(created, UTC),
        paid=paid and data.get("status") in (None, "succeeded"),
        disputed=data.get("disputed"),
        method=card.get("fingerprint") or data.get("payment_method"),
    )
