"""Visa Compelling Evidence 3.0: whether a case ties its dispute to two earlier, undisputed payments. Pure."""

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
# Calendar days in UTC, both included.
_YOUNGEST, _OLDEST = 120, 365
_SHORTEST = {"customer_device_fingerprint": 20, "customer_device_id": 15}
_ADDRESS = ("line1", "city", "state", "postal_code", "country")

_STATUSES = {
    "qualified": f"the API finds that the dispute qualifies for {TITLE}",
    "requires_action": f"the API would take {TITLE} if the case had more",
    "not_qualified": f"the API finds that the dispute does not qualify for {TITLE}",
}
_ACTIONS = {
    "missing_customer_identifiers": "what identifies the customer, such as IP address and device",
    "missing_disputed_transaction_description": "what was sold in the disputed payment",
    "missing_merchandise_or_services": "whether merchandise or services were sold",
    "missing_prior_undisputed_transaction_description": "what was sold in the earlier payments",
    "missing_prior_undisputed_transactions": "two earlier, undisputed payments",
}


class Charge(msgspec.Struct, frozen=True):
    """A payment, as the API holds it.

    Of ``created``, ``paid`` and ``disputed``, None stands for what the API does not say.

    :param paid: whether the money was taken.
    :param disputed: whether it has ever been disputed.
    :param method: what tells one card or account from another; None where the API does not say.
    """

    id: str
    created: datetime | None
    paid: bool | None
    disputed: bool | None
    method: str | None = None


def claim_of(enhanced: Mapping[str, Any] | None) -> Claim | None:
    """What structured evidence has for this programme; None where it does not take part."""
    return (enhanced or {}).get(PROGRAMME) or None


def charges_of(dispute: Dispute, claim: Claim) -> list[str]:
    """Ids of the payments that have to be read before anything can be said: the disputed and the earlier."""
    ids = [dispute.charge, *(prior.get("charge") for prior in _priors(claim))]
    return list(dict.fromkeys(str(each) for each in ids if each))


def unmet(dispute: Dispute, claim: Claim, charges: Mapping[str, Charge]) -> list[str]:
    """Every condition of the programme that is not met, a sentence each, without the customer's data.

    :param claim: the case's ``visa_compelling_evidence_3``.
    :param charges: by id, those that :func:`charges_of` names and that the API knows.
    """
    return [
        *_of_dispute(dispute),
        *_of_priors(dispute, claim, charges),
        *(problem for label, payment in _payments(claim) for problem in _of_payment(label, payment)),
        *_of_kind(claim),
        *_of_matches([payment for _, payment in _payments(claim)]),
    ]


def standing(dispute: Dispute) -> str | None:
    """What the API itself says about the dispute and this programme; None if it says nothing."""
    found = next((each for each in dispute.programmes if each.name == PROGRAMME), None)
    if found is None or found.status is None:
        return None
    said = _STATUSES.get(found.status, f"the API says of {TITLE}: {found.status}")
    wanted = "; ".join(_ACTIONS.get(each, each) for each in found.required)
    return f"{said}: {wanted}" if wanted else said


def _priors(claim: Claim) -> Sequence[Claim]:
    return claim.get("prior_undisputed_transactions") or ()


def _payments(claim: Claim) -> list[tuple[str, Claim]]:
    earlier = [(f"earlier payment {at}", prior) for at, prior in enumerate(_priors(claim), 1)]
    return [("the disputed payment", claim.get("disputed_transaction") or {}), *earlier]


def _of_dispute(dispute: Dispute) -> Iterator[str]:
    if dispute.network != "visa":
        yield f"the card is of {dispute.network or 'an unknown network'}, and the programme is Visa's"
    if longest_match([_CODE], dispute.network_code or "") is None:
        code = dispute.network_code or "unknown"
        yield f"the network's reason code is {code}, and the programme is for {_CODE}"


def _of_priors(dispute: Dispute, claim: Claim, charges: Mapping[str, Charge]) -> Iterator[str]:
    priors = _priors(claim)
    if len(priors) != _PRIORS:
        yield f"exactly {_PRIORS} earlier payments are needed, and the case names {len(priors)}"
    named = [str(prior.get("charge", "")) for prior in priors]
    if len(set(named)) != len(named):
        yield "the earlier payments are one and the same charge"
    disputed = charges.get(dispute.charge or "")
    if disputed is None:
        yield "the disputed charge cannot be read, so nothing can be compared with it"
    for at, charge_id in enumerate(named, 1):
        label = f"earlier payment {at}"
        if charge_id == dispute.charge:
            yield f"{label} is the disputed charge itself"
        elif (charge := charges.get(charge_id)) is None:
            yield f"{label} is no charge that the API knows"
        else:
            yield from _of_charge(label, charge, disputed)


def _of_charge(label: str, charge: Charge, disputed: Charge | None) -> Iterator[str]:
    if charge.paid is None:
        yield f"the API does not say whether {label} was paid"
    elif not charge.paid:
        yield f"{label} was not paid"
    if charge.disputed is None:
        yield f"the API does not say whether {label} was disputed"
    elif charge.disputed:
        yield f"{label} was disputed as well"
    if disputed is None:
        return
    if charge.method is None or charge.method != disputed.method:
        yield f"{label} was not made with the same card or account"
    if disputed.created is None or charge.created is None:
        yield f"the API does not say when {label} and the disputed payment were made"
        return
    days = (disputed.created.astimezone(UTC).date() - charge.created.astimezone(UTC).date()).days
    if not _YOUNGEST <= days <= _OLDEST:
        older = f"{_YOUNGEST} to {_OLDEST}"
        yield f"{label} is {days} days older than the disputed one, and has to be {older}"


def _of_payment(label: str, payment: Claim) -> Iterator[str]:
    if not _text(payment.get("product_description")):
        yield f"{label} has no product_description"
    for name, least in _SHORTEST.items():
        if (value := payment.get(name)) and len(value) < least:
            yield f"{label} has a {name} of {len(value)} characters, and {least} are needed"
    address = payment.get("shipping_address") or {}
    if address and (lacking := [name for name in _ADDRESS if not _text(address.get(name))]):
        yield f"{label} has a shipping_address without {', '.join(lacking)}"


def _of_kind(claim: Claim) -> Iterator[str]:
    if not (claim.get("disputed_transaction") or {}).get("merchandise_or_services"):
        yield "the disputed payment does not say merchandise_or_services"


def _of_matches(payments: Sequence[Claim]) -> Iterator[str]:
    main = [label for label, names in _MAIN.items() if any(_is_same(payments, name) for name in names)]
    others = [label for label, name in _OTHERS.items() if _is_same(payments, name)]
    if len(main) < 2 and not (main and others):
        same = " and ".join([*main, *others]) or "nothing"
        yield (
            f"the same in all payments: {same}; needed: {' and '.join(_MAIN)}, or one of these and one of "
            f"{', '.join(_OTHERS)}"
        )


# A device's id and its fingerprint count as one.
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
    """Whether it is given in every payment, there is more than one, and it is the same in all."""
    spelt: Callable[[Any], Any] = _spelling(name)
    values = [spelt(payment.get(name)) for payment in payments]
    return len(values) > 1 and bool(values[0]) and all(value == values[0] for value in values)


def _spelling(name: str) -> Callable[[Any], Any]:
    """How values are compared: of addresses neither capitals nor outer spaces count."""
    if name == "shipping_address":
        return lambda value: {key: _text(item).casefold() for key, item in (value or {}).items() if item}
    if name in ("customer_email_address", "customer_purchase_ip"):
        return lambda value: _text(value).casefold()
    return _text


def _text(value: Any) -> str:
    return str(value or "").strip()
