"""Compare what a dispute holds now with what was staged for review. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from msgspec.structs import replace

from dispute_provider._evidence.record import CONCEDE, Record, State
from dispute_provider._evidence.snapshot import Evidence, Snapshot, short_digest
from dispute_provider._explain.labels import label
from dispute_provider._workflow.refusals import refuse_submission

_IN_FLIGHT = (State.STAGED, State.APPROVED)


class Match(StrEnum):
    """How a dispute's evidence compares with the reviewed evidence."""

    EXACT = "exact"
    SENT = "sent"
    CHANGED = "changed"
    OVER = "over"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    :param headline: one sentence for the banner.
    :param facts: details, a sentence each.
    """

    match: Match
    headline: str
    facts: tuple[str, ...] = ()


def compare(record: Record, found: Snapshot) -> Comparison:
    """Compare a record with its dispute, by the check that precedes a submission."""
    if record.digest is None:
        return Comparison(
            Match.NOTHING,
            "This task staged nothing for review. Below is the evidence that the dispute holds now.",
            (record.reason,),
        )
    refusal = refuse_submission(record, found)
    same = is_same_evidence(record, found)
    if record.state == State.APPROVED and record.approval and record.approval.action == CONCEDE:
        return Comparison(Match.OVER, "Approved to be conceded. None of this evidence will be sent.")
    if refusal is None:
        headline = "This is exactly the evidence that will be submitted."
        if record.state not in _IN_FLIGHT:
            headline = "Nothing was submitted. The dispute still holds exactly the reviewed evidence."
        return Comparison(Match.EXACT, headline)
    if refusal.state == State.ALREADY_SUBMITTED:
        status = (
            f"Dispute status: {label(found.dispute.status, record.provider)}.",
            *_stage_change(record, found),
        )
        if same:
            headline = "Exactly this evidence was already submitted. Nothing more will be sent."
            if record.state == State.SUBMITTED:
                headline = "Submitted. The dispute holds exactly the approved evidence."
            return Comparison(Match.SENT, headline, status)
        headline = "Submitted evidence differs from the reviewed evidence."
        return Comparison(Match.CHANGED, headline, (*status, *_changes(record, found)))
    if same and not _dispute_changes(record, found):
        return Comparison(Match.OVER, "This evidence cannot be submitted.", (refusal.reason,))
    headline = "The dispute has changed since the review. A submission would be refused."
    changes = (*_dispute_changes(record, found), *(() if same else _changes(record, found)))
    return Comparison(Match.CHANGED, headline, changes or (refusal.reason,))


def is_same_evidence(record: Record, found: Snapshot) -> bool:
    """Return whether the evidence is the reviewed one, regardless of the dispute's status."""
    as_reviewed = replace(
        found.dispute, stage=record.stage or "", submissions=record.submissions or 0, due=record.due_at
    )
    return replace(found, dispute=as_reviewed).digest(record.documents) == record.digest


def changed(record: Record, found: Snapshot) -> tuple[frozenset[int], tuple[str, ...]]:
    """Return the positions of the pieces that changed since staging, and the names of those removed.

    Parts of structured evidence are not compared, because an API adds to them.
    """
    expected: Counter[tuple[str, str]] = Counter()
    for difference in record.differences:
        digest = difference.held if difference.kind in ("kept", "foreign") else difference.case
        if digest and difference.kind not in ("removed", "conflict"):
            expected[difference.name, digest] += 1
    if not expected or is_same_evidence(record, found):
        return frozenset(), ()
    structured = {entry.name for entry in found.evidence if entry.value is not None}
    others: set[int] = set()
    for position, entry in enumerate(found.evidence):
        if entry.name in structured:
            continue
        # A foreign document has the digest of its id at staging, and of its bytes after the review.
        digests = (short_digest(digest_of(record, entry)), short_digest(entry.sha256))
        piece = next(((entry.name, digest) for digest in digests if expected[entry.name, digest]), None)
        if piece:
            expected[piece] -= 1
        else:
            others.add(position)
    gone = {name for name, _ in expected.elements() if name.partition(".")[0] not in structured}
    return frozenset(others), tuple(sorted(gone - {found.evidence[position].name for position in others}))


def digest_of(record: Record, entry: Evidence) -> str:
    """Return the sha256 of a piece: of the document's bytes if they are known."""
    return record.documents.get(entry.id, entry.sha256) if entry.id else entry.sha256


def _changes(record: Record, found: Snapshot) -> tuple[str, ...]:
    others, gone = changed(record, found)
    names = sorted({found.evidence[position].name for position in others})
    return (
        *([f"Changed since staging: {_labels(record, names)}."] if names else []),
        *([f"Removed since staging: {_labels(record, gone)}."] if gone else []),
        *([] if names or gone else ["The changed piece of evidence cannot be identified."]),
    )


def _labels(record: Record, names: Iterable[str]) -> str:
    return ", ".join(label(name, record.provider) for name in names)


def _dispute_changes(record: Record, found: Snapshot) -> tuple[str, ...]:
    """Return the changes of the dispute itself, a sentence each."""
    dispute = found.dispute
    return (
        *_stage_change(record, found),
        *_change("Due date", _minute(record.due_at), _minute(dispute.due)),
        *_change("Previous submissions", record.submissions, dispute.submissions),
    )


def _stage_change(record: Record, found: Snapshot) -> tuple[str, ...]:
    before = label(record.stage or "none", record.provider)
    return _change("Stage", before, label(found.dispute.stage, record.provider))


def _change(name: str, before: object, now: object) -> tuple[str, ...]:
    return (f"{name} changed from {before} to {now}.",) if before != now else ()


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else "none"
