"""Define the record that tasks hand on about one dispute: references and digests, no texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from dispute_provider._evidence.snapshot import Dispute, Snapshot, short_digest
from dispute_provider._explain.markdown import one_line
from dispute_provider._explain.money import format_amount

# A reviewer's choices for a dispute.
SUBMIT, HOLD, EDIT, REJECT, CONCEDE = "submit", "hold", "edit", "reject", "concede"
# Characters shown of an unverified name.
_LONGEST_NAME = 100
# The kinds of difference that staging writes.
WRITTEN = ("added", "overwritten", "renewed")
_LISTS = {"notes", "missing", "warnings", "differences", "undrawn"}


class State(StrEnum):
    """The state of a dispute in a run. Every state except ``approved`` can be its last."""

    STAGED = "staged"
    APPROVED = "approved"
    HELD = "held"
    REJECTED = "rejected"
    SUBMITTED = "submitted"
    SUBMITTED_DIFFERS = "submitted-differs"
    ALREADY_SUBMITTED = "already-submitted"
    CONCEDED = "conceded"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Approval(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A reviewer's approval of one evidence digest.

    :param action: the reviewer's choice: ``submit``, ``concede``, …
    :param responder: Airflow's name of the reviewer, or ``policy <name>``.
    :param responded_at: ISO 8601.
    :param review: the review of the run that was answered.
    :param below: minor currency units that the amount must be below when the dispute is submitted, because
        whoever approved it may not approve more; None, the default, for any amount.
    """

    action: str
    responder: str
    responded_at: str
    review: str = ""
    below: int | None = None


def person(responder: str) -> str:
    """Return a reviewer for a text: ``ana`` if the name of ``ana (ana)`` is its id."""
    name, _, rest = responder.partition(" (")
    return name if rest == f"{name})" else responder


class Difference(msgspec.Struct, frozen=True, gc=False):
    """What staging did with one piece of evidence of the case or the dispute.

    :param name: the API's name of the evidence.
    :param kind: ``added``, ``same``; ``kept`` (the foreign value, instead of the case's), ``overwritten``
        (the foreign value, by the case's), ``conflict`` (nothing was written), ``foreign`` (a foreign value
        that the case has nothing for); ``renewed`` and ``removed`` (written for an earlier version of the
        case).
    :param case: the start of the sha256 of the case's value; None, the default, if it has none.
    :param held: the start of the sha256 of the dispute's earlier value; None, the default, if it had none.
    """

    name: str
    kind: str
    case: str | None = None
    held: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a run knows about one dispute.

    :param provider: the name of the API, such as ``stripe``.
    :param connection: id of the Airflow connection.
    :param dispute: the API's id of the dispute.
    :param state: see :class:`State`.
    :param reason: why the dispute is in this state.
    :param account: the account that the dispute belongs to; None for the connection's own.
    :param stage: ``inquiry``, ``chargeback`` or ``appeal``.
    :param submissions: how often evidence was submitted for the dispute, as the API counts.
    :param amount: minor currency units.
    :param currency: ISO 4217, in lower case.
    :param dispute_reason: the API's reason, such as ``product_not_received``.
    :param network_code: the card network's reason code.
    :param submitted_at: when an earlier stage was answered, if the API reports it.
    :param due: ISO 8601, UTC.
    :param digest: sha256 of the manifest of what a submission would send.
    :param fingerprint: the digest computed without any document's bytes, comparable with any later reading.
    :param case: the path of the case file; None for a case that was not read from a file.
    :param case_digest: sha256 of the case and its documents.
    :param documents: sha256 of the documents that this package uploaded, by the API's document id.
    :param prepared_by: the person who prepared the case, as given in the case.
    :param customer_contacted: whether the customer was contacted first; None if the case does not state it.
    :param approval: the reviewer's answer; None before a review.
    :param url: the dispute's page in the API's dashboard.
    :param notes: what else the reviewer should know.
    :param triggered_by: the Airflow user who triggered the run that staged it; None for a scheduled run.
    :param staged_as: the fingerprint of the dispute right after staging.
    :param automatic: how the API would have submitted the staged evidence automatically, if staging switched
        that off.
    :param earlier: sha256 of the dispute's earlier evidence, in the evidence store.
    :param not_written: sha256 of the case's values that staging did not write, because it kept the dispute's;
        they are in the evidence store.
    :param charged: amount of the charge in minor currency units, if the API reports it.
    :param refunded: the refunded part of it, in minor currency units.
    :param verdict: ``ready``, ``weak``, ``missing`` or ``unknown``; see
        :class:`~dispute_provider._evidence.completeness.Verdict`.
    :param missing: recommended evidence that is missing, and why it matters.
    :param warnings: fees, and conditions under which the evidence is ignored.
    :param differences: what staging changed, piece by piece.
    :param usage: how much of the API's limits the evidence uses.
    :param pages: pages of the documents whose bytes are known.
    :param drawings: sha256 of the drawing of each document that staging kept, by the document's sha256; see
        :mod:`dispute_provider._state.drawings`.
    :param originals: sha256 of the document that each prepared one was made of, by the latter's sha256.
    :param exhibits: sha256 of the files that each joined document was made of, by the document's sha256 and
        their paths.
    :param undrawn: documents of the case that cannot be drawn, and that the DAG's author accepts undrawn.
    :param retry_after: seconds after which to try again, for a dispute that could not be reached.
    :param request_id: the API's id of the request that led to this state.
    :param maybe_ours: whether this run may have sent the call that its state attributes to another, or to
        none; it has a receipt then.
    :param ledger_end: hash of the end of the dispute's last final call in the ledger when it was reviewed;
        None if there was none.
    :param last_end: the state of that end, if it belongs to the dispute's current stage.
    :param unverified: whether its signature is invalid; only its names are left.
    :param signature: signature of all other fields by the task that handed on the record; see
        :mod:`dispute_provider._signatures`.
    """

    provider: str
    connection: str
    dispute: str
    state: State
    reason: str
    account: str | None = None
    stage: str | None = None
    submissions: int | None = None
    submitted_at: str | None = None
    due: str | None = None
    amount: int | None = None
    currency: str | None = None
    dispute_reason: str | None = None
    network_code: str | None = None
    digest: str | None = None
    fingerprint: str | None = None
    case: str | None = None
    case_digest: str | None = None
    documents: dict[str, str] = {}
    prepared_by: str | None = None
    triggered_by: str | None = None
    customer_contacted: bool | None = None
    notes: tuple[str, ...] = ()
    automatic: str | None = None
    earlier: str | None = None
    not_written: str | None = None
    charged: int | None = None
    refunded: int | None = None
    verdict: str | None = None
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    usage: str | None = None
    pages: int | None = None
    drawings: dict[str, str] = {}
    originals: dict[str, str] = {}
    exhibits: dict[str, dict[str, str]] = {}
    undrawn: tuple[str, ...] = ()
    approval: Approval | None = None
    request_id: str | None = None
    url: str | None = None
    retry_after: float | None = None
    staged_as: str | None = None
    maybe_ours: bool = False
    unverified: bool = False
    ledger_end: str | None = None
    last_end: str | None = None
    signature: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Read a record from XCom or a run's configuration, ignoring the keys of later versions."""
        return msgspec.convert(data, cls)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-compatible values, without defaults."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        for name in _LISTS & data.keys():
            data[name] = list(data[name])
        return data

    def seen(self, snapshot: Snapshot) -> Record:
        """Return the record updated by a new reading of the dispute."""
        dispute = snapshot.dispute
        digest = snapshot.digest(self.documents)
        return replace(
            self,
            account=dispute.account,
            stage=dispute.stage,
            submissions=dispute.submissions,
            submitted_at=dispute.submitted_at,
            due=dispute.due.isoformat() if dispute.due else None,
            amount=dispute.amount,
            currency=dispute.currency,
            dispute_reason=dispute.reason,
            network_code=dispute.network_code,
            charged=dispute.charged if dispute.charged is not None else self.charged,
            refunded=dispute.refunded if dispute.refunded is not None else self.refunded,
            digest=digest,
            fingerprint=snapshot.digest({}) if self.documents else digest,
            url=dispute.url,
            request_id=snapshot.request_id or self.request_id,
        )

    def ended(self, state: State, reason: str, request_id: str | None = None) -> Record:
        """Return the record in another state, with the reason for it."""
        return replace(
            self, state=state, reason=reason, request_id=request_id or self.request_id, retry_after=None
        )

    @property
    def money(self) -> str:
        if self.amount is None or self.currency is None:
            return "unknown amount"
        return format_amount(self.amount, self.currency)

    @property
    def due_at(self) -> datetime | None:
        return datetime.fromisoformat(self.due) if self.due else None

    @property
    def due_text(self) -> str:
        """Return the due date as ``2026-11-30 14:00 UTC``."""
        return self.due_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if self.due_at else "no due date"

    def log_line(self) -> str:
        """Return the log line on what happened to this dispute, in printable characters."""
        facts = [
            f"dispute={self.dispute}",
            f"state={self.state}",
            f"reason={json.dumps(self.reason, ensure_ascii=False)}",
            f"provider={self.provider}",
            f"connection={self.connection}",
            f"amount={self.money!r}",
            f"due={self.due or 'none'}",
            f"digest={short_digest(self.digest) or 'none'}",
            f"request_id={self.request_id or 'none'}",
        ]
        return one_line(" ".join(facts))


def by_due_date(records: list[Record]) -> list[Record]:
    """Sort records by due date; those without one come last."""
    return sorted(records, key=lambda record: (record.due is None, record.due or "", record.dispute))


def record_of(dispute: Dispute, connection: str, state: State, reason: str) -> Record:
    """Return the record of a dispute for which this package has staged nothing."""
    record = Record(dispute.provider, connection, dispute.id, state, reason)
    return replace(record.seen(Snapshot(dispute, ())), digest=None)


def with_current_kinds(record: Record) -> Record:
    """Return a record of an earlier version with today's kinds of differences. Removed in 0.2.0."""
    if "theirs" not in [difference.kind for difference in record.differences]:
        return record
    return replace(
        record,
        differences=tuple(
            replace(difference, kind="foreign") if difference.kind == "theirs" else difference
            for difference in record.differences
        ),
    )


def without_claims(record: Record, state: State, reason: str) -> Record:
    """Return only the printable names of a record with an invalid signature; the rest may be forged."""
    provider, connection, dispute = (
        one_line(name)[:_LONGEST_NAME] for name in (record.provider, record.connection, record.dispute)
    )
    return Record(provider, connection, dispute, state, reason, unverified=True)
