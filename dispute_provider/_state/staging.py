"""Remember between tries and runs which uploads are in flight, and what on a dispute is ours."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from dispute_provider._state.stores import Key, fresh, load, now, run_key, seconds_until_settled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.replacing import Replacement

# Its state store names the disputes that are just being staged, at an API whose uploads have no key, and the
# marks of what we have put on each.
UPLOADS = Asset(name="dispute uploads", uri="dispute-provider://uploads")
# Disputes whose documents are being uploaded, with what they held before.
UPLOADING = Key(UPLOADS, "uploading {provider}")
# What we have put on disputes; a bucket holds those of many.
OURS = Key(UPLOADS, "ours {provider} {bucket}")
# Tasks that are about to replace evidence.
REPLACING = Key(UPLOADS, "replacing {provider}")
# What one of them is about to replace on a dispute.
REPLACEMENT = Key(UPLOADS, "replacing {provider} {dispute}")
# The same, kept with the task for its later tries; a page holds those of many disputes.
REPLACED = Key(None, "replaced {page}")
# Marks of many disputes stand under one key: a write to a store costs as much as a request.
_BUCKETS = 8
# The marks of so many disputes are kept back before they are written: a write is of all that stands there.
_KEPT_BACK = 4000
# Notes of what was replaced under one key of the task: that stays below the size that Airflow warns of.
_NOTES_PER_KEY = 50
# Longer than any network lets a dispute go on.
_FORGOTTEN_AFTER = timedelta(days=400)


class StagingMemory:
    """The memory of one staging task.

    What is being uploaded is recorded before the first upload, for the next run to tidy up; what is ours is
    recorded for some thousand disputes at a time: what a broken try has left is recognised by its contents.

    What is about to be replaced is noted before the write, under a key of its own for each dispute. The note
    stays until the task has ended, and is then kept with the task: a later try of it finds it there. To look
    for a note takes as long as a request, so one more key names the tasks that have any.

    A dispute's marks are one string, the day first: a hundred thousand of them must fit beside the rest.
    """

    def __init__(self, context: Context, provider: str) -> None:
        self._shared = UPLOADING.store(context)
        self._provider = provider
        self._begun_key = UPLOADING.name(provider=provider)
        self._begun = fresh(load(self._shared, self._begun_key))
        # What a broken try has left under way is waited for from here on: once, not anew for each dispute.
        self._opened = now()
        self._today = datetime.now(UTC).date().isoformat()
        self._ours: dict[str, dict[str, str]] = {}
        self._new: dict[str, str] = {}
        self._staged: set[str] = set()
        self._own_begun: set[str] = set()
        self._save_at = _KEPT_BACK
        self._own = REPLACED.store(context)
        self._replaced: dict[str, Any] = _pages(self._own)
        self._noted: dict[str, Any] = {}
        self._context = context
        self._noting_key = REPLACING.name(provider=provider)
        self._others_noted = bool(load(self._shared, self._noting_key))

    def of(self, dispute: str) -> StoredDisputeMemory:
        """What is remembered of one dispute."""
        begun = self._begun.get(dispute)
        begun = {"until": self._opened, **begun} if begun else None
        return StoredDisputeMemory(self, dispute, begun)

    def look_again(self, dispute: str) -> Mapping[str, Any] | None:
        """Return the entry of anybody's unfinished uploads to a dispute; None if there is none."""
        entry: Mapping[str, Any] | None = load(self._shared, self._begun_key).get(dispute)
        if entry:
            self._begun[dispute] = dict(entry)
        self._ours.pop(self._bucket(dispute), None)
        return entry

    def marks(self, dispute: str) -> frozenset[str]:
        """What earlier runs have put there."""
        key = self._bucket(dispute)
        if key not in self._ours:
            self._ours[key] = self._load(key)
        _, *marks = self._ours[key].get(dispute, "").split(" ")
        return frozenset(marks)

    def begin(self, dispute: str, items: Iterable[str], link: int = 0) -> None:
        """Record what is there, before anything is uploaded.

        :param link: the number of the ledger's link under which it is; 0, the default, where there is none.
        """
        self._begun[dispute] = {"since": now(), "items": sorted(items), "link": link}
        self._own_begun.add(dispute)
        self._save_begun({})

    def remember(self, dispute: str, marks: frozenset[str]) -> None:
        """Take down what is ours, to be recorded later."""
        self._new[dispute] = " ".join([self._today, *sorted(marks)])

    def end(self, record: Record) -> None:
        """Take down how staging ended; what is not staged may have left something behind."""
        from dispute_provider._evidence.record import State

        if record.dispute in self._begun:
            if record.state == State.STAGED:
                self._staged.add(record.dispute)
            else:
                self._begun[record.dispute]["until"] = now()
                if record.dispute in self._own_begun:
                    # Now, and not again: by the time the task ends, another may have begun or tidied up.
                    self._save_begun({})
            self._own_begun.discard(record.dispute)
        if len(self._new) >= self._save_at:
            # Where it cannot be recorded now, it is when as many more have come.
            self._save_at = len(self._new) + _KEPT_BACK
            self._save({name: entry for name, entry in self._new.items() if name not in self._noted})
            self._save_at = len(self._new) + _KEPT_BACK

    def replacement(self, dispute: str, marks: frozenset[str]) -> Replacement | None:
        """Return what a broken try, of this task or another, has noted that it was about to replace.

        :param marks: of what the dispute holds: what is not ours may be that of a broken task.
        """
        from dispute_provider._evidence.replacing import Replacement

        stored = self._replaced.get(dispute)
        if stored is None and (self._others_noted or marks - self.marks(dispute)):
            stored = self._shared.get(self._note_key(dispute))
        return Replacement.read(stored)

    def note(self, dispute: str, replacement: Replacement) -> None:
        """Record what is about to be replaced."""
        if not self._noted:
            noting = fresh(load(self._shared, self._noting_key))
            self._shared.set(self._noting_key, {**noting, _name_of(self._context): {"since": now()}})
        self._noted[dispute] = {"by": self._opened, **replacement.to_dict()}
        self._shared.set(self._note_key(dispute), self._noted[dispute])

    def finish(self) -> None:
        """Record what is ours, now that all disputes have ended."""
        noted = {
            name: {**entry, "is_written": True} for name, entry in self._noted.items() if name in self._new
        }
        if noted:
            # First of all: once it is ours, nobody looks for a note.
            entries = list({**self._replaced, **noted}.items())
            for page, start in enumerate(range(0, len(entries), _NOTES_PER_KEY)):
                self._own.set(REPLACED.name(page=page), dict(entries[start : start + _NOTES_PER_KEY]))
        self._save(self._new)
        for dispute, entry in noted.items():
            # Another task may have noted its own meanwhile.
            if load(self._shared, self._note_key(dispute)).get("by") == entry["by"]:
                self._shared.delete(self._note_key(dispute))
        if noted and len(noted) == len(self._noted):
            noting = load(self._shared, self._noting_key)
            noting.pop(_name_of(self._context), None)
            self._shared.set(self._noting_key, noting)

    def _save(self, marks: Mapping[str, str]) -> None:
        """Record what is ours, and then forget that what is staged was under way."""
        oldest = (datetime.now(UTC) - _FORGOTTEN_AFTER).date().isoformat()
        new: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for dispute, entry in marks.items():
            new[self._bucket(dispute)][dispute] = entry
        for key in sorted(new):
            # Another task may have written meanwhile.
            known = {dispute: entry for dispute, entry in self._load(key).items() if entry >= oldest}
            self._shared.set(key, known | new[key])
        self._new = {dispute: entry for dispute, entry in self._new.items() if dispute not in marks}
        if self._begun:
            self._save_begun({name: self._begun.pop(name) for name in self._staged})
            self._staged.clear()

    def _save_begun(self, staged: Mapping[str, Any]) -> None:
        """Record what this task has begun; what other tasks have begun meanwhile stays.

        :param staged: entries, of this task or of others, that are over.
        """
        over = {(name, entry["since"]) for name, entry in staged.items()}
        begun = fresh(load(self._shared, self._begun_key))
        left = {name: entry for name, entry in begun.items() if (name, entry["since"]) not in over}
        own = {name: self._begun[name] for name in self._own_begun if name in self._begun}
        for name, entry in own.items():
            # Of two that claim one link, one is refused: what it saw last is not what was there first.
            if entry["link"] and (other := left.get(name)) and other.get("link") == entry["link"]:
                entry["items"] = other["items"]
        self._shared.set(self._begun_key, left | own)

    def _load(self, key: str) -> dict[str, str]:
        """The marks under a key, the day before them."""
        return {name: entry for name, entry in load(self._shared, key).items() if isinstance(entry, str)}

    def _note_key(self, dispute: str) -> str:
        # A dispute's id may be longer than a key.
        short = hashlib.sha256(dispute.encode()).hexdigest()[:32]
        return REPLACEMENT.name(provider=self._provider, dispute=short)

    def _bucket(self, dispute: str) -> str:
        bucket = hashlib.sha256(dispute.encode()).digest()[0] % _BUCKETS
        return OURS.name(provider=self._provider, bucket=bucket)


class StoredDisputeMemory:
    """Memory in Airflow's state stores; see :class:`~dispute_provider._apis.memory.DisputeMemory`.

    :param seconds_until_settled: seconds until an upload of an earlier try has arrived or never will.
    """

    def __init__(self, staging: StagingMemory, dispute: str, begun: Mapping[str, Any] | None) -> None:
        self._staging, self._dispute, self._begun = staging, dispute, begun
        self.first_seen = frozenset(begun["items"]) if begun else None
        self.link = 0
        self.seconds_until_settled = seconds_until_settled(begun) if begun else 0.0

    @property
    def ours(self) -> frozenset[str]:
        return self._staging.marks(self._dispute)

    def look_again(self) -> None:
        if begun := self._staging.look_again(self._dispute):
            self._begun, self.first_seen = begun, frozenset(begun["items"])

    def forget_tries_before(self, link: int) -> None:
        if self._begun is None:
            return
        self.look_again()
        if self._begun.get("link", link) < link:
            self.first_seen = None

    def begin(self, items: frozenset[str]) -> None:
        self.first_seen = items if self.first_seen is None else self.first_seen
        self._staging.begin(self._dispute, self.first_seen, self.link)

    def remember(self, marks: frozenset[str]) -> None:
        self._staging.remember(self._dispute, marks)

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        from dispute_provider._evidence.snapshot import canonical_json
        from dispute_provider._state import evidence_store

        return evidence_store.put(canonical_json(dict(evidence)))

    def kept(self, sha256: str | None) -> dict[str, Any] | None:
        from dispute_provider._state import evidence_store

        content = evidence_store.get(sha256) if sha256 else None
        return json.loads(content) if content else None

    def replacement(self, marks: frozenset[str]) -> Replacement | None:
        return self._staging.replacement(self._dispute, marks)

    def note(self, replacement: Replacement) -> None:
        self._staging.note(self._dispute, replacement)


def _name_of(context: Context) -> str:
    """Return what names a task of a run, the same for all its tries."""
    instance = context["ti"]
    name = f"{run_key(context)}/{instance.task_id}/{instance.map_index}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _pages(store: Any) -> dict[str, Any]:
    """Return the notes that earlier tries of this task have kept with it."""
    notes: dict[str, Any] = {}
    page = 0
    while entries := load(store, REPLACED.name(page=page)):
        notes |= entries
        page += 1
    return notes
