"""Read, claim and end the links of disputes in a store."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from dispute_provider._contracts.encoding import segment
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Chain, Claimant, EntryKind, Place
from dispute_provider._ledger.entries import ChainFiles, LedgerSigner, encode_entry, entry_path
from dispute_provider._ledger.stores import LedgerError, LedgerStore, cause_of
from dispute_provider._ledger.threads import in_thread
from dispute_provider._transport.claim import NotClaimedError

T = TypeVar("T")


def boot_time() -> float:
    """Return the seconds since boot, including time in suspend where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class DisputeLedger:
    """The stored chain of one dispute.

    :param store: the store of all chains.
    :param folder: the path of this dispute's chain in the store.
    :param signer: signs new files and checks existing ones.
    :cvar clock: a monotonic clock, in seconds; it also runs while the machine is suspended.
    """

    clock: Callable[[], float] = staticmethod(boot_time)

    def __init__(self, store: LedgerStore, folder: str, signer: LedgerSigner) -> None:
        self._store, self._folder, self._signer = store, folder, signer

    async def read(self) -> Chain:
        """Read the chain from the store.

        :raises LedgerError: if the store cannot be read.
        """
        files = ChainFiles(self._folder, await self._read(lambda: self._store.list(self._folder)))
        wanted = files.wanted
        contents = await self._read(lambda: self._store.read(wanted)) if wanted else {}
        return files.chain(contents, self._signer)

    async def age(self, chain: Chain) -> float:
        """Return the age of the last claim that may have a request in flight.

        :returns: seconds, measured by the store's clock; 0 if nothing can be in flight.
        :raises LedgerError: if the store's clock cannot be read.
        """
        since = chain.in_flight_since
        return await self._read(self._store.now) - since if since is not None else 0.0

    def claim(
        self, chain: Chain, claimant: Claimant, before: Mapping[str, Any], read_at: float | None
    ) -> LinkClaim:
        """Return a claim that can be acquired next; nothing is written yet.

        :param before: the dispute's stage, number of submissions and due date when it was read.
        :param read_at: when that reading began, by :attr:`clock`; None if no final call is sent under the
            claim.
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
        """End a link, unless another task has added an entry to it.

        :param entry: the number of the new entry: the link's next one.
        :param by: the claimant whose action ends.
        :param state: the state that the record ended in.
        :param is_settled: whether no request sent under the link can still arrive; False by default.
        :param record: the whole record, kept as the receipt; none by default.
        :returns: False if another task has continued or ended the link.
        :raises LedgerError: if the entry cannot be written.
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
        return await self.create(link, entry, EntryKind.END, facts)

    async def create(self, link: int, entry: int, what: EntryKind, facts: Mapping[str, Any]) -> bool:
        """Create and sign the next entry of a link. If two tasks try, exactly one succeeds.

        If the store does not confirm the creation, the file is read back: the store's answer may have been
        lost, and its client may have repeated the request.

        :param entry: the number of the new entry.
        :param what: its kind.
        :returns: True if this call created the entry; False if another task did.
        :raises LedgerError: if the store shows neither.
        """
        path = entry_path(self._folder, link, entry)
        facts = {**facts, "what": what, "nonce": secrets.token_hex(8)}
        content = encode_entry(path, facts, self._signer)
        try:
            if await in_thread(lambda: self._store.create(path, content)):
                return True
        except Exception as error:
            problem: Exception | None = error
        else:
            problem = None
        found = (await self._read(lambda: self._store.read([path]))).get(path)
        if found is None:
            raise LedgerError(f"the ledger cannot be written: {cause_of(problem)}") from problem
        return found == content

    async def _read(self, work: Callable[[], T]) -> T:
        try:
            return await in_thread(work)
        except LedgerError:
            raise
        except Exception as error:
            raise LedgerError(f"the ledger cannot be read: {cause_of(error)}") from error


class LinkClaim:
    """A claim on one link of a dispute; see :class:`~dispute_provider._transport.claim.WriteClaim`.

    :ivar place: the place in the chain where it is created.
    :ivar is_acquired: whether it has been created.
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
        self.is_acquired = False
        self._ledger, self._read_at = ledger, read_at
        self._entry = place.entry - 1
        self._acquired_at = 0.0
        self._renewing = asyncio.Lock()

    async def acquire(self, operation: str) -> None:
        async with self._renewing:
            now = self._ledger.clock()
            if self.is_acquired and now - self._acquired_at < timing.RENEW_AFTER:
                return
            link, entry = self.place.link, self._entry + 1
            facts = {**msgspec.to_builtins(self.claimant), "before": dict(self.before)}
            try:
                is_created = await self._ledger.create(link, entry, EntryKind.CLAIM, facts)
            except LedgerError as error:
                raise NotClaimedError(
                    f"nothing was sent: {error}", operation=operation, is_lost=False
                ) from None
            if not is_created:
                raise NotClaimedError(
                    "nothing was sent, because another task has just claimed this dispute",
                    operation=operation,
                    is_lost=True,
                )
            self._entry, self._acquired_at, self.is_acquired = entry, now, True

    def check(self, operation: str) -> None:
        now = self._ledger.clock()
        late = now - self._acquired_at > timing.WRITE_WITHIN
        if late or (self._read_at is not None and now - self._read_at > timing.MAX_READING_AGE):
            raise NotClaimedError(
                "nothing was sent, because the dispute was read or claimed too long ago",
                operation=operation,
                is_lost=False,
            )

    def is_ended_in(self, chain: Chain) -> bool:
        """Return whether the entry after this claim, or after its last renewal, is the end of its link."""
        end = next((link.end for link in chain.links if link.number == self.place.link), None)
        return self.is_acquired and end is not None and end.number == self._entry + 1

    async def release(self) -> None:
        """Release the claim and its renewals: nothing was sent under them.

        :raises LedgerError: if the release cannot be written.
        """
        if self.is_acquired:
            first = {"first": self.place.entry}
            await self._ledger.create(self.place.link, self._entry + 1, EntryKind.RELEASE, first)

    async def end(
        self,
        state: str,
        reason: str,
        request_id: str | None,
        record: Mapping[str, Any],
        *,
        is_settled: bool = True,
    ) -> bool:
        """End the link, if the claim was acquired.

        :param state: the state that the record ended in.
        :param record: the whole record, kept as the receipt.
        :param is_settled: whether no request sent under the link can still arrive; True, the default, if the
            API's answer or a reading shows the result.
        :returns: False if another task has continued or ended the link.
        :raises LedgerError: if the end cannot be written.
        """
        return not self.is_acquired or (
            await self._ledger.end(
                self.place.link,
                self._entry + 1,
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

    :param store: the store that keeps them.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def for_dispute(self, environment: str, api: str, dispute: str, signer: LedgerSigner) -> DisputeLedger:
        """Return the chain of one dispute.

        :param environment: ``live``, ``test``, or the host of a sandbox; each has separate chains.
        :param dispute: the dispute's id, spelled as the API spells it.
        """
        folder = "/".join(map(segment, (environment, api, dispute)))
        return DisputeLedger(self._store, folder, signer)
