"""Read, claim and end the links of disputes in a store."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from dispute_provider._evidence.snapshot import canonical_json
from dispute_provider._ledger import terms
from dispute_provider._ledger.chain import (
    Chain,
    Claimant,
    End,
    Link,
    Place,
    Take,
    Trust,
    What,
    hash_of,
)
from dispute_provider._ledger.stores import LedgerError, LedgerStore
from dispute_provider._ledger.threads import in_thread
from dispute_provider._transport.claim import NotClaimedError

T = TypeVar("T")


class Seal(Protocol):
    """Signs the files of a chain, and checks the signatures of others."""

    def sign(self, content: bytes) -> str:
        """Return a signature that names its key."""

    def check(self, content: bytes, signature: str) -> Trust:
        """Return what a signature proves of a content."""


def boot_time() -> float:
    """Return seconds since the machine was started, time in suspension included where it is known."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class DisputeLedger:
    """The chain of one dispute, in a store.

    :param store: where the chains are kept.
    :param folder: of this dispute's chain.
    :cvar clock: seconds that only grow, also while the machine is suspended.
    """

    clock: Callable[[], float] = staticmethod(boot_time)

    def __init__(self, store: LedgerStore, folder: str, seal: Seal) -> None:
        self._store, self._folder, self._seal = store, folder, seal

    async def look(self) -> Chain:
        """Return the chain as it is now.

        :raises LedgerError: if it cannot be read.
        """
        files = await self._ask(lambda: self._store.list(self._folder))
        links: dict[int, dict[int, float]] = {}
        for path, created in files.items():
            number, _, entry = path.removeprefix(f"{self._folder}/").partition("/")
            if number.isdecimal() and entry.isdecimal():
                links.setdefault(int(number), {})[int(entry)] = created
        wanted = [
            self._path(number, entry)
            for number, entries in links.items()
            for entry in (entries if number == max(links) else (max(entries),))
        ]
        contents = await self._ask(lambda: self._store.read(wanted)) if wanted else {}
        return Chain(tuple(self._link(number, links[number], contents) for number in sorted(links)))

    def _path(self, link: int, entry: int) -> str:
        return f"{self._folder}/{link}/{entry}"

    def _link(self, number: int, entries: Mapping[int, float], contents: Mapping[str, bytes]) -> Link:
        takes: list[Take] = []
        released: set[int] = set()
        for entry, created in sorted(entries.items()):
            path = self._path(number, entry)
            if path not in contents:
                # Of a link with a successor the last entry alone is read.
                continue
            facts, trust = self._open(path, contents[path])
            what, by = facts.get("what"), _claimant(facts)
            if what == What.END and by:
                return Link(number, (), end=_end(facts, by, trust, created, hash_of(contents[path])))
            if what == What.RELEASE and trust is Trust.GOOD and takes:
                first = facts.get("first", takes[-1].number)
                released.update(take.number for take in takes if take.number >= first)
            else:
                # Whatever this is, it keeps its place.
                takes.append(Take(entry, by if what == What.TAKE else None, trust, created))
        if not takes:
            # A release without its take, or a file that is gone, is no chain of ours.
            takes = [Take(max(entries), None, Trust.BAD, max(entries.values()))]
        return Link(number, tuple(takes), frozenset(released))

    def _open(self, path: str, content: bytes) -> tuple[dict[str, Any], Trust]:
        """Return the facts of a file and what its signature proves.

        An empty one was left by a writer that was killed; nobody knows whose it is.
        """
        if not content:
            return {}, Trust.UNKNOWN_KEY
        try:
            envelope = json.loads(content)
            facts, signature = dict(envelope["signed"]), str(envelope["signature"])
            return facts, self._seal.check(canonical_json([path, facts]), signature)
        except (ValueError, TypeError, KeyError, RecursionError):
            return {}, Trust.BAD

    async def age(self, chain: Chain) -> float:
        """Return how many seconds ago the last claim was created of which something may be in flight.

        By the store's clock; 0 where nothing is.

        :raises LedgerError: if the store does not say.
        """
        since = chain.in_flight_since
        return await self._ask(self._store.now) - since if since is not None else 0.0

    def claim(
        self, chain: Chain, claimant: Claimant, before: Mapping[str, Any], read_at: float | None
    ) -> LinkClaim:
        """Return a claim that can be taken next.

        :param before: stage, number of submissions and due date that it is made on.
        :param read_at: when the reading began that it is made on, by :attr:`clock`; None for a claim under
            which no final call is sent.
        """
        return LinkClaim(self, chain.place(claimant.stage), claimant, before, read_at)

    async def end(
        self,
        link: int,
        entry: int,
        by: Claimant,
        state: str,
        reason: str,
        *,
        request_id: str | None = None,
        before: Mapping[str, Any] | None = None,
        is_settled: bool = False,
        record: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a link, if nobody has gone on with it or ended it.

        :param entry: the number that the end gets in the link: the next one.
        :returns: whether this ended it.
        :param is_settled: whether nothing that was sent under it can arrive any more.
        :raises LedgerError: if that cannot be written.
        """
        facts = {
            **msgspec.to_builtins(by),
            "state": state,
            "reason": reason,
            "request_id": request_id,
            "before": dict(before or {}),
            "is_settled": is_settled,
            "record": dict(record or {}),
        }
        return await self.create(link, entry, What.END, facts)

    async def create(self, link: int, entry: int, what: What, facts: Mapping[str, Any]) -> bool:
        """Create the next entry of a link, signed. Of two writers one wins, whatever each writes.

        Whatever the store answers, the file is read where that is not clear: the answer to the request that
        created it may have been lost, and the client may have repeated it.

        :returns: whether it is this very file; False where another was there before.
        :raises LedgerError: if nobody can tell.
        """
        path = self._path(link, entry)
        facts = {**facts, "what": what, "nonce": secrets.token_hex(8)}
        signature = self._seal.sign(canonical_json([path, facts]))
        content = canonical_json({"signed": facts, "signature": signature})
        try:
            if await in_thread(lambda: self._store.create(path, content)):
                return True
        except Exception as error:
            problem: Exception | None = error
        else:
            problem = None
        found = (await self._ask(lambda: self._store.read([path]))).get(path)
        if found is None:
            raise LedgerError(f"the ledger cannot be written: {type(problem).__name__}") from problem
        return found == content

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await in_thread(question)
        except LedgerError:
            raise
        except Exception as error:
            raise LedgerError(f"the ledger cannot be read: {type(error).__name__}") from error


class LinkClaim:
    """A claim on one link of a dispute; see :class:`~dispute_provider._transport.claim.WriteClaim`.

    :ivar place: where it is created.
    :ivar is_taken: whether it was created.
    """

    def __init__(
        self,
        ledger: DisputeLedger,
        place: Place,
        claimant: Claimant,
        before: Mapping[str, Any],
        read_at: float | None,
    ) -> None:
        self.place, self.claimant, self.before = place, claimant, before
        self.is_taken = False
        self._ledger, self._read_at = ledger, read_at
        self._take = place.take - 1
        self._since = 0.0
        self._renewing = asyncio.Lock()

    async def take(self, operation: str) -> None:
        async with self._renewing:
            now = self._ledger.clock()
            if self.is_taken and now - self._since < terms.RENEWED_AFTER:
                return
            facts = {**msgspec.to_builtins(self.claimant), "before": dict(self.before)}
            try:
                is_ours = await self._ledger.create(self.place.link, self._take + 1, What.TAKE, facts)
            except LedgerError as error:
                raise NotClaimedError(
                    f"nothing was sent: {error}", operation=operation, is_lost=False
                ) from None
            if not is_ours:
                raise NotClaimedError(
                    "nothing was sent: another task has just claimed this dispute",
                    operation=operation,
                    is_lost=True,
                )
            self._take, self._since, self.is_taken = self._take + 1, now, True

    def check(self, operation: str) -> None:
        now = self._ledger.clock()
        late = now - self._since > terms.WRITE_WITHIN
        if late or (self._read_at is not None and now - self._read_at > terms.READING_HOLDS):
            raise NotClaimedError(
                "nothing was sent: it took too long since the dispute was read",
                operation=operation,
                is_lost=False,
            )

    async def release(self) -> None:
        """Note that nothing was sent under any of its takes.

        :raises LedgerError: if that cannot be written.
        """
        if self.is_taken:
            first = {"first": self.place.take}
            await self._ledger.create(self.place.link, self._take + 1, What.RELEASE, first)

    async def end(
        self,
        state: str,
        reason: str,
        request_id: str | None,
        record: Mapping[str, Any],
        *,
        is_settled: bool = True,
    ) -> bool:
        """End the link, if the claim was taken.

        :param is_settled: whether nothing that was sent under it can arrive any more; True, the default,
            where the answer or a reading shows what came of it.
        :returns: False if another task has gone on with the link, or ended it.
        :raises LedgerError: if that cannot be written.
        """
        return not self.is_taken or (
            await self._ledger.end(
                self.place.link,
                self._take + 1,
                self.claimant,
                state,
                reason,
                request_id=request_id,
                before=self.before,
                is_settled=is_settled,
                record=record,
            )
        )


class Ledger:
    """The chains of all disputes.

    :param store: where they are kept.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def of(self, environment: str, api: str, dispute: str, seal: Seal) -> DisputeLedger:
        """Return the chain of a dispute.

        :param environment: ``live``, ``test``, or the host of a stand-in: each has chains of its own.
        :param dispute: its id, as the API spells it.
        """
        folder = "/".join(quote(part, safe="") for part in (environment, api, dispute))
        return DisputeLedger(self._store, folder, seal)


def _end(facts: Mapping[str, Any], by: Claimant, trust: Trust, created: float, content_hash: str) -> End:
    """Return an end. Of one that is not signed under a known key only the lock holds."""
    if trust is not Trust.GOOD:
        reason = "it is signed under a key that is not known"
        return End(by, "unknown", reason, None, {}, False, trust, created, content_hash)
    return End(
        by,
        str(facts.get("state")),
        str(facts.get("reason")),
        facts.get("request_id"),
        facts.get("before") or {},
        facts.get("is_settled") is True,
        trust,
        created,
        content_hash,
    )


def _claimant(facts: Mapping[str, Any]) -> Claimant | None:
    try:
        return msgspec.convert(facts, Claimant)
    except msgspec.ValidationError:
        return None
