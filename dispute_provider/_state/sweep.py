"""Decide what the sweep puts to review again, from what it remembers of earlier reviews. Pure.

Airflow's store between runs has no lock, and the last write wins, so each key has one writer:

===========  =============  =================================  ==========================================
Asset        Key            Holds                              Writer
===========  =============  =================================  ==========================================
reviewed     connection     :class:`LastReview`, by dispute    the sweep, of which one runs at a time
reminded     connection     the last reminder, by dispute      the sweep
answered     review         :class:`ReviewAnswer`, by dispute  that review, when it was answered
ended        review         :class:`ReviewAnswer`, by dispute  the last task of that review's run
===========  =============  =================================  ==========================================

An entry that is missing, or cannot be read, costs a second review at most: the API says what is open, and
what is open returns to a person before its due date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from dispute_provider._evidence.deadlines import point_passed
from dispute_provider._evidence.record import CONCEDE, REJECT, SUBMIT, Record, State
from dispute_provider._evidence.snapshot import Dispute, Snapshot, sha256_of
from dispute_provider._explain.markdown import one_line

# Enough of a digest to tell two readings of one dispute apart; the whole would only fill the store.
_KEPT = 16
# Time for the answer of a review to be noted after the review has ended.
_GRACE = timedelta(minutes=10)
# Earlier reviews that the history of a dispute names.
_LONGEST_HISTORY = 3
_LONGEST_REASON = 300
# Sent or given up by somebody: this stage needs no answer any more.
_SETTLED = (State.SUBMITTED, State.SUBMITTED_DIFFERS, State.ALREADY_SUBMITTED, State.CONCEDED)
# Approved, but surely not sent.
_FAILED = (State.REFUSED, State.HELD)

Reviewed = dict[str, dict[str, Any]]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class LastReview:
    """The last review of a dispute.

    :param case: the start of the sha256 of the case.
    :param held: of all that the API held for it.
    :param opening: of its stage, due date and number of earlier submissions.
    :param review: the run of the review, its DAG's id before it.
    :param until: when the review ends; None if it waits for ever.
    :param at: when the review was opened; None in entries of an earlier version.
    :param failed: whether the review before this one, of the same evidence, was approved and not sent.
    :param history: how the reviews of this stage before this one ended, a line for each, oldest first.
    """

    case: str
    held: str
    opening: str
    review: str
    until: _Time | None = None
    at: _Time | None = None
    failed: bool = False
    history: tuple[str, ...] = ()

    @classmethod
    def of(cls, memory: Mapping[str, Any], dispute: str) -> LastReview | None:
        """Return what is remembered of a dispute; None if that is nothing, or cannot be read."""
        try:
            return msgspec.convert(memory.get(dispute), cls)
        except msgspec.ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return it as an entry of the store, which takes no tuples."""
        return {**msgspec.to_builtins(self), "history": list(self.history)}

    def is_settled(
        self,
        answer: ReviewAnswer | None,
        case_digest: str,
        found: Snapshot,
        now: datetime,
        hours: Sequence[float] = (),
        ended: bool = False,
    ) -> bool:
        """Return whether there is nothing to ask now.

        A new stage, case or evidence at the API is asked about at once; so is a review that ended without an
        answer, and once what was approved but ``refused`` or ``held`` on its way. Everything else that is
        still open is asked about again when one of ``hours`` before its due date has passed since the last
        time; what a person rejected, at the first of them only, and whatever the API holds for it by then.

        :param answer: how its review ended; None while nobody has answered.
        :param hours: before the due date.
        :param ended: whether the run of its review has ended.
        """
        answered = answer if answer and answer.review == self.review else None
        if opening(found.dispute) != self.opening:
            return False
        if answered and answered.state in _SETTLED:
            return True
        rejected = answered is not None and answered.action == REJECT
        if short(case_digest) != self.case or (short(found.digest({})) != self.held and not rejected):
            return False
        if answered is None:
            return not ended and (self.until is None or now < self.until + _GRACE)
        if answered.action is None or (answered.failed and not self.failed):
            return False
        points = sorted(hours, reverse=True)[: 1 if rejected else None]
        return not point_passed(found.dispute.due, points, self.at, now)

    def past(self, answer: ReviewAnswer | None) -> tuple[str, ...]:
        """Return its history with this review, however it ended, at the end."""
        if answer and answer.review == self.review:
            line = answer.account
        else:
            when = f" on {_minute(self.at)}" if self.at else ""
            line = f"put to review{when}, not answered"
        return (*self.history, line)[-_LONGEST_HISTORY:]


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """How a review ended for one dispute.

    :param review: the run of the review, its DAG's id before it.
    :param action: what was decided; None if nobody did.
    :param who: who decided.
    :param why: what was decided, in words of ours: none of the reviewer's or the customer's.
    :param at: when it was decided.
    :param state: what became of the dispute by the end of the run; None while that is not known.
    :param reason: why, where it was approved.
    """

    review: str
    action: str | None = None
    who: str = ""
    why: str = ""
    at: _Time | None = None
    state: str | None = None
    reason: str = ""

    @classmethod
    def read(cls, stored: Any) -> ReviewAnswer | None:
        """Return an entry of the store; None if it cannot be read."""
        try:
            return msgspec.convert(stored, cls)
        except msgspec.ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return it as an entry of the store, without what is empty."""
        stored: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in stored.items() if value or name == "action"}

    def with_end(self, end: ReviewAnswer | None) -> ReviewAnswer:
        """Return it with what became of the dispute, unless that followed from an earlier answer."""
        if end is None or (end.action, end.at) != (self.action, self.at):
            return self
        return replace(self, state=end.state, reason=end.reason)

    @property
    def sends(self) -> bool:
        """Whether something was to be sent."""
        return self.action in (SUBMIT, CONCEDE)

    @property
    def failed(self) -> bool:
        """Whether it was approved, and is known not to have been sent."""
        return self.sends and self.state in _FAILED

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be done about this stage: it was answered, given up or rejected."""
        return self.action == REJECT or self.state in _SETTLED

    @property
    def account(self) -> str:
        """What was decided, by whom and when, and what became of it."""
        if self.action is None:
            return one_line(self.why) or "nobody has answered its review"
        by = ", ".join([*([self.who] if self.who else []), *([_minute(self.at)] if self.at else [])])
        account = f"{self.why or self.action}{f' ({by})' if by else ''}"
        if self.sends and self.state:
            account += f", then {self.state}: {self.reason[:_LONGEST_REASON]}"
        elif self.sends:
            account += ", but what became of it is not known"
        return one_line(account)


def remember(
    memory: Mapping[str, Any],
    records: Iterable[Record],
    still_open: Iterable[str],
    review: str,
    until: datetime | None,
    answers: Mapping[str, ReviewAnswer] | None = None,
    at: datetime | None = None,
) -> Reviewed:
    """Return the memory with what was put to a review, and without what is no longer open.

    A review that is remembered already keeps its entry, however often a sweep is tried again.

    :param answers: how the reviews before this one ended, by dispute.
    :param at: when the review was opened.
    """
    kept = set(still_open)
    after = dict(memory)
    for record in records:
        if not record.case_digest or not record.fingerprint:
            continue
        kept.add(record.dispute)
        before = LastReview.of(memory, record.dispute)
        if before is None or before.review != review:
            answer = (answers or {}).get(record.dispute)
            after[record.dispute] = _last_review(record, review, until, at, before, answer).to_dict()
    return {dispute: asked for dispute, asked in after.items() if dispute in kept}


def _last_review(
    record: Record,
    review: str,
    until: datetime | None,
    at: datetime | None,
    before: LastReview | None,
    answer: ReviewAnswer | None,
) -> LastReview:
    new = LastReview(short(record.case_digest), short(record.fingerprint), opening(record), review, until, at)
    if before is None or before.opening != new.opening:
        return new
    same = (before.case, before.held) == (new.case, new.held)
    failed = same and answer is not None and answer.review == before.review and answer.failed
    return replace(new, failed=failed, history=before.past(answer))


def with_history(memory: Mapping[str, Any], answers: Mapping[str, ReviewAnswer], record: Record) -> Record:
    """Return a record whose notes say how the earlier reviews of its stage ended."""
    before = LastReview.of(memory, record.dispute)
    if before is None or before.opening != opening(record):
        return record
    past = [f"reviewed before: {line}" for line in before.past(answers.get(record.dispute))]
    return msgspec.structs.replace(record, notes=(*record.notes, *past))


def review_name(memory: Mapping[str, Any], records: Iterable[Record]) -> str:
    """Return what tells one review from another, hexadecimal: what it is about, and which came before it.

    The same for a sweep that is tried again; another one for what is asked anew.
    """

    def about(record: Record) -> list[str]:
        before = LastReview.of(memory, record.dispute)
        named = (record.connection, record.dispute, record.stage, record.digest, record.case_digest)
        return [*(part or "-" for part in named), before.review if before else "-"]

    return short(sha256_of(sorted(map(about, records))))


def opening(found: Dispute | Record) -> str:
    """Return the start of a digest of what is to be answered: stage, due date, earlier submissions."""
    due = found.due.isoformat() if isinstance(found.due, datetime) else found.due
    return short(sha256_of([found.stage, due, found.submissions]))


def short(digest: str | None) -> str:
    return (digest or "")[:_KEPT]


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
