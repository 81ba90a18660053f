"""Track uploads in flight, and the evidence that this package wrote, between tries and runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from dispute_provider._state.store_thread import aside
from dispute_provider._state.stores import Key, fresh, load, now, run_key, state_asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.replacing import Replacement

# The state store of this asset has the uploads in flight, for APIs whose uploads have no idempotency key, and
# the marks (hashes) of the evidence that this package wrote.
UPLOADS = state_asset("dispute uploads", "dispute-provider://uploads/")
# A dispute whose documents are being uploaded, with the items that it held before.
UPLOADING = Key(UPLOADS, "uploading {provider} {dispute}")
# The marks of our evidence; each bucket has the marks of many disputes.
OURS = Key(UPLOADS, "ours {provider} {bucket}")
# Tasks that are about to replace evidence.
REPLACING = Key(UPLOADS, "replacing {provider}")
# The evidence that such a task is about to replace on one dispute.
REPLACEMENT = Key(UPLOADS, "replacing {provider} {dispute}")
# The same, in the task's own store for its later tries; each page has many disputes.
REPLACED = Key(None, "replaced {page}")
# Many disputes share a key of marks, because each write to a store takes as long as a request to an API.
_BUCKETS = 8
# Each write replaces the whole bucket, so marks are written for this many disputes at a time.
_MARKS_PER_WRITE = 4000
# Replacements per key of the task's own store; more would exceed the size at which Airflow warns.
_REPLACEMENTS_PER_KEY = 50
# Longer than a dispute can last at any network.
_MARKS_KEPT_FOR = timedelta(days=400)


class StagingMemory:
    """The memory of one staging task.

    Uploads are stored before the first of them is sent, so that the next run can clean up after a failure.
    Each dispute has its own key: with a shared one, every write would contain all disputes in flight.
    The marks of our own evidence are stored for thousands of disputes at a time, because a later try also
    recognises evidence by its content.

    Evidence that is about to be replaced is stored before the write, under one key per dispute. When the task
    ends, the entry moves to the task's own store, for its later tries. Reading an entry takes as long as a
    request to an API, so one more key has the names of the tasks that have entries.

    The marks of a dispute are stored as one string that begins with the date, to keep them small.

    Create it before work is done side by side: this calls the stores at once, and later calls are made in a
    thread.

    :param notes_uploads: whether to look for uploads in flight; False for an API whose uploads take an
        idempotency key. True by default.
    """

    def __init__(self, context: Context, provider: str, *, notes_uploads: bool = True) -> None:
        self._shared = UPLOADING.store(context)
        self._provider = provider
        self._notes_uploads = notes_uploads
        self._begun: dict[str, Mapping[str, Any] | None] = {}
        self._opened = now()
        self._today = datetime.now(UTC).date().isoformat()
        self._ours: dict[str, dict[str, str]] = {}
        self._loading, self._naming = asyncio.Lock(), asyncio.Lock()
        self._new: dict[str, str] = {}
        self._staged: set[str] = set()
        self._save_at = _MARKS_PER_WRITE
        self._own = REPLACED.store(context)
        self._replaced: dict[str, Any] = _pages(self._own)
        self._is_retry = context["ti"].try_number > 1
        self._replacing: dict[str, Any] = {}
        self._context = context
        self._replacing_key = REPLACING.name(provider=provider)
        self._others_replace = bool(load(self._shared, self._replacing_key))

    def of(self, dispute: str) -> StoredDisputeMemory:
        """Return the memory of one dispute."""
        return StoredDisputeMemory(self, dispute)

    async def begun(self, dispute: str) -> Mapping[str, Any] | None:
        """Return the entry of unfinished uploads to a dispute, by any task; None if there is none.

        The first call for a dispute reads the store.
        """
        if dispute not in self._begun:
            self._begun[dispute] = await self.stored(dispute)
        return self._begun[dispute]

    async def look_again(self, dispute: str) -> Mapping[str, Any] | None:
        """Reload the entry of unfinished uploads to a dispute; None if there is none."""
        entry = await self.stored(dispute)
        if entry or not self._begun.get(dispute):
            self._begun[dispute] = entry
        self._ours.pop(self._bucket(dispute), None)
        return entry

    async def stored(self, dispute: str) -> Mapping[str, Any] | None:
        """Read the entry of unfinished uploads to a dispute; return None if there is none."""
        if not self._notes_uploads:
            return None
        entry = await self._load(self._upload_key(dispute))
        return fresh({dispute: entry}).get(dispute) if entry else None

    async def marks(self, dispute: str) -> frozenset[str]:
        """Return the marks of the evidence that earlier runs wrote to a dispute."""
        key = self._bucket(dispute)
        async with self._loading:
            if key not in self._ours:
                self._ours[key] = await self._load_marks(key)
            _, *marks = self._ours[key].get(dispute, "").split(" ")
        return frozenset(marks)

    async def begin(
        self, dispute: str, items: Iterable[str], link: int = 0, other: Mapping[str, Any] | None = None
    ) -> None:
        """Store the items that a dispute holds before the first upload.

        :param link: the number of the ledger's link for these uploads; 0, the default, if there is none.
        :param other: the entry that is stored; None, the default, if there is none.
        """
        entry = {"since": now(), "items": sorted(items), "link": link}
        if link and other and other.get("link") == link:
            # If two tasks claim one link, keep the items of the first, because the second will be refused.
            entry["items"] = other["items"]
        self._begun[dispute] = entry
        await self._set(self._upload_key(dispute), entry)

    def remember(self, dispute: str, marks: frozenset[str]) -> None:
        """Keep the marks of our evidence on a dispute, to be stored later."""
        self._new[dispute] = " ".join([self._today, *sorted(marks)])

    async def end(self, record: Record) -> None:
        """Keep the end of a staging. Uploads of a failed staging may have reached the dispute."""
        from dispute_provider._evidence.record import State

        if record.state == State.STAGED and self._begun.get(record.dispute):
            self._staged.add(record.dispute)
        if len(self._new) >= self._save_at:
            # If this write fails, the next one follows after as many disputes again.
            self._save_at = len(self._new) + _MARKS_PER_WRITE
            marks = {name: entry for name, entry in self._new.items() if name not in self._replacing}
            await self._save(marks)
            self._save_at = len(self._new) + _MARKS_PER_WRITE

    async def replacement(self, dispute: str, marks: frozenset[str]) -> Replacement | None:
        """Return the replacement that a failed try, of this task or another, stored before its write.

        :param marks: the marks of the dispute's evidence. Unknown marks may be those of a failed task.
        """
        from dispute_provider._evidence.replacing import Replacement

        stored = self._replaced.get(dispute)
        if stored is None and (self._others_replace or marks - await self.marks(dispute)):
            stored = await self._load(self._replacement_key(dispute)) or None
        if stored is None and self._is_retry:
            # A try that was taken for dead may have moved it to the task's own store since this one began.
            self._replaced = await aside(lambda: _pages(self._own))
            stored = self._replaced.get(dispute)
        return Replacement.read(stored)

    async def note(self, dispute: str, replacement: Replacement) -> None:
        """Store the evidence that is about to be replaced."""
        async with self._naming:
            if not self._replacing:
                tasks = fresh(await self._load(self._replacing_key))
                await self._set(self._replacing_key, {**tasks, _name_of(self._context): {"since": now()}})
            self._replacing[dispute] = {"by": self._opened, **replacement.to_dict()}
        await self._set(self._replacement_key(dispute), self._replacing[dispute])

    async def finish(self) -> None:
        """Store all marks and replacements after the last dispute of the task."""
        written = {
            name: {**entry, "is_written": True}
            for name, entry in self._replacing.items()
            if name in self._new
        }
        if written:
            # Do this before the marks are stored: evidence with known marks is not looked up again.
            entries = list({**self._replaced, **written}.items())
            for page, start in enumerate(range(0, len(entries), _REPLACEMENTS_PER_KEY)):
                some = dict(entries[start : start + _REPLACEMENTS_PER_KEY])
                await aside(partial(self._own.set, REPLACED.name(page=page), some))
        await self._save(self._new)
        for dispute, entry in written.items():
            # Keep the entry if another task has stored its own since.
            await self._delete(self._replacement_key(dispute), "by", entry["by"])
        if written and len(written) == len(self._replacing):
            tasks = await self._load(self._replacing_key)
            tasks.pop(_name_of(self._context), None)
            await self._set(self._replacing_key, tasks)

    async def _save(self, marks: Mapping[str, str]) -> None:
        """Store marks, then delete the upload entries of staged disputes."""
        oldest = (datetime.now(UTC) - _MARKS_KEPT_FOR).date().isoformat()
        new: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for dispute, entry in marks.items():
            new[self._bucket(dispute)][dispute] = entry
        for key in sorted(new):
            # Another task may have written to the bucket since.
            stored = await self._load_marks(key)
            known = {dispute: entry for dispute, entry in stored.items() if entry >= oldest}
            await self._set(key, known | new[key])
        self._new = {dispute: entry for dispute, entry in self._new.items() if dispute not in marks}
        await self._forget_uploads()

    async def _forget_uploads(self) -> None:
        """Delete the upload entries of staged disputes, unless another task has stored its own since."""
        while self._staged:
            dispute = self._staged.pop()
            if entry := self._begun.pop(dispute):
                await self._delete(self._upload_key(dispute), "since", entry["since"])

    async def _load_marks(self, key: str) -> dict[str, str]:
        """Load the marks of a bucket; each entry begins with its date."""
        return {name: entry for name, entry in (await self._load(key)).items() if isinstance(entry, str)}

    async def _load(self, key: str) -> dict[str, Any]:
        return await aside(lambda: load(self._shared, key))

    async def _set(self, key: str, value: Mapping[str, Any]) -> None:
        await aside(lambda: self._shared.set(key, value))

    async def _delete(self, key: str, member: str, value: Any) -> None:
        """Delete a key if a member of its value is as expected."""

        def delete() -> None:
            if load(self._shared, key).get(member) == value:
                self._shared.delete(key)

        await aside(delete)

    def _upload_key(self, dispute: str) -> str:
        return UPLOADING.name(provider=self._provider, dispute=_short(dispute))

    def _replacement_key(self, dispute: str) -> str:
        return REPLACEMENT.name(provider=self._provider, dispute=_short(dispute))

    def _bucket(self, dispute: str) -> str:
        bucket = hashlib.sha256(dispute.encode()).digest()[0] % _BUCKETS
        return OURS.name(provider=self._provider, bucket=bucket)


class StoredDisputeMemory:
    """One dispute's memory in Airflow's state stores; see
    :class:`~dispute_provider._apis.memory.DisputeMemory`.
    """

    def __init__(self, staging: StagingMemory, dispute: str) -> None:
        self._staging, self._dispute = staging, dispute
        self._is_read = False
        self._first_seen: frozenset[str] | None = None
        self.link = 0

    async def first_seen(self) -> frozenset[str] | None:
        if not self._is_read:
            self._take(await self._staging.begun(self._dispute))
        return self._first_seen

    async def ours(self) -> frozenset[str]:
        return await self._staging.marks(self._dispute)

    async def look_again(self) -> None:
        begun = await self._staging.look_again(self._dispute)
        if begun or not self._is_read:
            self._take(begun)

    async def forget_tries_up_to(self, link: int) -> None:
        if not await self._staging.begun(self._dispute):
            return
        await self.look_again()
        begun = await self._staging.begun(self._dispute)
        if begun and begun.get("link", link) <= link:
            self._first_seen = None

    async def begin(self, items: frozenset[str]) -> None:
        stored = await self._staging.stored(self._dispute)
        if not self._is_read:
            self._take(stored)
        if self._first_seen is None:
            self._first_seen = items
        await self._staging.begin(self._dispute, self._first_seen, self.link, stored)

    def _take(self, begun: Mapping[str, Any] | None) -> None:
        self._is_read = True
        self._first_seen = frozenset(begun["items"]) if begun else None

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

    async def replacement(self, marks: frozenset[str]) -> Replacement | None:
        return await self._staging.replacement(self._dispute, marks)

    async def note(self, replacement: Replacement) -> None:
        await self._staging.note(self._dispute, replacement)


def _short(dispute: str) -> str:
    """Return a dispute's name in keys; its id may be longer than a key may be."""
    return hashlib.sha256(dispute.encode()).hexdigest()[:32]


def _name_of(context: Context) -> str:
    """Return the name of a task in a run, which is the same for all its tries."""
    instance = context["ti"]
    name = f"{run_key(context)}/{instance.task_id}/{instance.map_index}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _pages(store: Any) -> dict[str, Any]:
    """Return the replacements that earlier tries of this task stored, by dispute."""
    replacements: dict[str, Any] = {}
    page = 0
    while entries := load(store, REPLACED.name(page=page)):
        replacements |= entries
        page += 1
    return replacements
