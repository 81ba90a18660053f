"""Group the approved records of each dispute: one is sent, and the others share its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dispute_provider._state.approvals import approval_of, dispute_of

if TYPE_CHECKING:
    from dispute_provider._evidence.record import Record


class DisputeGroup:
    """The approved records of one dispute, in the order in which they may be sent.

    If a record is refused, the next one with different evidence is sent: only one version of a case can match
    what the dispute holds. If a record finds the dispute answered, the others look up their own ends, because
    an earlier try of the task may have sent one of them.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._left = list(records)

    @property
    def next(self) -> Record | None:
        """The record to send now; None once all have ended."""
        return self._left[0] if self._left else None

    def settle(self, end: Record) -> list[Record]:
        """Remove the next record, and return the ends of the other records that its end decides.

        :param end: the end of the next record.
        """
        from dispute_provider._evidence.record import State

        first, *others = self._left
        decided = [
            record
            for record in others
            if end.state not in (State.REFUSED, State.ALREADY_SUBMITTED)
            or _submission(record) == _submission(first)
        ]
        self._left = [record for record in others if record not in decided]
        return [_shared_end(record, first, end) for record in decided]


class Repeated:
    """Finds the records of disputes that have several in one task. It keeps a hash of each dispute.

    :ivar approved: number of approved records.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.approved = 0
        once: set[int] = set()
        self._several: set[int] = set()
        for record in records:
            self.approved += record.state == "approved"
            name = hash(dispute_of(record))
            (self._several if name in once else once).add(name)

    def __contains__(self, record: Record) -> bool:
        return hash(dispute_of(record)) in self._several


def by_dispute(records: Iterable[Record]) -> list[DisputeGroup]:
    """Return the records grouped by dispute; a record given twice counts once."""
    groups: dict[str, dict[str, Record]] = {}
    for record in records:
        groups.setdefault(dispute_of(record), {}).setdefault(approval_of(record), record)
    return [DisputeGroup(group.values()) for group in groups.values()]


def _submission(record: Record) -> tuple[str | None, str | None]:
    """Return what a record would send: its action and the digest of its evidence."""
    return (record.approval.action if record.approval else None, record.digest)


def _shared_end(record: Record, first: Record, end: Record) -> Record:
    from dispute_provider._evidence.record import State

    if _submission(record) == _submission(first):
        reason = f"another approved record of this dispute with the same evidence came first: {end.reason}"
        return replace(record.ended(end.state, reason, end.request_id), retry_after=end.retry_after)
    if end.state == State.HELD:
        reason = f"another approved record of this dispute comes first: {end.reason}"
        return replace(record.ended(State.HELD, reason), retry_after=end.retry_after)
    was = "may have been sent" if end.state == State.UNKNOWN else "was sent"
    reason = f"another approved record of this dispute {was} and ended {end.state}; this one was not sent"
    return record.ended(State.REFUSED, reason)
