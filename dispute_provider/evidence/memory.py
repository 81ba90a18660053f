"""What is remembered between runs of what was asked, answered and reminded of. Pure.

Airflow's store between runs has no lock, and the last write wins. So each key of it has one writer: the
sweep, of which one runs at a time, notes what it put to review (:class:`Asked`) and what it reminded of; a
review that the sweep has opened notes under its own name how it ended for each of its disputes
(:class:`Answer`). An answer that comes late, or was overwritten by another review of the same run, is taken
for none: then a dispute is asked about once too often, and never forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from dispute_provider.evidence.record import Record
from dispute_provider.evidence.snapshot import Dispute, Snapshot, sha256_of

# Enough of a digest to tell two readings of one dispute apart; the whole would only fill the store.
_KEPT = 16
# So long after its end, a review has said how it ended, or never will.
_GRACE = timedelta(minutes=10)

Memory = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was put to review of one dispute.

    :param case: the start of the sha256 of the case.
    :param held: of all that the API held for it.
    :param opening: of its stage, due date and number of earlier submissions.
    :param review: the run of the review, its DAG's id before it.
    :param until: when the review ends, ISO 8601; None if it waits for ever.
    """

    case: str
    held: str
    opening: str
    review: str
    until: str | None = None

    @classmethod
    def of(cls, memory: Mapping[str, Any], dispute: str) -> Asked | None:
        """What is remembered; None if nothing is, or what an earlier version has written."""
        stored = memory.get(dispute)
        if not isinstance(stored, Mapping) or not {"case", "held", "opening", "review"} <= set(stored):
            return None
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})

    def is_settled(self, answer: Answer | None, case_digest: str, found: Snapshot, now: datetime) -> bool:
        """Whether there is nothing to ask: nothing has changed, and the review is open or was answered.

        What was rejected may have been taken back from the API: of it, only the case and the stage count.
        """
        answered = answer if answer and answer.review == self.review else None
        if short(case_digest) != self.case or opening(found.dispute) != self.opening:
            return False
        if short(found.digest({})) != self.held and not (answered and answered.action == "reject"):
            return False
        if answered:
            return answered.action is not None
        return self.until is None or now < datetime.fromisoformat(self.until) + _GRACE


@dataclass(frozen=True, slots=True)
class Answer:
    """How a review ended for one dispute.

    :param review: the run of the review, its DAG's id before it.
    :param action: what was decided; None if nobody did.
    :param who: who decided.
    :param why: for people, in a line of ours; no words of the customer.
    """

    review: str
    action: str | None = None
    who: str = ""
    why: str = ""

    @classmethod
    def read(cls, stored: Any) -> Answer | None:
        """From what the store holds."""
        if not isinstance(stored, Mapping) or "review" not in stored:
            return None
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def remember(
    memory: Mapping[str, Any],
    records: Iterable[Record],
    still_open: Iterable[str],
    review: str,
    until: datetime | None,
) -> Memory:
    """Add what was put to a review; forget what is no longer open."""
    kept = set(still_open)
    new = {
        record.dispute: asdict(
            Asked(
                case=short(record.case_digest),
                held=short(record.fingerprint),
                opening=opening(record),
                review=review,
                until=until.isoformat() if until else None,
            )
        )
        for record in records
        if record.case_digest and record.fingerprint
    }
    return {
        dispute: asked for dispute, asked in {**memory, **new}.items() if dispute in kept or dispute in new
    }


def review_name(memory: Mapping[str, Any], records: Iterable[Record]) -> str:
    """What tells one review from another, hexadecimal: what it is about, and which reviews came before it.

    The same for a sweep that is tried again; another one for what is asked anew because nobody answered.
    """

    def about(record: Record) -> list[str]:
        before = Asked.of(memory, record.dispute)
        named = (record.connection, record.dispute, record.stage, record.digest, record.case_digest)
        return [*(part or "-" for part in named), before.review if before else "-"]

    return short(sha256_of(sorted(map(about, records))))


def opening(found: Dispute | Record) -> str:
    """The start of a digest of what is to be answered: stage, due date, number of earlier submissions."""
    due = found.due.isoformat() if isinstance(found.due, datetime) else found.due
    return short(sha256_of([found.stage, due, found.submissions]))


def short(digest: str | None) -> str:
    return (digest or "")[:_KEPT]
