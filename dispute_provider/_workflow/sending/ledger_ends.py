"""Read and write the ends of answered records in the ledger."""

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
from dispute_provider._workflow.sending.ends import maybe_sent_end
from dispute_provider._workflow.sending.outcome import Outcome, open_attempt
from dispute_provider._workflow.waiting import end_open_link
from dispute_provider.exceptions import TryAgainError


def claimant_of(record: Record, kind: Kind, task: str) -> Claimant:
    """Return the claimant for an answered record, which is the same for every try of a task."""
    approval = sha256_of([task, record.signature])[:32]
    return Claimant(kind, record.stage, approval, record.digest, record.ledger_end)


async def sent_before(end: Record, ledger: DisputeLedger, task: str, signature: str | None) -> Record:
    """Return the end of a record whose approval is no longer valid, which an earlier try may have sent.

    :param end: the record, refused or held for that reason.
    :param signature: the signature of the approved record.
    :raises LedgerError: if the ledger cannot be read.
    """
    chain = await ledger.read()
    claimants = [claimant_of(replace(end, signature=signature), kind, task) for kind in FINAL]
    if own := next(filter(None, map(chain.end_of, claimants)), None):
        return end.ended(State(own.state), f"{own.reason}; since then: {end.reason}", own.request_id)
    if any(open_attempt(chain, claimant) for claimant in claimants):
        return maybe_sent_end(end)
    last = chain.final_end
    if last and last.state in (State.SUBMITTED, State.SUBMITTED_DIFFERS):
        before = f"its {last.by.stage} had already been submitted ({last.reason})"
        if last.by.stage == end.stage:
            return end.ended(State.ALREADY_SUBMITTED, f"{before}; since then: {end.reason}", last.request_id)
        return replace(end, reason=f"{end.reason}; {before}")
    if last and last.trust is Trust.UNKNOWN_KEY:
        before = "the ledger has a final call for it, signed with an unknown key; check the dispute"
        return replace(end, reason=f"{end.reason}; {before}")
    return end


async def store_end(api: Api, ledger: DisputeLedger, outcome: Outcome[Snapshot], end: Record) -> Record:
    """Write the end of a final call to the ledger; if that fails, the record gets a note about it."""
    if end.state == State.HELD:
        return end
    try:
        is_ended = await write_end(ledger, outcome, str(end.state), end.reason, end.request_id, end.to_dict())
    except TryAgainError as error:
        return replace(end, notes=(*end.notes, f"its end could not be written to the ledger: {error}"))
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
    """Write the end of a final call to the ledger, if it may have been sent.

    :param state: the state that it ended in.
    :param record: its receipt.
    :returns: False if another task has continued or ended the link.
    :raises LedgerError: if the end cannot be written.
    """
    if outcome.sent and outcome.sent.is_unsent:
        return True
    if outcome.claim:
        is_settled = outcome.is_settled or outcome.after is not None
        return await outcome.claim.end(state, reason, request_id, record, is_settled=is_settled)
    is_unknown = state == State.UNKNOWN
    is_over = is_unknown or outcome.step in (Step.EARLIER_TRY, Step.ENDED_BEFORE)
    if outcome.link and is_over and not outcome.is_taken_over:
        # An earlier try that is frozen must not continue under this link.
        await end_open_link(
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
    """Return the end of a call that was carried out after another task had taken over its claim."""
    if end.state not in (State.SUBMITTED, State.SUBMITTED_DIFFERS):
        return end
    reason = "another task had taken over its claim, and may have submitted it as well; check the dispute now"
    return end.ended(State.SUBMITTED_DIFFERS, f"{end.reason}; {reason}", end.request_id)
