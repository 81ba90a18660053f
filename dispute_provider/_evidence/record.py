"""Define the record of one dispute that goes from task to task: references and digests, no texts."""

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

# What a review decides about a dispute.
SUBMIT, HOLD, EDIT, REJECT, CONCEDE = "submit", "hold", "edit", "reject", "concede"
# Characters of a name that was not verified, as people are shown it.
_LONGEST_NAME = 100
# The kinds of difference that staging writes.
WRITTEN = ("added", "overwritten", "renewed")
_LISTS = {"notes", "missing", "warnings", "differences", "undrawn"}


class State(StrEnum):
    """Every dispute that enters a run leaves it in one of these (but for *approved*, which is on its way)."""

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


class Approval(msgspec.Struct, frozen=True, gc=False):
    """A person's yes to exactly one evidence digest.

    :param responder: who answered, as Airflow names them.
    :param responded_at: ISO 8601.
    :param review: which of the run's reviews was answered.
    """

    action: str
    responder: str
    responded_at: str
    review: str = ""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """What staging did to one piece of evidence that the dispute held, or that the case has.

    :param kind: ``added``, ``same``, ``kept`` (somebody else's, the case has another), ``overwritten`` (the
        case's, somebody else had another), ``conflict`` (nothing was written), ``renewed`` and ``removed``
        (ours, of an earlier version of the case) or ``theirs`` (somebody else's, beside the case's).
    :param case: the start of the sha256 of what the case has, None where it has none.
    :param held: the same of what the dispute held before.
    """

    name: str
    kind: str
    case: str | None = None
    held: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One dispute's way through a run.

    :param connection: id of the Airflow connection.
    :param state: see :class:`State`.
    :param reason: why it is in this state, for people.
    :param amount: minor currency units.
    :param submitted_at: when an earlier stage was answered, where the API says so.
    :param due: ISO 8601, UTC.
    :param digest: sha256 of the manifest of what a submission would send.
    :param fingerprint: the digest as it is without knowing any document's bytes; any reading can be compared
        with it.
    :param case: the file that the case stands in, None where it has come without one.
    :param case_digest: sha256 of the case and its documents.
    :param documents: sha256 by the API's document id, of the documents that we uploaded.
    :param prepared_by: who prepared the case, as the case says.
    :param triggered_by: the Airflow user who triggered the run that staged it; None for a scheduled run.
    :param staged_as: the fingerprint of what staging left on the dispute.
    :param automatic: how the API would have submitted by itself what is staged, had we not switched it off.
    :param earlier: sha256 of the evidence that the dispute had before, in the evidence store.
    :param charged: minor currency units of the charge, where the API tells.
    :param refunded: of these, what was paid back.
    :param verdict: ``ready``, ``weak``, ``missing`` or ``unknown``: whether the evidence suits the reason.
    :param missing: what is not there and worth having, and why.
    :param warnings: what costs money, or makes the evidence worthless.
    :param differences: what staging changed, piece by piece.
    :param usage: how much of the API's limits the evidence takes.
    :param pages: of the documents whose bytes we have.
    :param drawings: sha256 of a document's drawing by its own, where staging kept one; see
        :mod:`dispute_provider._state.drawings`.
    :param undrawn: documents of the case that nobody can see, and that the DAG's author allows.
    :param retry_after: for what is held because it could not be reached: seconds after which to try again.
    :param request_id: the API's id of the request that brought it into this state.
    :param maybe_ours: whether this run may have sent what its state says another did, or did not; it has a
        receipt then.
    :param ledger_end: hash of the end of the dispute's last final call in the ledger, as its review has seen
        it; None where there was none.
    :param last_end: the state of that end, where it is one of the dispute's present stage.
    :param unverified: whether its signature did not hold: nothing of what it claimed is left but its names.
    :param signature: of all other fields, by the task that handed the record on; see
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
    charged: int | None = None
    refunded: int | None = None
    verdict: str | None = None
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    usage: str | None = None
    pages: int | None = None
    drawings: dict[str, str] = {}
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
        """Read a record from XCom or a run's configuration; unknown keys of a later version are ignored."""
        return msgspec.convert(data, cls)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-compatible values, absent ones left out."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        for name in _LISTS & data.keys():
            data[name] = list(data[name])
        return data

    def seen(self, snapshot: Snapshot) -> Record:
        """With the facts of a fresh reading of the dispute."""
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
        """In another state, and why."""
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
        """``2026-11-30 14:00 UTC``."""
        return self.due_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if self.due_at else "no due date"

    def log_line(self) -> str:
        """The one line that tells the person on call what happened to this dispute, printable throughout."""
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
    """Soonest deadline first, those without one last."""
    return sorted(records, key=lambda record: (record.due is None, record.due or "", record.dispute))


def record_of(dispute: Dispute, connection: str, state: State, reason: str) -> Record:
    """A record of a dispute for which there is no evidence of ours."""
    record = Record(dispute.provider, connection, dispute.id, state, reason)
    return replace(record.seen(Snapshot(dispute, ())), digest=None)


def without_claims(record: Record, state: State, reason: str) -> Record:
    """Return the names of a record whose signature does not hold, printable; the rest may be forged."""
    provider, connection, dispute = (
        one_line(name)[:_LONGEST_NAME] for name in (record.provider, record.connection, record.dispute)
    )
    return Record(provider, connection, dispute, state, reason, unverified=True)
