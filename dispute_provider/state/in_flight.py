"""Submissions in flight: they may reach the API late, so other tasks with the same dispute wait for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dispute_provider.state.approvals import SUBMISSIONS, dispute_of
from dispute_provider.state.stores import fresh, load, now, run_key, seconds_until_settled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# No group of disputes takes so long: the task that noted it has ended.
_ABANDONED_AFTER = timedelta(days=1)
# How often a name that another task has overwritten is written again.
_TRIES = 5


class InFlight:
    """Notes what this task sends, and reads what other tasks may have in flight.

    A worker that dies gives up its slot in a pool, not its request, and others can only wait for that one.

    Airflow's store between runs has no lock: the last write wins. So each task has a key of its own, which no
    other writes, and one more key names the tasks. Only there may one undo what another writes at the same
    moment: the other is not seen then until its next group, when it looks whether it is still named. A task
    notes what it sends before it reads what others do: of two that meet, at least one sees the other.
    """

    def __init__(self, context: Context, provider: str) -> None:
        instance = context["ti"]
        self._store = context["asset_state_store"][SUBMISSIONS]
        self._provider = provider
        # A run's id may be as long as a key.
        self._name = sha256(
            f"{run_key(context)}/{instance.task_id}/{instance.map_index}".encode()
        ).hexdigest()[:16]
        # What an earlier try has left stays until the end of the same dispute is known.
        self._left: dict[str, Any] = fresh(load(self._store, self._key(self._name)), _ABANDONED_AFTER)
        self._own = dict(self._left)
        self._others: list[dict[str, Any]] = []
        self._noted = False

    def note(self, records: Iterable[Record]) -> None:
        """Note what is about to be sent; then look at what others have noted."""
        moment = now()
        self._own = {dispute: entry for dispute, entry in self._own.items() if seconds_until_settled(entry)}
        self._own |= {
            dispute_of(record): {"since": moment, "what": _submission_of(record)} for record in records
        }
        self._store.set(self._key(self._name), self._own)
        self._noted = True
        self._others = [load(self._store, self._key(name)) for name in self._join() if name != self._name]

    def _join(self) -> dict[str, Any]:
        """Return this task, and the others that may have something in flight."""
        for _ in range(_TRIES):
            tasks = load(self._store, self._tasks)
            named = fresh(tasks, _ABANDONED_AFTER)
            if self._name in named:
                return named
            for name in tasks.keys() - named.keys():
                self._store.delete(self._key(name))
            at_work = {name: entry for name, entry in named.items() if self._store.get(self._key(name))}
            self._store.set(self._tasks, {**at_work, self._name: {"since": now()}})
        return fresh(load(self._store, self._tasks), _ABANDONED_AFTER)

    def seconds_until_settled(self, record: Record) -> float:
        """Seconds until what others sent, or an earlier try for another approval, has arrived or never will.

        At whichever stage it was sent: it may arrive at the one that follows.
        """
        return max(map(seconds_until_settled, self._earlier_entries(record)), default=0.0)

    def same_submission(self, record: Record) -> bool:
        """Whether everything in flight is what this record would send, under the same key."""
        return all(
            entry["what"] == _submission_of(record)
            for entry in self._earlier_entries(record)
            if seconds_until_settled(entry)
        )

    def is_shared(self, record: Record) -> bool:
        """Whether another task has the same submission in flight, or had when this one looked before."""
        names = fresh(load(self._store, self._tasks), _ABANDONED_AFTER).keys() - {self._name}
        others = [*self._others, *(load(self._store, self._key(name)) for name in names)]
        entries = [noted[dispute] for noted in others if (dispute := dispute_of(record)) in noted]
        return any(
            entry["what"] == _submission_of(record) and seconds_until_settled(entry) for entry in entries
        )

    def _earlier_entries(self, record: Record) -> list[dict[str, Any]]:
        dispute = dispute_of(record)
        return [entries[dispute] for entries in (self._left, *self._others) if dispute in entries]

    def arrived(self, record: Record) -> None:
        """Note that its end is known: nothing of it is in flight, by this try or an earlier one."""
        self._own.pop(dispute_of(record), None)

    def not_sent(self, record: Record) -> None:
        """Note that this try has nothing of it in flight; what an earlier one has left stays."""
        dispute = dispute_of(record)
        self._own.pop(dispute, None)
        if dispute in self._left:
            self._own[dispute] = self._left[dispute]

    def abandoned(self, record: Record) -> None:
        """Note that nobody waits for it any more: from now on it arrives within a known time, or never."""
        self._own.get(dispute_of(record), {}).setdefault("until", now())

    def close(self) -> None:
        """Note that this task sends nothing more."""
        if self._own:
            self._store.set(self._key(self._name), self._own)
        elif self._noted:
            self._store.delete(self._key(self._name))

    @property
    def _tasks(self) -> str:
        return f"sending {self._provider}"

    def _key(self, name: str) -> str:
        return f"sending {self._provider} {name}"


def _submission_of(record: Record) -> list[str]:
    """Return what distinguishes two submissions of one stage, as their idempotency keys do."""
    return [(record.digest or "")[:16], str(record.approval.attempt if record.approval else 1)]
