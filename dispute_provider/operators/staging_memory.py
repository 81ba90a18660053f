"""What staging remembers of a dispute between tries and runs: what is being uploaded, what is ours there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from dispute_provider.operators.progress import fresh, load, now, until_settled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# Its state store names the disputes that are just being staged, at an API whose uploads have no key, and the
# marks of what we have put on each.
UPLOADS = Asset(name="dispute uploads", uri="dispute-provider://uploads")
# Marks of many disputes stand under one key: a write to a store costs as much as a request.
_BUCKETS = 16
# Longer than any network lets a dispute go on.
_FORGOTTEN_AFTER = timedelta(days=400)


class StagingMemory:
    """The memory of one staging task.

    What is being uploaded is recorded before the first upload, for the next run to tidy up; what is ours is
    recorded once, when all of the batch is staged: what a broken try has left is recognised by its contents.
    """

    def __init__(self, context: Context, provider: str) -> None:
        self._shared = context["asset_state_store"][UPLOADS]
        self._provider = provider
        self._begun_key = f"uploading {provider}"
        self._begun = fresh(load(self._shared, self._begun_key))
        # What a broken try has left under way is waited for from here on: once, not anew for each dispute.
        self._opened = now()
        self._ours: dict[str, dict[str, Any]] = {}
        self._new_marks: dict[str, frozenset[str]] = {}

    def of(self, dispute: str) -> DisputeMemory:
        """What is remembered of one dispute."""
        key = self._bucket(dispute)
        if key not in self._ours:
            self._ours[key] = load(self._shared, key)
        known = self._ours[key].get(dispute) or {}
        begun = self._begun.get(dispute)
        begun = {"until": self._opened, **begun} if begun else None
        return DisputeMemory(self, dispute, begun, frozenset(known.get("marks") or ()))

    def begin(self, dispute: str, items: Iterable[str]) -> None:
        """Record what is there, before anything is uploaded."""
        self._begun[dispute] = {"since": now(), "items": sorted(items)}
        self._shared.set(self._begun_key, self._begun)

    def remember(self, dispute: str, marks: frozenset[str]) -> None:
        """Take down what is ours, to be recorded at the end."""
        self._new_marks[dispute] = marks

    def end(self, records: Iterable[Record]) -> None:
        """Record what is ours, and forget what is staged; what is not may have left something behind."""
        from dispute_provider.evidence.record import State

        self._save_marks()
        for record in records:
            if record.dispute not in self._begun:
                continue
            if record.state == State.STAGED:
                del self._begun[record.dispute]
            else:
                self._begun[record.dispute]["until"] = now()
        self._shared.set(self._begun_key, self._begun)

    def _save_marks(self) -> None:
        oldest = (datetime.now(UTC) - _FORGOTTEN_AFTER).isoformat()
        new: dict[str, dict[str, Any]] = {}
        for dispute, marks in self._new_marks.items():
            new.setdefault(self._bucket(dispute), {})[dispute] = {"since": now(), "marks": sorted(marks)}
        for key in sorted(new):
            # Another task may have written meanwhile.
            known = load(self._shared, key)
            known = {dispute: entry for dispute, entry in known.items() if entry["since"] > oldest}
            self._shared.set(key, known | new[key])

    def _bucket(self, dispute: str) -> str:
        return f"ours {self._provider} {hashlib.sha256(dispute.encode()).digest()[0] % _BUCKETS}"


class DisputeMemory:
    """Outlives a try: see :class:`~dispute_provider.hooks.api.Memory`.

    :param settling: seconds until an upload of an earlier try has arrived or never will.
    """

    def __init__(
        self, staging: StagingMemory, dispute: str, begun: Mapping[str, Any] | None, ours: frozenset[str]
    ) -> None:
        self._staging, self._dispute = staging, dispute
        self.ours = ours
        self.first_seen = frozenset(begun["items"]) if begun else None
        self.settling = until_settled(begun) if begun else 0.0

    def begin(self, items: frozenset[str]) -> None:
        self.first_seen = items if self.first_seen is None else self.first_seen
        self._staging.begin(self._dispute, self.first_seen)

    def remember(self, marks: frozenset[str]) -> None:
        self._staging.remember(self._dispute, marks)

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        from dispute_provider.evidence.snapshot import canonical_json
        from dispute_provider.operators import evidence_store

        return evidence_store.put(canonical_json(dict(evidence)))
