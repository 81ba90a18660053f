"""The ledger of an episode, in memory, as its workers reach it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from dispute_provider._ledger.stores import LedgerStore, MemoryStore
from tests.chaos.facts import run_of_review
from tests.chaos.transcript import LedgerEnd
from tests.chaos.world.clock import now
from tests.chaos.world.worker import DownError, Worker, here


def new_store(skew: float) -> MemoryStore:
    """Return an empty store whose clock is so many seconds ahead."""
    return MemoryStore(lambda: now() + skew)


def final_ends(store: MemoryStore) -> Iterator[LedgerEnd]:
    """Yield the ends of final calls in a ledger."""
    ahead = store.now() - now()
    for path, (content, created) in store.files.items():
        facts = json.loads(content).get("signed", {})
        if facts.get("what") == "end" and facts.get("kind") in ("submit", "concede"):
            record = facts.get("record") or {}
            run = run_of_review(record)
            *_, dispute, _, _ = path.split("/")
            yield LedgerEnd(created - ahead, run, dispute, facts["state"])


class WorkersStore:
    """A store as one worker reaches it."""

    def __init__(self, store: LedgerStore, worker: Worker) -> None:
        self._store, self._worker = store, worker
        self._is_down = False

    def create(self, path: str, content: bytes) -> bool:
        self._worker.pass_point("before ledger")
        if _is_submission(content):
            # The claim cannot be read either, so that nobody knows whether it was created.
            self._is_down = True
            self._worker.try_store("claims", lambda: None)
            self._is_down = False
        created = self._worker.try_store("ledger", lambda: self._create(path, content))
        self._worker.pass_point("after ledger")
        return created

    def _create(self, path: str, content: bytes) -> bool:
        created = self._store.create(path, content)
        if _is_submission(content) and self._worker.is_forged:
            link, _, entry = path.rpartition("/")
            self._store.create(f"{link}/{int(entry) + 1}", _forged(content))
        # Its client may have repeated the request after the answer to the first was lost.
        return self._store.create(path, content) if self._worker.repeats_creates else created

    def list(self, folder: str) -> dict[str, float]:
        self._worker.try_store("listings", lambda: None)
        return self._worker.try_store("ledger", lambda: self._store.list(folder))

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        if self._is_down:
            self._is_down = False
            raise DownError("the ledger is down")
        return self._worker.try_store("ledger", lambda: self._store.read(paths))

    def now(self) -> float:
        return self._worker.try_store("ledger", self._store.now)


def _is_submission(content: bytes) -> bool:
    """Whether a file claims a dispute for a submission."""
    facts = json.loads(content).get("signed", {})
    return (facts.get("what"), facts.get("kind")) == ("take", "submit")


def _forged(content: bytes) -> bytes:
    """Return a file that says as much as a release, by somebody who does not have the key."""
    name, _, signature = str(json.loads(content)["signature"]).partition(":")
    facts = {"what": "release", "nonce": None}
    return json.dumps({"signed": facts, "signature": f"{name}:{signature[::-1]}"}).encode()


def install() -> None:
    """Have each worker open its own deployment's ledger, for good."""
    from dispute_provider._state import ledger_id

    ledger_id.store_at = _store_here


def _store_here(address: str) -> LedgerStore:
    worker = here()
    assert worker is not None and worker.conditions.ledger is not None
    return WorkersStore(worker.conditions.ledger(), worker)
