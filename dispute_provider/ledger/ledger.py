"""Read, claim and end the links of disputes in a store."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from dispute_provider.evidence.snapshot import canonical_json
from dispute_provider.ledger import terms
from dispute_provider.ledger.chain import (
    FINAL,
    Chain,
    Claimant,
    End,
    Link,
    Place,
    Take,
    Trust,
    hash_of,
    numbered,
)
from dispute_provider.ledger.stores import LedgerError, LedgerStore
from dispute_provider.transport.claim import NotClaimedError

T = TypeVar("T")


class Seal(Protocol):
    """Signs the files of a chain, and checks the signatures of others."""

    def sign(self, content: bytes) -> str:
        """Return a signature that names its key."""

    def check(self, content: bytes, signature: str) -> Trust:
        """Return what a signature proves of a content."""


def boot_time() -> float:
    """Return seconds since the machine was started; they pass while it is suspended, too, where it says so."""
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
        links: dict[int, dict[str, float]] = {}
        for path, created in files.items():
            number, _, name = path.removeprefix(f"{self._folder}/").partition("/")
            if number.isdecimal() and name:
                links.setdefault(int(number), {})[name] = created
        wanted = [
            f"{self._folder}/{number}/{name}" for number in links for name in _worth_reading(links[number])
        ]
        contents = await self._ask(lambda: self._store.read(wanted)) if wanted else {}
        return Chain(tuple(self._link(number, links[number], contents) for number in sorted(links)))

    def _link(self, number: int, names: Mapping[str, float], contents: Mapping[str, bytes]) -> Link:
        place = f"{self._folder}/{number}"
        if "end" in names:
            return Link(number, (), end=self._end(contents.get(f"{place}/end", b""), names["end"]))
        takes = []
        for take in numbered(names, "take"):
            facts, trust, _ = self._open(contents.get(f"{place}/take-{take}", b""))
            takes.append(Take(take, _claimant(facts), trust, names[f"take-{take}"]))
        released = [
            take
            for take in numbered(names, "released")
            if self._open(contents.get(f"{place}/released-{take}", b""))[1] is Trust.GOOD
        ]
        # A release without its take is no chain of ours.
        takes = takes or [Take(1, None, Trust.BAD, min(names.values()))]
        return Link(number, tuple(takes), frozenset(released))

    def _end(self, content: bytes, created: float) -> End:
        facts, trust, content_hash = self._open(content)
        if (by := _claimant(facts)) is None:
            trust, by = Trust.BAD, Claimant(FINAL[0], None, "")
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

    def _open(self, content: bytes) -> tuple[dict[str, Any], Trust, str]:
        """Return the facts of a file, what its signature proves, and its hash.

        An empty one was left by a writer that was killed; nobody knows whose it is.
        """
        if not content:
            return {}, Trust.UNKNOWN_KEY, hash_of(content)
        try:
            envelope = json.loads(content)
            facts, signature = envelope["signed"], str(envelope["signature"])
            trust = self._seal.check(canonical_json([self._folder, facts]), signature)
        except (ValueError, TypeError, KeyError):
            return {}, Trust.BAD, hash_of(content)
        return facts, trust, hash_of(content)

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
        by: Claimant,
        state: str,
        reason: str,
        *,
        request_id: str | None = None,
        before: Mapping[str, Any] | None = None,
        is_settled: bool = False,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        """End a link; one that has ended stays as it is.

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
        await self.create(f"{link}/end", facts)

    async def create(self, name: str, facts: Mapping[str, Any]) -> bool:
        """Create a signed file of the chain.

        Whatever the store answers, the file is read where that is not clear: the answer to the request that
        created it may have been lost, and the client may have repeated it.

        :returns: whether it is this very file; False where another was there before.
        :raises LedgerError: if nobody can tell.
        """
        facts = {**facts, "nonce": facts.get("nonce") or secrets.token_hex(8)}
        signed = canonical_json([self._folder, facts])
        content = canonical_json({"signed": facts, "signature": self._seal.sign(signed)})
        path = f"{self._folder}/{name}"
        try:
            if await asyncio.to_thread(self._store.create, path, content):
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
            return await asyncio.to_thread(question)
        except LedgerError:
            raise
        except Exception as error:
            raise LedgerError(f"the ledger cannot be read: {type(error).__name__}") from error


class LinkClaim:
    """A claim on one link of a dispute; see :class:`~dispute_provider.transport.claim.WriteClaim`.

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
                is_ours = await self._ledger.create(f"{self.place.link}/take-{self._take + 1}", facts)
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
        """Note that nothing was sent under the last take.

        :raises LedgerError: if that cannot be written.
        """
        if self.is_taken:
            await self._ledger.create(f"{self.place.link}/released-{self._take}", {"nonce": None})

    async def end(
        self,
        state: str,
        reason: str,
        request_id: str | None,
        record: Mapping[str, Any],
        *,
        is_settled: bool = True,
    ) -> None:
        """End the link, if the claim was taken.

        :param is_settled: whether nothing that was sent under it can arrive any more; True, the default, where
            the answer or a reading shows what came of it.
        :raises LedgerError: if that cannot be written.
        """
        if self.is_taken:
            await self._ledger.end(
                self.place.link,
                self.claimant,
                state,
                reason,
                request_id=request_id,
                before=self.before,
                is_settled=is_settled,
                record=record,
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


def _worth_reading(names: Collection[str]) -> list[str]:
    """Return which files of a link are read: its end, or all where it has none."""
    return ["end"] if "end" in names else list(names)


def _claimant(facts: Mapping[str, Any]) -> Claimant | None:
    try:
        return msgspec.convert(facts, Claimant)
    except msgspec.ValidationError:
        return None
