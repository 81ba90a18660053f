"""Decide which disputes the sweep submits for review again, from its memory of earlier reviews. Pure.

Airflow's asset state store has no lock and the last write wins, so each key has one writer:

===========  =============  =================================  ==========================================
Asset        Key            Value                              Writer
===========  =============  =================================  ==========================================
reviewed     connection     :class:`LastReview`, by dispute    the sweep, which runs once at a time
reminded     connection     the last reminder, by dispute      the sweep
answered     review         :class:`ReviewAnswer`, by dispute  that review, when it was answered
ended        review         :class:`ReviewAnswer`, by dispute  the last task of that review's run
===========  =============  =================================  ==========================================

A missing or unreadable entry causes at most one more review: the API shows which disputes are open, and each
open dispute returns to a reviewer before its due date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from dispute_provider._evidence.deadlines import point_passed
from dispute_provider._evidence.record import CONCEDE, REJECT, SUBMIT, Record, State, person
from dispute_provider._evidence.snapshot import Dispute, Snapshot, sha256_of
from dispute_provider._explain.markdown import one_line

# Characters of a digest that are stored: enough to distinguish two readings of one dispute.
_DIGEST_LENGTH = 16
# After a review has ended, its answer may take this long to be stored.
_GRACE = timedelta(minutes=10)
# The most earlier reviews in a dispute's history, and the most characters of a reason in it.
_LONGEST_HISTORY = 3
_LONGEST_REASON = 300
# States after which this stage needs no answer.
_SETTLED = (State.SUBMITTED, State.SUBMITTED_DIFFERS, State.ALREADY_SUBMITTED, State.CONCEDED)
# States of an approved dispute that was certainly not sent.
_FAILED = (State.REFUSED, State.HELD)

Reviewed = dict[str, dict[str, Any]]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class LastReview:
    """The last review of a dispute.

    :param case: the start of the case's digest.
    :param held: the start of the digest of the dispute's evidence at the API.
    :param opening: the start of the digest of its stage, due date and number of earlier submissions.
    :param review: DAG id and run id of the review, as ``dag_id/run_id``.
    :param until: when the review times out; None if it never does.
    :param at: when the review was opened; None in entries of an earlier version.
    :param failed: whether the previous review approved the same evidence and it was not sent.
    :param history: one line per earlier review of this stage, oldest first.
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
    def find(cls, memory: Mapping[str, Any], dispute: str) -> LastReview | None:
        """Return a dispute's entry in the sweep's memory; None if it is missing or unreadable."""
        try:
            return msgspec.convert(memory.get(dispute), cls)
        except msgspec.ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it is stored; the store accepts no tuples."""
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
        """Return whether the dispute needs no new review now.

        A new review is opened at once if the stage, the case or the evidence at the API changed, or if the
        last review ended without an answer. It is opened at once, but only once, if the dispute was approved
        and then ended ``refused`` or ``held``. Any other open dispute is reviewed again when one of ``hours``
        before its due date has passed since the last review. A rejected dispute is reviewed again only at the
        first of these hours, even if the evidence at the API changed.

        :param answer: the result of the last review; None while it has none.
        :param case_digest: the digest of the case.
        :param found: the dispute and its evidence at the API.
        :param hours: hours before the due date at which to ask again; none by default.
        :param ended: whether the run of the last review has ended; False by default.
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

    def history_with(self, answer: ReviewAnswer | None) -> tuple[str, ...]:
        """Return the history of the dispute with this review added.

        :param answer: the result of this review; None if it has none.
        """
        if answer and answer.review == self.review:
            line = answer.summary
        else:
            when = f" on {_minute(self.at)}" if self.at else ""
            line = f"review opened{when}, not answered"
        return (*self.history, line)[-_LONGEST_HISTORY:]


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """The result of a review for one dispute.

    :param review: DAG id and run id of the review, as ``dag_id/run_id``.
    :param action: the reviewer's choice; None if there was no answer.
    :param who: the reviewer.
    :param why: a description of the choice, without any text of the reviewer or the customer.
    :param at: when the reviewer answered.
    :param state: the dispute's state at the end of the run; None while it is not known.
    :param reason: the reason of that state, if the dispute was approved.
    :param place: the review's task id and map index, as ``review/-1``; empty in ends.
    """

    review: str
    action: str | None = None
    who: str = ""
    why: str = ""
    at: _Time | None = None
    state: str | None = None
    reason: str = ""
    place: str = ""

    @classmethod
    def read(cls, stored: Any) -> ReviewAnswer | None:
        """Parse a stored entry; return None if it is unreadable."""
        try:
            return msgspec.convert(stored, cls)
        except msgspec.ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it is stored, without empty values."""
        stored: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in stored.items() if value or name == "action"}

    def with_end(self, end: ReviewAnswer | None) -> ReviewAnswer:
        """Return the answer with the dispute's end, unless that end belongs to an earlier answer."""
        if end is None or (end.action, end.at) != (self.action, self.at):
            return self
        return replace(self, state=end.state, reason=end.reason)

    @property
    def is_final_call(self) -> bool:
        """Whether the reviewer chose to submit or to concede."""
        return self.action in (SUBMIT, CONCEDE)

    @property
    def failed(self) -> bool:
        """Whether the dispute was approved but certainly not sent."""
        return self.is_final_call and self.state in _FAILED

    @property
    def is_over(self) -> bool:
        """Whether this stage needs no further action: it was answered, conceded or rejected."""
        return self.action == REJECT or self.state in _SETTLED

    @property
    def summary(self) -> str:
        """The decision, who made it and when, and how the dispute ended, in one line."""
        if self.action is None:
            return one_line(self.why) or "no reviewer answered"
        by = ", ".join([*([person(self.who)] if self.who else []), *([_minute(self.at)] if self.at else [])])
        summary = f"{self.why or self.action}{f' – {by}' if by else ''}"
        if self.is_final_call and self.state:
            summary += f", then {self.state}: {self.reason[:_LONGEST_REASON]}"
        elif self.is_final_call:
            summary += ", but how it ended is not known"
        return one_line(summary)


def remember(
    memory: Mapping[str, Any],
    records: Iterable[Record],
    still_open: Iterable[str],
    review: str,
    until: datetime | None,
    answers: Mapping[str, ReviewAnswer] | None = None,
    at: datetime | None = None,
) -> Reviewed:
    """Return the sweep's memory after opening a review, without disputes that are no longer open.

    If a sweep is retried, entries of the same review stay unchanged.

    :param memory: the memory before.
    :param records: the staged records under review.
    :param still_open: the ids of all other open disputes.
    :param review: DAG id and run id of the review, as ``dag_id/run_id``.
    :param until: when the review times out; None if it never does.
    :param answers: the results of earlier reviews, by dispute; none by default.
    :param at: when the review was opened; None by default.
    """
    kept = set(still_open)
    after = dict(memory)
    for record in records:
        if not record.case_digest or not record.fingerprint:
            continue
        kept.add(record.dispute)
        before = LastReview.find(memory, record.dispute)
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
    return replace(new, failed=failed, history=before.history_with(answer))


def with_history(memory: Mapping[str, Any], answers: Mapping[str, ReviewAnswer], record: Record) -> Record:
    """Return a record with one note for each earlier review of its stage."""
    before = LastReview.find(memory, record.dispute)
    if before is None or before.opening != opening(record):
        return record
    past = [f"reviewed before: {line}" for line in before.history_with(answers.get(record.dispute))]
    return msgspec.structs.replace(record, notes=(*record.notes, *past))


def review_name(memory: Mapping[str, Any], records: Iterable[Record]) -> str:
    """Return the name of a review, hexadecimal, from its records and their previous reviews.

    A retried sweep gets the same name; a later review of the same records gets another.
    """

    def about(record: Record) -> list[str]:
        before = LastReview.find(memory, record.dispute)
        named = (record.connection, record.dispute, record.stage, record.digest, record.case_digest)
        return [*(part or "-" for part in named), before.review if before else "-"]

    return short(sha256_of(sorted(map(about, records))))


def opening(found: Dispute | Record) -> str:
    """Return the start of the digest of a dispute's stage, due date and number of submissions."""
    due = found.due.isoformat() if isinstance(found.due, datetime) else found.due
    return short(sha256_of([found.stage, due, found.submissions]))


def short(digest: str | None) -> str:
    """Return the part of a digest that is stored."""
    return (digest or "")[:_DIGEST_LENGTH]


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
