"""Wait until a dispute may be written to, and end abandoned links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispute_provider._apis.api import Api
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Chain, ChainStatus, Claimant, Link, status_of
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._ledger.stores import LedgerError
from dispute_provider._transport.claim import NotClaimedError

# Seconds between two readings of a chain that another task has claimed; the last one repeats.
POLL_INTERVALS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


async def wait_for_chain(api: Api, ledger: DisputeLedger, claimant: Claimant) -> Chain:
    """Wait until a claimant may claim the dispute, to stage or to put evidence back; return its chain.

    It waits while another task holds the claim, or while a request of an earlier try may still arrive.

    :raises NotClaimedError: if other tasks hold the claim for more than twice :data:`timing.TAKEOVER_AFTER`.
    :raises LedgerError: if the ledger cannot be read.
    """
    waited = 0.0
    while True:
        chain = await ledger.read()
        age = await ledger.age(chain)
        status = status_of(chain, claimant, age)
        if status is ChainStatus.DAMAGED:
            raise LedgerError(
                "the ledger's files for this dispute were edited or cannot be read; "
                "restore them from a backup"
            )
        in_flight = status is ChainStatus.OWN_IN_FLIGHT and not api.submits_under_a_key
        if status in (ChainStatus.CLAIMED, ChainStatus.SETTLING) or in_flight:
            if waited > 2 * timing.TAKEOVER_AFTER:
                raise NotClaimedError(
                    "another task is working on this dispute",
                    operation=api.reads_by,
                    is_lost=True,
                    retry_after=0.0,
                )
            waited += await wait_for_change(api, ledger, chain, max(0.0, timing.TAKEOVER_AFTER - age))
            continue
        if (link := chain.open_link) and not link.can_be_continued_by(claimant):
            await end_abandoned_link(ledger, link, claimant)
            continue
        return chain


async def end_abandoned_link(ledger: DisputeLedger, link: Link, claimant: Claimant) -> None:
    """End a link whose holder is gone, with an unknown result.

    Later approvals refer to this end, and so accept that its request may have been carried out.
    """
    await end_open_link(
        ledger, link, "unknown", "the task that claimed it is gone", otherwise=claimant, is_settled=True
    )


async def end_open_link(
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
    """End an open link for the claimant of its last claim: another task, or an earlier try.

    :param is_settled: whether no request sent under the link can still arrive.
    :param otherwise: the claimant to use if that claim is unreadable; None, the default, ends nothing then.
    :raises LedgerError: if the end cannot be written.
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


async def wait_for_change(api: Api, ledger: DisputeLedger, chain: Chain, seconds: float) -> float:
    """Wait until a chain changes, but not longer than ``seconds``; return the seconds waited."""
    waited, polls = 0.0, iter(POLL_INTERVALS)
    while waited < seconds:
        pause = min(next(polls, POLL_INTERVALS[-1]), seconds - waited)
        await api.wait(pause)
        waited += pause
        if await ledger.read() != chain:
            break
    return max(waited, POLL_INTERVALS[0])
