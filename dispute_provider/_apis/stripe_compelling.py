"""Check the conditions of Visa Compelling Evidence 3.0: two earlier, undisputed payments that match. Pure.

The conditions are those on https://docs.stripe.com/disputes/api/visa-ce3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from dispute_provider._evidence.completeness import longest_match
from dispute_provider._evidence.snapshot import Dispute

Claim = Mapping[str, Any]

PROGRAMME = "visa_compelling_evidence_3"
TITLE = "Visa Compelling Evidence 3.0"
_CODE = "10.4"
_PRIORS = 2
# Calendar days in UTC, both inclusive.
_YOUNGEST, _OLDEST = 120, 365
_SHORTEST = {"customer_device_fingerprint": 20, "customer_device_id": 15}
_ADDRESS = ("line1", "city", "state", "postal_code", "country")

_STATUSES = {
    "qualified": f"according to the API, the dispute qualifies for {TITLE}",
    "requires_action": f"according to the API, {TITLE} requires more evidence",
    "not_qualified": f"according to the API, the dispute does not qualify for {TITLE}",
}
_ACTIONS = {
    "missing_customer_identifiers": "identifiers of the customer, such as IP address and device",
    "missing_disputed_transaction_description": "a description of the product in the disputed payment",
    "missing_merchandise_or_services": "whether merchandise or services were sold",
    "missing_prior_undisputed_transaction_description": "descriptions of the product in the earlier payments",
    "missing_prior_undisputed_transactions": "two earlier, undisputed payments",
}


class Charge(msgspec.Struct, frozen=True):
    """A payment. None stands for a value that the API did not return.

    :param created: when the payment was made.
    :param paid: whether the payment succeeded.
    :param disputed: whether the payment was ever disputed.
    :param method: identifies the card or account that paid.
    """

    id: str
    created: datetime | None
    paid: bool | None
    disputed: bool | None
    method: str | None = None


def claim_of(enhanced: Mapping[str, Any] | None) -> Claim | None:
    """Return the part of structured evidence that is for this program; None if there is none."""
    return (enhanced or {}).get(PROGRAMME) or None


def charges_of(dispute: Dispute, claim: Claim) -> list[str]:
    """Return the ids of the payments to read: the disputed one and the earlier ones."""
    ids = [dispute.charge, *(prior.get("charge") for prior in _priors(claim))]
    return list(dict.fromkeys(str(each) for each in ids if each))


def unmet(dispute: Dispute, claim: Claim, charges: Mapping[str, Charge]) -> list[str]:
    """Return every condition that is not met, as text without customer data; empty if all are met.

    :param claim: the case's ``visa_compelling_evidence_3``.
    :param charges: the existing charges among those that :func:`charges_of` returns, by id.
    """
    return [
        *_of_dispute(dispute),
        *_of_priors(dispute, claim, charges),
        *(problem for label, payment in _payments(claim) for problem in _of_payment(label, payment)),
        *_of_kind(claim),
        *_of_matches([payment for _, payment in _payments(claim)]),
    ]


def standing(dispute: Dispute) -> str | None:
    """Return the API's own assessment of the dispute for this program; None if there is none."""
    found = next((each for each in dispute.programmes if each.name == PROGRAMME), None)
    if found is None or found.status is None:
        return None
    assessment = _STATUSES.get(found.status, f"status for {TITLE}: {found.status}")
    required = "; ".join(_ACTIONS.get(each, each) for each in found.required)
    return f"{assessment}: {required}" if required else assessment


def _priors(claim: Claim) -> Sequence[Claim]:
    return claim.get("prior_undisputed_transactions") or ()


def _payments(claim: Claim) -> list[tuple[str, Claim]]:
    earlier = [(f"earlier payment {at}", prior) for at, prior in enumerate(_priors(claim), 1)]
    return [("the disputed payment", claim.get("disputed_transaction") or {}), *earlier]


def _of_dispute(dispute: Dispute) -> Iterator[str]:
    if dispute.network != "visa":
        yield f"the network is {dispute.network or 'unknown'}, but must be visa"
    if longest_match([_CODE], dispute.network_code or "") is None:
        code = dispute.network_code or "unknown"
        yield f"the reason code is {code}, but must be {_CODE}"


def _of_priors(dispute: Dispute, claim: Claim, charges: Mapping[str, Charge]) -> Iterator[str]:
    priors = _priors(claim)
    if len(priors) != _PRIORS:
        yield f"exactly {_PRIORS} earlier payments are required, but the case has {len(priors)}"
    named = [str(prior.get("charge", "")) for prior in priors]
    if len(set(named)) != len(named):
        yield "the earlier payments are the same charge"
    disputed = charges.get(dispute.charge or "")
    if disputed is None:
        yield "the disputed charge cannot be read, so it cannot be compared with the earlier ones"
    for at, charge_id in enumerate(named, 1):
        label = f"earlier payment {at}"
        if charge_id == dispute.charge:
            yield f"{label} is the disputed charge itself"
        elif (charge := charges.get(charge_id)) is None:
            yield f"{label} is not an existing charge"
        else:
            yield from _of_charge(label, charge, disputed)


def _of_charge(label: str, charge: Charge, disputed: Charge | None) -> Iterator[str]:
    if charge.paid is None:
        yield f"it is unknown whether {label} was paid"
    elif not charge.paid:
        yield f"{label} was not paid"
    if charge.disputed is None:
        yield f"it is unknown whether {label} was disputed"
    elif charge.disputed:
        yield f"{label} was disputed, too"
    if disputed is None:
        return
    if charge.method is None or charge.method != disputed.method:
        yield f"{label} was not made with the same card or account"
    if disputed.created is None or charge.created is None:
        yield f"it is unknown when {label} or the disputed payment was made"
        return
    days = (disputed.created.astimezone(UTC).date() - charge.created.astimezone(UTC).date()).days
    if not _YOUNGEST <= days <= _OLDEST:
        yield f"{label} is {days} days older than the disputed one, but must be {_YOUNGEST} to {_OLDEST}"


def _of_payment(label: str, payment: Claim) -> Iterator[str]:
    if not _text(payment.get("product_description")):
        yield f"{label} has no product_description"
    for name, least in _SHORTEST.items():
        if (value := payment.get(name)) and len(value) < least:
            yield f"{label} has a {name} of {len(value)} characters, but needs at least {least}"
    address = payment.get("shipping_address") or {}
    if address and (lacking := [name for name in _ADDRESS if not _text(address.get(name))]):
        yield f"{label} has a shipping_address without {', '.join(lacking)}"


def _of_kind(claim: Claim) -> Iterator[str]:
    if not (claim.get("disputed_transaction") or {}).get("merchandise_or_services"):
        yield "the disputed payment has no merchandise_or_services"


def _of_matches(payments: Sequence[Claim]) -> Iterator[str]:
    main = [label for label, names in _MAIN.items() if any(_is_same(payments, name) for name in names)]
    others = [label for label, name in _OTHERS.items() if _is_same(payments, name)]
    if len(main) < 2 and not (main and others):
        same = " and ".join([*main, *others]) or "none"
        yield (
            f"the same in all payments: {same}; required: {' and '.join(_MAIN)}, or one of them and one of "
            f"{', '.join(_OTHERS)}"
        )


# The id and the fingerprint of a device count as one.
_MAIN = {
    "IP address": ("customer_purchase_ip",),
    "device": ("customer_device_id", "customer_device_fingerprint"),
}
_OTHERS = {
    "shipping address": "shipping_address",
    "email address": "customer_email_address",
    "account": "customer_account_id",
}


def _is_same(payments: Sequence[Claim], name: str) -> bool:
    """Return whether a field is present in every payment, and equal in all. One payment is not enough."""
    normalized: Callable[[Any], Any] = _normalizer(name)
    values = [normalized(payment.get(name)) for payment in payments]
    return len(values) > 1 and bool(values[0]) and all(value == values[0] for value in values)


def _normalizer(name: str) -> Callable[[Any], Any]:
    """Return a function that normalizes values: in addresses, case and surrounding spaces don't matter."""
    if name == "shipping_address":
        return lambda value: {key: _text(item).casefold() for key, item in (value or {}).items() if item}
    if name in ("customer_email_address", "customer_purchase_ip"):
        return lambda value: _text(value).casefold()
    return _text


def _text(value: Any) -> str:
    return str(value or "").strip()
