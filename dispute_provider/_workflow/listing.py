"""Report the open disputes of a connection in the states that a sweep knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dispute_provider._evidence.record import REJECT, Record, State, by_due_date, record_of

if TYPE_CHECKING:
    from dispute_provider._apis.listing import Unreadable
    from dispute_provider._cases.open_disputes import OpenCases
    from dispute_provider._evidence.snapshot import Dispute
    from dispute_provider._state.sweep import LastReview, ReviewAnswer

NO_CASE_FOUND = "no case was found for it"
CASE_REFUSED = "its case cannot be used; the task stage says why"
PAST_DUE = "its due date has passed"
NEW_CASE = "its case is new; the sweep stages it"
LISTING = "listing"
"""The XCom of the sweep's task ``find`` with ``connection``, ``records`` and ``without_case`` (ids)."""


def without_case(disputes: Iterable[Dispute], cases: OpenCases, connection: str) -> list[Record]:
    """Return a record of each dispute that no case can answer, soonest deadline first."""
    return by_due_date(
        [
            record_of(
                dispute,
                connection,
                State.HELD,
                dispute.closed or dispute.unsupported or _why_without(dispute, cases),
            )
            for dispute in disputes
            if dispute.id not in cases.disputes
        ]
    )


def _why_without(dispute: Dispute, cases: OpenCases) -> str:
    if dispute.past_due():
        return PAST_DUE
    return cases.unsuited.get(dispute.id, CASE_REFUSED if dispute.id in cases.broken else NO_CASE_FOUND)


def of_one_charge(disputes: Iterable[Dispute]) -> dict[str, list[str]]:
    """Return the ids of the disputes of each charge that has several, by the charge's id."""
    found: dict[str, list[str]] = {}
    for dispute in disputes:
        if dispute.charge:
            found.setdefault(dispute.charge, []).append(dispute.id)
    return {charge: sorted(ids) for charge, ids in found.items() if len(ids) > 1}


def unreadable_disputes(found: Iterable[Unreadable], provider: str, connection: str) -> list[Record]:
    """Return a record of each listed dispute that cannot be read."""
    return [
        Record(
            provider,
            connection,
            each.dispute or "without a readable id",
            State.HELD,
            f"the API lists it, but it cannot be read: {each.problem}",
        )
        for each in found
    ]


def listed(
    disputes: Iterable[Dispute],
    connection: str,
    reported: Mapping[str, Record],
    reviews: Mapping[str, LastReview],
    answers: Mapping[str, ReviewAnswer],
) -> list[Record]:
    """Return one record for each open dispute.

    :param reported: the records of disputes that the sweep itself reports: those without a case, and those
        that cannot be read.
    :param reviews: the last review of each dispute that had one.
    :param answers: the results of these reviews; open reviews are omitted.
    """
    return [
        reported.get(dispute.id)
        or record_of(dispute, connection, *_state(reviews.get(dispute.id), answers.get(dispute.id)))
        for dispute in disputes
    ]


def _state(review: LastReview | None, answer: ReviewAnswer | None) -> tuple[State, str]:
    if review is None:
        return State.STAGED, NEW_CASE
    if answer is None or answer.review != review.review:
        return State.STAGED, "waiting for review"
    if answer.action is None:
        return State.HELD, answer.summary
    if answer.action == REJECT:
        return State.REJECTED, answer.summary
    if answer.is_final_call:
        return State(answer.state) if answer.state in list(State) else State.APPROVED, answer.summary
    return State.HELD, answer.summary
