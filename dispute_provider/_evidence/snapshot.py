"""A dispute and its evidence as an API holds them at one moment, in terms that all APIs share."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

# Forty bits: no two of a dispute's few dozen pieces ever meet, and a hundred thousand disputes have marks.
_MARK_LENGTH = 10
_SHOWN_DIGEST = 12
# Stands for the reason of a dispute for which the API gives none.
UNKNOWN_REASON = "unknown"
_canonical = msgspec.json.Encoder(order="sorted")


class Programme(msgspec.Struct, frozen=True, gc=False):
    """How a dispute stands in one of the networks' programmes, in the API's own words.

    :param status: ``qualified``, ``requires_fee_acknowledgement``, …; None where the API does not say.
    :param required: what is missing still.
    """

    name: str
    status: str | None = None
    required: tuple[str, ...] = ()


class Dispute(msgspec.Struct, frozen=True, gc=False):
    """What is disputed, by when it must be answered, and whether it still can be.

    :param account: the account whose dispute it is: Stripe Connect account, Moov platform account; None for
        the connection's own.
    :param stage: ``inquiry``, ``chargeback``, ``appeal``, … : each may be answered once.
    :param submissions: how many times evidence was submitted before.
    :param submitted: whether this stage was answered already.
    :param submitted_at: when, where the API says so; any change of it is a submission.
    :param closed: why it can no longer be answered, None if it can.
    :param due: when the answer must have arrived.
    :param amount: minor currency units.
    :param network_description: what the network code means, in the API's words.
    :param merchant: whose sale it was, where the API says so.
    :param url: its page in the API's own dashboard.
    :param charged: minor currency units of the charge that is disputed, where it was read along.
    :param refunded: of these, what was paid back.
    :param automatic: how the API is going to submit by itself what is staged, None if it is not.
    :param automatic_known: whether the API says if it submits by itself what is staged; where it does not,
        ``automatic`` is None and proves nothing.
    :param unsupported: why this stage has to be answered elsewhere, with what to do; None if it can be
        answered here.
    :param charge: the API's id of the charge that is disputed.
    :param payment_method: how it was paid: ``card``, ``klarna``, …
    :param programmes: the networks' programmes that take structured evidence for it.
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
        """Whether it is still at a stage: one that is opened again has its name, and another due date."""
        return self.stage == stage and (self.due is None or due is None or self.due == due)


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One piece of evidence that an API holds.

    :param id: the API's immutable id of a document; None for texts.
    :param item: the API's id of the piece itself, texts included, where it has one.
    :param size: bytes.
    :param expires: when the API forgets a document, if it does.
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
        """Without what it says: that belongs in no log."""
        return f"Evidence({self.name!r}, id={self.id!r}, item={self.item!r})"

    @property
    def content(self) -> str | Mapping[str, Any] | None:
        """What it says; of a document, the API's id of it."""
        return self.text if self.text is not None else self.value or self.id

    @property
    def sha256(self) -> str:
        """Of its content."""
        return sha256_of(self.content)

    @property
    def mark(self) -> str:
        """What it is recognised by later, when nothing but marks is remembered."""
        return self.item or sha256_of([self.name, self.content])[:_MARK_LENGTH]


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A dispute with all that a submission made now would send."""

    dispute: Dispute
    evidence: tuple[Evidence, ...]
    request_id: str | None = None

    def manifest(self, documents: Mapping[str, str]) -> dict[str, Any]:
        """Everything that a submission would send, canonical: its digest is what a reviewer approves.

        :param documents: sha256 by the API's document id, for the documents whose bytes we had.
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
                (_manifest_entry(entry, documents) for entry in self.evidence), key=canonical_json
            ),
        }

    def digest(self, documents: Mapping[str, str]) -> str:
        """sha256 of the canonical manifest, hexadecimal."""
        return sha256_of(self.manifest(documents))


def contents(evidence: Iterable[Evidence]) -> dict[str, Any]:
    """Return what evidence says, by name; a list where several pieces have the same name."""
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
    """The names of the evidence that differs between two readings, sorted."""

    def entries(snapshot: Snapshot) -> Counter[bytes]:
        return Counter(map(canonical_json, snapshot.manifest(documents)["evidence"]))

    one, other = entries(before), entries(after)
    return sorted({json.loads(entry)["name"] for entry in (one - other) + (other - one)})


def canonical_json(value: Any) -> bytes:
    """One spelling for one value, as UTF-8: sorted keys, no spaces, no escapes."""
    return _canonical.encode(value)


def sha256_of(value: Any) -> str:
    """sha256 of a value's canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def short_digest(digest: str | None) -> str:
    """Return the start of a digest, as people are shown it and as differences name it; empty for None."""
    return (digest or "")[:_SHOWN_DIGEST]
