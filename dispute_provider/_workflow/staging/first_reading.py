"""Read a dispute before its case is completed and its documents are prepared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispute_provider._apis.api import Api
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._contracts.evidence_fields import lists
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.limits import MeasuredDocument
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Chain
from dispute_provider._ledger.ledger import DisputeLedger

# Seconds for which it may be used: after the upload of documents, it must still be young enough for a write.
_YOUNG = timing.MAX_READING_AGE - timing.WRITE_WITHIN


@dataclass(frozen=True, slots=True)
class FirstReading:
    """A dispute before its staging.

    :param chain: its chain, read before the dispute was.
    :param snapshot: the dispute with its evidence, with details.
    :param at: when the reading began, by the ledger's clock.
    """

    chain: Chain
    snapshot: Snapshot
    at: float

    def still_holds(self, chain: Chain, now: float) -> bool:
        """Return whether evidence may be merged with it: no other task can have changed the dispute since.

        A colleague can, so it must also be young.

        :param chain: the dispute's chain now.
        :param now: by the ledger's clock.
        """
        is_unchanged = chain == self.chain and chain.in_flight_since is None
        return is_unchanged and now - self.at <= _YOUNG


async def read_first(api: Api, case: Case, ledger: DisputeLedger) -> FirstReading:
    """Read a case's dispute.

    :raises ApiError: if it cannot be read.
    :raises LedgerError: if its chain cannot be read.
    """
    chain, at = await ledger.read(), ledger.clock()
    return FirstReading(chain, await api.read(case.dispute, case.account, details=True), at)


async def staying(api: Api, case: Case, found: Snapshot, memory: DisputeMemory) -> list[MeasuredDocument]:
    """Return the documents on a dispute that stay there beside those of a case.

    One in a field that the case has a document for counts as the case's: only one of the two is sent.
    """
    held = [each for each in found.evidence if each.id is not None]
    ours = await memory.ours() if held else frozenset()
    names = _single(api, (each.name for each in case.evidence))
    return [
        MeasuredDocument(each.name, each.size)
        for each in held
        if each.mark not in ours and each.name not in names
    ]


def _single(api: Api, names: Iterable[str]) -> set[str]:
    """Return the names under which the API holds one piece of evidence."""
    return set(names) - set(lists(api.contract)) if api.holds_one_of_a_name else set()
