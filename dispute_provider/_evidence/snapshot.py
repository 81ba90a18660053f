"""Model a dispute and its evidence at one moment, in terms that all APIs share. Pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

# Hexadecimal digits, so 40 bits: enough to distinguish a dispute's few dozen pieces, and short to store.
_MARK_LENGTH = 10
_SHOWN_DIGEST = 12
# The reason of a dispute for which the API gives none.
UNKNOWN_REASON = "unknown"

canonical_json: Callable[[Any], bytes] = msgspec.json.Encoder(order="sorted").encode
"""Return a value's canonical JSON in UTF-8: keys sorted, without spaces or escapes."""


class Programme(msgspec.Struct, frozen=True, gc=False):
    """A dispute's status in one of the networks' programmes, in the API's terms.

    :param status: ``qualified``, ``requires_fee_acknowledgement``, …; None if the API does not report it.
    :param required: what is still required for it to qualify.
    """

    name: str
    status: str | None = None
    required: tuple[str, ...] = ()


class Dispute(msgspec.Struct, frozen=True, gc=False):
    """A dispute as its API reports it.

    :param account: the account that owns it; None for the connection's account, or for an API without
        accounts.
    :param stage: ``inquiry``, ``chargeback``, ``appeal``, …; each can be answered once.
    :param submissions: how many times evidence has been submitted.
    :param submitted: whether the current stage has been answered.
    :param submitted_at: when it was answered, if the API reports it; any change of it shows a submission.
    :param closed: why it can no longer be answered; None if it can.
    :param due: when the answer must have arrived.
    :param amount: minor currency units.
    :param network_description: the API's description of the network code.
    :param merchant: the merchant who made the sale, if the API reports it.
    :param url: its page in the API's dashboard.
    :param charged: amount of the disputed charge in minor currency units, if the charge was read too.
    :param refunded: the refunded part of it, in minor currency units.
    :param automatic: how the API will submit the staged evidence automatically; None if it will not.
    :param automatic_known: whether the API reports automatic submission; if not, ``automatic`` is None but
        the API may still submit.
    :param unsupported: why this package cannot answer the stage, and where to answer it; None if it can.
    :param charge: the API's id of the disputed charge.
    :param payment_method: how the customer paid: ``card``, ``klarna``, …
    :param programmes: the networks' programmes that accept structured evidence for it.
    """

    provider: str
    account: str | None
    id: str
    stage: str
    status: str
    submissions: int
    submitted: bool
    submitted_at: str | None
    closed: str | None
    due: datetime | None
    amount: int
    currency: str
    reason: str
    network_code: str | None = None
    network_description: str | None = None
    network: str | None = None
    merchant: str | None = None
    live: bool | None = None
    url: str | None = None
    notes: tuple[str, ...] = ()
    charged: int | None = None
    refunded: int | None = None
    automatic: str | None = None
    automatic_known: bool = True
    unsupported: str | None = None
    charge: str | None = None
    payment_method: str | None = None
    programmes: tuple[Programme, ...] = ()

    def past_due(self, now: datetime | None = None) -> bool:
        return self.due is not None and self.due <= (now or datetime.now(UTC))

    def is_at(self, stage: str | None, due: datetime | None) -> bool:
        """Return whether it is still at a stage; a reopened stage has the same name and another due date."""
        return self.stage == stage and (self.due is None or due is None or self.due == due)


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One piece of evidence on a dispute.

    :param id: the API's immutable id of a document; None for texts.
    :param item: the API's id of the piece, whether text or document, if it has one.
    :param size: bytes.
    :param expires: when the API deletes a document; None if it does not.
    """

    name: str
    text: str | None = None
    value: Mapping[str, Any] | None = None
    id: str | None = None
    filename: str | None = None
    size: int | None = None
    content_type: str | None = None
    item: str | None = None
    expires: datetime | None = None

    def __repr__(self) -> str:
        """Omit the value: customer text must not be logged."""
        return f"Evidence({self.name!r}, id={self.id!r}, item={self.item!r})"

    @property
    def content(self) -> str | Mapping[str, Any] | None:
        """Return its text or structured object; for a document the API's id."""
        return self.text if self.text is not None else self.value or self.id

    @property
    def sha256(self) -> str:
        """Return the sha256 of its content."""
        return sha256_of(self.content)

    @property
    def mark(self) -> str:
        """Return a short name by which the piece is recognised later."""
        return self.item or sha256_of([self.name, self.content])[:_MARK_LENGTH]


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A dispute with all the evidence that a submission would send now."""

    dispute: Dispute
    evidence: tuple[Evidence, ...]
    request_id: str | None = None

    def manifest(self, documents: Mapping[str, str]) -> dict[str, Any]:
        """Return everything that a submission would send, in canonical form; a reviewer approves its digest.

        :param documents: sha256 of the documents whose bytes are known, by the API's document id.
        """
        dispute = self.dispute
        return {
            "provider": dispute.provider,
            "account": dispute.account,
            "dispute": dispute.id,
            "stage": dispute.stage,
            "due": dispute.due.isoformat() if dispute.due else None,
            "submissions": dispute.submissions,
            "evidence": sorted(
                [_manifest_entry(entry, documents) for entry in self.evidence], key=canonical_json
            ),
        }

    def digest(self, documents: Mapping[str, str]) -> str:
        """Return the sha256 of the canonical manifest, in hexadecimal."""
        return sha256_of(self.manifest(documents))


def contents(evidence: Iterable[Evidence]) -> dict[str, Any]:
    """Return the content of evidence by name; a list for several pieces of the same name."""
    found: dict[str, list[Any]] = {}
    for piece in evidence:
        found.setdefault(piece.name, []).append(piece.content)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _manifest_entry(entry: Evidence, documents: Mapping[str, str]) -> dict[str, Any]:
    if entry.id is None:
        return {"name": entry.name, "content": entry.text if entry.text is not None else entry.value}
    if entry.id in documents:
        return {"name": entry.name, "sha256": documents[entry.id]}
    return {"name": entry.name, "id": entry.id}


def differing_names(before: Snapshot, after: Snapshot, documents: Mapping[str, str]) -> list[str]:
    """Return the sorted names of the evidence that differs between two readings."""

    def entries(snapshot: Snapshot) -> Counter[bytes]:
        return Counter(map(canonical_json, snapshot.manifest(documents)["evidence"]))

    one, other = entries(before), entries(after)
    return sorted({json.loads(entry)["name"] for entry in (one - other) + (other - one)})


def sha256_of(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def short_digest(digest: str | None) -> str:
    """Return the start of a digest, for display and for differences; empty for None."""
    return (digest or "")[:_SHOWN_DIGEST]
