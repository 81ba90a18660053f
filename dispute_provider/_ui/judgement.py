"""Judge whether a dispute still holds what was put to review. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from msgspec.structs import replace

from dispute_provider._evidence.record import CONCEDE, Record, State
from dispute_provider._evidence.snapshot import Evidence, Snapshot, short_digest
from dispute_provider._workflow.refusals import refuse_submission

_ON_ITS_WAY = (State.STAGED, State.APPROVED)


class Match(StrEnum):
    """How what a dispute holds now stands to what was put to review."""

    EXACT = "exact"
    SENT = "sent"
    CHANGED = "changed"
    OVER = "over"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One sentence for the banner, and the facts behind it."""

    match: Match
    headline: str
    facts: tuple[str, ...] = ()


def judge(record: Record, found: Snapshot) -> Judgement:
    """What submitting would find now; it is asked the very question that the submitting task asks."""
    if record.digest is None:
        return Judgement(
            Match.NOTHING,
            "Nothing was put to review here; this is what is on the dispute now.",
            (record.reason,),
        )
    refusal = refuse_submission(record, found)
    same = is_same_evidence(record, found)
    if record.state == State.APPROVED and record.approval and record.approval.action == CONCEDE:
        return Judgement(Match.OVER, "It is to be conceded: none of this goes out.")
    if refusal is None:
        headline = "Exactly this will go out, and nothing else."
        if record.state not in _ON_ITS_WAY:
            headline = "Nothing was submitted; the dispute still holds exactly what was put to review."
        return Judgement(Match.EXACT, headline)
    if refusal.state == State.ALREADY_SUBMITTED:
        status = (
            f"The dispute is now {found.dispute.status}.",
            *_move("stage", record.stage, found.dispute.stage),
        )
        if same:
            headline = "Answered already, with exactly what was put to review; nothing more would be sent."
            if record.state == State.SUBMITTED:
                headline = "Submitted; the dispute holds exactly what was approved."
            return Judgement(Match.SENT, headline, status)
        headline = "Answered; what the dispute holds is not what was put to review."
        return Judgement(Match.CHANGED, headline, (*status, *_changes(record, found)))
    if same and not _moves(record, found):
        return Judgement(Match.OVER, "It cannot be submitted.", (refusal.reason,))
    headline = "Changed since the review: a submission would be refused."
    changes = (*_moves(record, found), *(() if same else _changes(record, found)))
    return Judgement(Match.CHANGED, headline, changes or (refusal.reason,))


def is_same_evidence(record: Record, found: Snapshot) -> bool:
    """Whether the evidence is what was put to review, whatever became of the dispute."""
    as_reviewed = replace(
        found.dispute, stage=record.stage or "", submissions=record.submissions or 0, due=record.due_at
    )
    return replace(found, dispute=as_reviewed).digest(record.documents) == record.digest


def changed(record: Record, found: Snapshot) -> tuple[frozenset[int], tuple[str, ...]]:
    """Which pieces are not as they were when they were staged, by position, and the names of those gone.

    Of parts of structured evidence nothing can be said: an API adds to them.
    """
    expected: Counter[tuple[str, str]] = Counter()
    for difference in record.differences:
        digest = difference.held if difference.kind in ("kept", "theirs") else difference.case
        if digest and difference.kind not in ("removed", "conflict"):
            expected[difference.name, digest] += 1
    if not expected or is_same_evidence(record, found):
        return frozenset(), ()
    structured = {entry.name for entry in found.evidence if entry.value is not None}
    others: set[int] = set()
    for position, entry in enumerate(found.evidence):
        if entry.name in structured:
            continue
        # A colleague's document is known by its id when ours are staged, and by its bytes once reviewed.
        digests = (short_digest(digest_of(record, entry)), short_digest(entry.sha256))
        piece = next(((entry.name, digest) for digest in digests if expected[entry.name, digest]), None)
        if piece:
            expected[piece] -= 1
        else:
            others.add(position)
    gone = {name for name, _ in expected.elements() if name.partition(".")[0] not in structured}
    return frozenset(others), tuple(sorted(gone - {found.evidence[position].name for position in others}))


def digest_of(record: Record, entry: Evidence) -> str:
    """sha256 of a piece, of a document's own bytes where we have uploaded it."""
    return record.documents.get(entry.id, entry.sha256) if entry.id else entry.sha256


def _changes(record: Record, found: Snapshot) -> tuple[str, ...]:
    others, gone = changed(record, found)
    names = sorted({found.evidence[position].name for position in others})
    return (
        *([f"Not as it was staged: {', '.join(names)}."] if names else []),
        *([f"No longer there: {', '.join(gone)}."] if gone else []),
        *([] if names or gone else ["Which piece of the evidence it is cannot be told."]),
    )


def _moves(record: Record, found: Snapshot) -> tuple[str, ...]:
    """What became of the dispute itself."""
    dispute = found.dispute
    return (
        *_move("stage", record.stage, dispute.stage),
        *_move("due date", _minute(record.due_at), _minute(dispute.due)),
        *_move("number of earlier submissions", record.submissions, dispute.submissions),
    )


def _move(name: str, was: object, now: object) -> tuple[str, ...]:
    return (f"Its {name} was {was}, and is {now}.",) if was != now else ()


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else "none"
