"""What outlives a try: a task that is retried or cleared goes on where it was, and sends nothing twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# Its state store counts, by stage of a dispute, the submissions whose end nobody knows.
# (An asset is what Airflow keeps state for between runs.)
SUBMISSIONS = Asset(name="dispute submissions", uri="dispute-provider://submissions")

# So long after a send whose end nobody saw, it has arrived or never will: twice the longest time limit.
_SETTLED_AFTER = timedelta(seconds=180)


class Progress:
    """The progress of one submitting task, in Airflow's task state store; it never expires.

    Each write is a call to the API server: one per group of disputes, not one per dispute.
    """

    def __init__(self, context: Context) -> None:
        self._store = context["task_state_store"]
        self._intended: dict[str, str] = self._load("intended")
        self._ended: dict[str, Any] = self._load("ended")

    def _load(self, key: str) -> dict[str, Any]:
        stored = self._store.get(key)
        return stored if isinstance(stored, dict) else {}

    def _save(self, key: str, value: dict[str, Any]) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(key, value, retention=NEVER_EXPIRE)

    def ended(self, record: Record) -> Record | None:
        """How an earlier try ended for the same approval of this dispute; None if it did not."""
        from dispute_provider.evidence.record import Record

        stored = self._ended.get(_key(record))
        return Record.from_dict(stored) if stored else None

    def intended(self, record: Record) -> datetime | None:
        """When an earlier try meant to send this, if its end was not recorded."""
        stored = self._intended.get(_key(record))
        return datetime.fromisoformat(stored) if stored else None

    def unsettled(self, records: Iterable[Record]) -> float:
        """Seconds until the last send of an earlier try has arrived or never will."""
        intended = [when for record in records if (when := self.intended(record))]
        if not intended:
            return 0.0
        return max(0.0, (max(intended) + _SETTLED_AFTER - datetime.now(UTC)).total_seconds())

    def intend(self, records: Iterable[Record]) -> None:
        """Record what is about to be sent, before it is."""
        now = datetime.now(UTC).isoformat()
        self._intended |= {_key(record): now for record in records}
        self._save("intended", self._intended)

    def end(self, before: Iterable[Record], after: Iterable[Record]) -> None:
        """Record the ends of a group; what is *held* was not sent, and may be tried again."""
        from dispute_provider.evidence.record import State

        for one, other in zip(before, after, strict=True):
            if other.state == State.HELD:
                self._intended.pop(_key(one), None)
            else:
                self._ended[_key(one)] = other.to_dict()
        self._save("ended", self._ended)
        self._save("intended", self._intended)


def _key(record: Record) -> str:
    """One approval: a new one, after the task was cleared, is not answered with the end of an old one."""
    return record.approval.signature if record.approval else record.dispute


def unknown_ends(context: Context, record: Record) -> int:
    """How many submissions of this stage ended *unknown* before."""
    counted = context["asset_state_store"][SUBMISSIONS].get(_stage(record))
    return counted if isinstance(counted, int) else 0


def count_unknown_end(context: Context, record: Record) -> None:
    """One more: a person who approves again gets a new idempotency key."""
    context["asset_state_store"][SUBMISSIONS].set(_stage(record), unknown_ends(context, record) + 1)


def _stage(record: Record) -> str:
    return "/".join(
        str(part or "-")
        for part in (record.provider, record.account, record.dispute, record.stage, record.submissions)
    )
