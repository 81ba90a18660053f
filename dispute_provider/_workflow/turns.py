"""Wait until a dispute is free to be written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispute_provider._apis.api import Api
from dispute_provider._ledger import terms
from dispute_provider._ledger.chain import Chain, Claimant, Link, Standing, standing
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._ledger.stores import LedgerError
from dispute_provider._transport.claim import NotClaimedError

# Seconds between two looks at a chain that another task has claimed; the last one repeats.
POLLS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


async def free_chain(api: Api, ledger: DisputeLedger, claimant: Claimant) -> Chain:
    """Return a chain on which a claimant may claim next, to stage or to put evidence back.

    While another task writes, or what an earlier try has sent may still arrive, this waits.

    :raises NotClaimedError: if another task keeps its claim for longer than a claim is good for.
    :raises LedgerError: if the ledger cannot be read.
    """
    waited = 0.0
    while True:
        chain = await ledger.look()
        age = await ledger.age(chain)
        stands = standing(chain, claimant, age)
        if stands is Standing.DAMAGED:
            raise LedgerError(
                "the ledger's files of this dispute were edited or cannot be read: look at them"
            )
        in_flight = stands is Standing.OURS and not api.submits_under_a_key
        if stands in (Standing.TAKEN, Standing.SETTLING) or in_flight:
            if waited > 2 * terms.LAPSES_AFTER:
                raise NotClaimedError(
                    "another task is at work on this dispute",
                    operation=api.reads_by,
                    is_lost=True,
                    retry_after=0.0,
                )
            waited += await until_changed(api, ledger, chain, max(0.0, terms.LAPSES_AFTER - age))
            continue
        if (link := chain.open_link) and not link.can_be_continued_by(claimant):
            await give_up(ledger, link, claimant)
            continue
        return chain


async def give_up(ledger: DisputeLedger, link: Link, claimant: Claimant) -> None:
    """End a link whose holder is gone: nobody knows what came of it.

    A later approval is given on this end, and so on the possibility that its request was carried out.
    """
    await end_open(ledger, link, "unknown", "its holder is gone", otherwise=claimant, is_settled=True)


async def end_open(
    ledger: DisputeLedger,
    link: Link,
    state: str,
    reason: str,
    *,
    request_id: str | None = None,
    record: Mapping[str, Any] | None = None,
    is_settled: bool,
    otherwise: Claimant | None = None,
) -> None:
    """End an open link in the name of its last claim, which another task or an earlier try has made.

    :param is_settled: whether nothing that was sent under it can arrive any more.
    :param otherwise: in whose name where that claim cannot be read; None, the default, leaves it open then.
    :raises LedgerError: if that cannot be written.
    """
    last = link.holder or link.last
    if by := last.by or otherwise:
        await ledger.end(
            link.number,
            link.next_entry,
            by,
            state,
            reason,
            request_id=request_id,
            before=last.before,
            is_settled=is_settled,
            record=record,
        )


async def until_changed(api: Api, ledger: DisputeLedger, chain: Chain, seconds: float) -> float:
    """Wait until a chain has changed, or so many seconds; return how long, in seconds."""
    waited, polls = 0.0, iter(POLLS)
    while waited < seconds:
        pause = min(next(polls, POLLS[-1]), seconds - waited)
        await api.wait(pause)
        waited += pause
        if await ledger.look() != chain:
            break
    return max(waited, POLLS[0])
