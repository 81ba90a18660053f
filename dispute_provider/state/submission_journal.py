"""Keep the journal of a submitting task, from which a retried or cleared task continues."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from dispute_provider.state.approvals import approval_of
from dispute_provider.state.in_flight import InFlight

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# Of an approval: state, reason and request id of its end; None while it is only meant to be sent.
_Page = dict[str, Any]


class SubmissionJournal:
    """The journal of one submitting task at one API, in Airflow's task state store; it never expires.

    Each write is a call to the API server: one before a group of disputes is sent and one after, of that
    group alone. A group is a page, and each try writes pages of its own: a worker that was given up, and goes
    on all the same, overwrites nothing that its successor has noted.
    """

    def __init__(self, context: Context, provider: str) -> None:
        self._store = context["task_state_store"]
        self._provider = provider
        self._try = int(context["ti"].try_number)
        self._in_flight = InFlight(context, provider)
        self._page: _Page = {}
        # What earlier tries meant to send, and how it ended.
        self._earlier: set[str] = set()
        self._ends: dict[str, list[Any]] = {}
        for number in range(1, self._try + 1):
            self._number = self._read(number)

    def _read(self, number: int) -> int:
        """Read the pages of a try; how many there are."""
        for page in count():
            stored = self._store.get(self._key(number, page))
            if not isinstance(stored, dict):
                return page
            self._earlier |= stored.keys()
            self._ends |= {approval: end for approval, end in stored.items() if isinstance(end, list)}
        raise AssertionError("unreachable")

    def ended(self, record: Record) -> Record | None:
        """How the same approval of this dispute ended before; None if it did not."""
        from dispute_provider.evidence.record import State

        if not (end := self._ends.get(approval_of(record))):
            return None
        state, reason, request_id = end
        return record.ended(State(state), reason, request_id)

    def intended(self, record: Record) -> bool:
        """Whether an earlier try meant to send this."""
        return approval_of(record) in self._earlier

    def seconds_until_settled(self, record: Record) -> float:
        """Seconds until an earlier send, by this run or another, has arrived or never will."""
        from dispute_provider.transport import timeouts

        if self.intended(record) and not self.ended(record):
            # That worker may have died just now.
            return timeouts.SETTLED_AFTER
        return self._in_flight.seconds_until_settled(record)

    def same_submission(self, record: Record) -> bool:
        """Whether everything in flight is what this record would send, under the same key."""
        return self._in_flight.same_submission(record)

    def is_shared(self, record: Record) -> bool:
        """Whether another task has the same submission in flight."""
        return self._in_flight.is_shared(record)

    def intend(self, records: Iterable[Record]) -> None:
        """Record what is about to be sent, before it is."""
        records = list(records)
        self._page = {approval_of(record): None for record in records}
        self._save()
        self._in_flight.note(records)

    def end(self, before: Iterable[Record], after: Iterable[Record]) -> None:
        """Record the ends of a group; what is *held* was not sent by this try, and may be tried again."""
        from dispute_provider.evidence.record import State

        for one, other in zip(before, after, strict=True):
            approval = approval_of(one)
            if other.state == State.HELD:
                self._page.pop(approval, None)
                self._in_flight.not_sent(one)
                continue
            self._page[approval] = self._ends[approval] = [str(other.state), other.reason, other.request_id]
            if other.state != State.UNKNOWN:
                if self.intended(one):
                    self._in_flight.arrived(one)
                    continue
                # What an earlier try has sent for another approval is still under way.
                self._in_flight.not_sent(one)
            self._in_flight.abandoned(one)
        self._save()
        self._page = {}
        self._number += 1

    def close(self) -> None:
        """Note that this try sends nothing more."""
        self._in_flight.close()

    def _save(self) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(self._key(self._try, self._number), self._page, retention=NEVER_EXPIRE)

    def _key(self, number: int, page: int) -> str:
        return f"{self._provider} {number}.{page}"
