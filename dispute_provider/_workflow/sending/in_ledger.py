"""Read from and write into a dispute's chain what becomes of an answered record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Snapshot, sha256_of
from dispute_provider._ledger.chain import FINAL, Claimant, Kind, Trust
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.decisions import Step
from dispute_provider._workflow.sending.outcome import Outcome, tried
from dispute_provider._workflow.turns import end_open
from dispute_provider.exceptions import TryAgainError


def claimant_of(record: Record, kind: Kind, task: str) -> Claimant:
    """Return in whose name an answered record is worked on: every try of a task gives the same for it."""
    approval = sha256_of([task, record.signature])[:32]
    return Claimant(kind, record.stage, approval, record.digest, record.ledger_end)


async def sent_before(end: Record, ledger: DisputeLedger, task: str, signature: str | None) -> Record:
    """Return the end of a record whose approval does not hold any more: an earlier try may have sent it.

    :param end: the record, refused or held for that.
    :param signature: of the record as it was approved.
    :raises LedgerError: if the ledger cannot be read.
    """
    chain = await ledger.look()
    claimants = [claimant_of(replace(end, signature=signature), kind, task) for kind in FINAL]
    if own := next(filter(None, map(chain.end_of, claimants)), None):
        return end.ended(State(own.state), f"{own.reason}; since then: {end.reason}", own.request_id)
    if any(tried(chain, claimant) for claimant in claimants):
        reason = f"an earlier try may have sent it; since then: {end.reason}. Look at the dispute"
        return end.ended(State.UNKNOWN, reason)
    last = chain.final_end
    if last and last.state in (State.SUBMITTED, State.SUBMITTED_DIFFERS):
        before = f"a task of ours has submitted its {last.by.stage} before ({last.reason})"
        if last.by.stage == end.stage:
            return end.ended(State.ALREADY_SUBMITTED, f"{before}; since then: {end.reason}", last.request_id)
        return replace(end, reason=f"{end.reason}; {before}")
    if last and last.trust is Trust.UNKNOWN_KEY:
        before = "the ledger has a final call for it, under a key that is not known; look at the dispute"
        return replace(end, reason=f"{end.reason}; {before}")
    return end


async def noted(api: Api, ledger: DisputeLedger, outcome: Outcome[Snapshot], end: Record) -> Record:
    """Write the end of a final call into the ledger; what cannot be written is kept with the record."""
    if end.state == State.HELD:
        return end
    try:
        is_ended = await write_end(ledger, outcome, str(end.state), end.reason, end.request_id, end.to_dict())
    except TryAgainError as error:
        return replace(end, notes=(*end.notes, f"its end is not in the ledger yet: {error}"))
    is_confirmed = outcome.sent is not None and outcome.sent.is_confirmed
    return end if is_ended or api.submits_under_a_key or not is_confirmed else _sent_twice(end)


async def write_end(
    ledger: DisputeLedger,
    outcome: Outcome[Any],
    state: str,
    reason: str,
    request_id: str | None,
    record: Mapping[str, Any],
) -> bool:
    """Write the end of a final call into the ledger, where something may have been sent.

    :param state: the state that it ended in.
    :param record: its receipt.
    :returns: False if another task has gone on with the link that it was sent under, or ended it.
    :raises LedgerError: if that cannot be written.
    """
    if outcome.sent and outcome.sent.never_left:
        return True
    if outcome.claim:
        is_settled = outcome.is_settled or outcome.after is not None
        return await outcome.claim.end(state, reason, request_id, record, is_settled=is_settled)
    is_unknown = state == State.UNKNOWN
    if outcome.link and (outcome.step in (Step.EARLIER, Step.NOTED) or is_unknown):
        # An earlier try, frozen meanwhile, must not go on under it.
        await end_open(
            ledger,
            outcome.link,
            state,
            reason,
            request_id=request_id,
            record=record,
            is_settled=not is_unknown,
        )
    return True


def _sent_twice(end: Record) -> Record:
    """Return the end of a call that the API carried out although another task had taken its claim over."""
    if end.state not in (State.SUBMITTED, State.SUBMITTED_DIFFERS):
        return end
    reason = "another task had taken its claim over, and may have submitted it as well; look at it now"
    return end.ended(State.SUBMITTED_DIFFERS, f"{end.reason}; {reason}", end.request_id)
