"""Group evidence in the order in which a bank reads it. Pure."""

from __future__ import annotations

from dispute_provider._contracts import contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, fields

SUMMARY, TRANSACTION, DELIVERY = "Summary", "Transaction", "Delivery and use"
POLICIES, COMMUNICATION, MORE = "Policies", "Communication", "More evidence"
ORDER = (SUMMARY, TRANSACTION, DELIVERY, POLICIES, COMMUNICATION, MORE)
# The sections of the trigger form, from x-section in the contracts.
_SECTIONS = {
    "Appeal": SUMMARY,
    "Customer": TRANSACTION,
    "Product": TRANSACTION,
    "Purchase": TRANSACTION,
    "Compelling evidence": TRANSACTION,
    "Duplicate charge": TRANSACTION,
    "Shipping": DELIVERY,
    "Delivery": DELIVERY,
    "Service": DELIVERY,
    "Refund and cancellation": POLICIES,
    "Summary": SUMMARY,
    "Policies": POLICIES,
}


def group_of(name: str, api: str, *, is_text: bool) -> str:
    """Return the group of a piece of evidence, one of :data:`ORDER`.

    A text without a section is taken for the summary, because the APIs have no other field for it.

    :param name: the API's name of the evidence, or its path.
    :param is_text: whether the piece is a text; otherwise it is a document.
    """
    if "communication" in name:
        return COMMUNICATION
    known = fields(contract.load(api))
    section = known.get(name, {}).get("x-section") or known.get(name.partition(SEPARATOR)[0], {}).get(
        "x-section"
    )
    if section is None and name.partition(SEPARATOR)[0] != name:
        return SUMMARY
    return _SECTIONS.get(section or "", SUMMARY if is_text else MORE)
