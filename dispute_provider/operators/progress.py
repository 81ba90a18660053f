"""What outlives a try: a task that is retried or cleared goes on where it was, and sends nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from dispute_provider.operators.batch import run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# An asset is what Airflow keeps state for between runs. The store of this one counts, by stage of a dispute,
# the submissions whose end nobody knows, and names those that are under way.
SUBMISSIONS = Asset(name="dispute submissions", uri="dispute-provider://submissions")

# What nobody has looked at for so long is forgotten.
_STALE_AFTER = timedelta(days=30)


class Progress:
    """The progress of one submitting task, in Airflow's task state store; it never expires.

    Each write is a call to the API server: one per group of disputes, not one per dispute.
    """

    def __init__(self, context: Context, provider: str) -> None:
        self._store = context["task_state_store"]
        self._intended: dict[str, Any] = load(self._store, "intended")
        self._ended: dict[str, Any] = load(self._store, "ended")
        # What other runs may have under way: a worker that dies gives up its pool slot, not its request.
        self._shared = context["asset_state_store"][SUBMISSIONS]
        self._sending_key = f"sending {provider}"
        self._sending = fresh(load(self._shared, self._sending_key))
        self._before = dict(self._intended), dict(self._sending)

    def ended(self, record: Record) -> Record | None:
        """How an earlier try ended for the same approval of this dispute; None if it did not."""
        from dispute_provider.evidence.record import Record

        stored = self._ended.get(_key(record))
        return Record.from_dict(stored) if stored else None

    def intended(self, record: Record) -> bool:
        """Whether an earlier try meant to send this, and its end was not recorded."""
        return _key(record) in self._intended

    def settling(self, record: Record) -> float:
        """Seconds until an earlier send, by this run or another, has arrived or never will.

        At whichever stage it was sent: it may arrive at the one that follows.
        """
        if self.intended(record) and not self.ended(record):
            return until_settled({})
        sending = self._sending.get(_dispute(record))
        return until_settled(sending) if sending else 0.0

    def alike(self, record: Record) -> bool:
        """Whether what is under way is what this record would send, under the same key."""
        sending = self._sending.get(_dispute(record))
        return sending is None or sending["what"] == _what(record)

    def intend(self, records: Iterable[Record]) -> None:
        """Record what is about to be sent, before it is."""
        moment = now()
        for record in records:
            self._intended[_key(record)] = moment
            self._sending[_dispute(record)] = {"since": moment, "what": _what(record)}
        self._save()

    def end(self, before: Iterable[Record], after: Iterable[Record]) -> None:
        """Record the ends of a group; what is *held* was not sent by this try, and may be tried again.

        What another run has under way at the same dispute stays under way.
        """
        from dispute_provider.evidence.record import State

        intended, sending = self._before
        for one, other in zip(before, after, strict=True):
            if other.state == State.HELD:
                _put_back(self._intended, _key(one), intended)
                _put_back(self._sending, _dispute(one), sending)
                continue
            self._ended[_key(one)] = other.to_dict()
            if other.state != State.UNKNOWN:
                _put_back(self._sending, _dispute(one), {} if _key(one) in intended else sending)
            if under_way := self._sending.get(_dispute(one)):
                under_way.setdefault("until", now())
        save(self._store, "ended", self._ended)
        self._save()

    def _save(self) -> None:
        save(self._store, "intended", self._intended)
        self._shared.set(self._sending_key, self._sending)


def load(store: Any, key: str) -> dict[str, Any]:
    """What a store holds under a key; nothing, if it is no mapping."""
    stored = store.get(key)
    return stored if isinstance(stored, dict) else {}


def save(store: Any, key: str, value: dict[str, Any]) -> None:
    """Keep it for good."""
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    store.set(key, value, retention=NEVER_EXPIRE)


def _put_back(entries: dict[str, Any], key: str, before: Mapping[str, Any]) -> None:
    entries.pop(key, None)
    if key in before:
        entries[key] = before[key]


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


def fresh(entries: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody has looked at for long."""
    oldest = datetime.now(UTC) - _STALE_AFTER
    return {name: entry for name, entry in entries.items() if datetime.fromisoformat(entry["since"]) > oldest}


def until_settled(entry: Mapping[str, Any]) -> float:
    """Seconds; all of them where no end was recorded, for the worker may have died just now."""
    from dispute_provider.hooks.protocol import SETTLED_AFTER

    if not (until := entry.get("until")):
        return SETTLED_AFTER
    return max(0.0, SETTLED_AFTER - (datetime.now(UTC) - datetime.fromisoformat(until)).total_seconds())


def _what(record: Record) -> list[str]:
    """What tells two sends of one stage apart, as their idempotency keys do."""
    return [record.digest or "", str(record.approval.attempt if record.approval else 1)]


def _key(record: Record) -> str:
    """One approval: a new one, after the task was cleared, is not answered with the end of an old one."""
    return record.approval.signature if record.approval else record.dispute


def note_last_answers(context: Context, review: str, records: Iterable[Record]) -> None:
    """Note the last answers to a review; those that were given to it before are taken back.

    :param review: which of the run's reviews.
    """
    approvals: dict[str, Any] = {
        record.dispute: _key(record)
        for record in records
        if record.approval and record.approval.review == review
    }
    context["asset_state_store"][SUBMISSIONS].set(_answers(context, review), approvals)


def last_answers(context: Context, review: str) -> dict[str, Any]:
    """The signatures of the last answers to a review of this run, by dispute."""
    return load(context["asset_state_store"][SUBMISSIONS], _answers(context, review))


def _answers(context: Context, review: str) -> str:
    return f"answers {run_key(context)}/{review}"


def unknown_ends(context: Context, record: Record) -> list[str]:
    """The approvals of this stage whose submission ended *unknown* before."""
    counted = context["asset_state_store"][SUBMISSIONS].get(_stage(record))
    return list(map(str, counted)) if isinstance(counted, list) else []


def count_unknown_end(context: Context, record: Record) -> None:
    """One more, however often it is said: a person who approves again gets a new idempotency key."""
    counted, this = unknown_ends(context, record), _key(record)[:16]
    if this not in counted:
        context["asset_state_store"][SUBMISSIONS].set(_stage(record), [*counted, this])


def _dispute(record: Record) -> str:
    return "/".join(part or "-" for part in (record.provider, record.account, record.dispute))


def _stage(record: Record) -> str:
    return f"{_dispute(record)}/{record.stage or '-'}/{record.submissions or '-'}"
