"""Concede a dispute, or take back what was staged: what a review can decide besides submitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider.apis.api import Api
from dispute_provider.contracts.answers import Answer
from dispute_provider.evidence.record import WRITTEN, Record, State
from dispute_provider.evidence.snapshot import Dispute, Snapshot, contents
from dispute_provider.exceptions import ApiError
from dispute_provider.ledger.chain import Kind
from dispute_provider.ledger.ledger import DisputeLedger
from dispute_provider.workflow.final_call import FinalCall, Reading, Step
from dispute_provider.workflow.submit import claimant_of, not_sent, noted, refuse_submission
from dispute_provider.workflow.turns import free_chain


class Concession(FinalCall[Snapshot]):
    """The call that gives up the dispute of a record."""

    def __init__(self, api: Api, ledger: DisputeLedger, task: str, record: Record) -> None:
        super().__init__(api, ledger, claimant_of(record, Kind.CONCEDE, task))
        self._record = record

    async def read(self) -> Snapshot:
        return await self._api.read(self._record.dispute, self._record.account)

    def dispute(self, found: Snapshot) -> Dispute:
        return found.dispute

    async def send(self, api: Api, before: Snapshot, ordinal: int) -> Answer:
        return await api.concession(before, self._record, ordinal)

    def judge(self, found: Snapshot) -> Reading:
        if self._api.is_conceded(found.dispute):
            return Reading.ANSWERED
        return Reading.REFUSED if refuse_concession(self._record, found) else Reading.OPEN

    def shows(self, before: Snapshot, after: Snapshot) -> bool:
        return self._api.is_conceded(after.dispute)


async def concede(api: Api, record: Record, ledger: DisputeLedger, task: str) -> Record:
    """Give a dispute up for good, as a person has decided: read, claim, one call, read back.

    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :raises LedgerError: if the ledger cannot be read: nothing was sent by this try.
    """
    outcome = await Concession(api, ledger, task, record).make()
    if outcome.step is Step.SEND and outcome.after and outcome.sent:
        sent = outcome.sent
        after = f" after: {sent.problem.message}" if sent.problem else ""
        reason = f"conceded, confirmed by reading back{after}"
        end = record.ended(State.CONCEDED, reason, sent.request_id)
    elif outcome.step is Step.EARLIER:
        reason = "an earlier try of this task conceded it"
        end = record.ended(State.CONCEDED, reason, outcome.before.request_id if outcome.before else None)
    else:
        end = not_sent(api, record, outcome, "not conceded")
    return await noted(ledger, outcome, end)


def refuse_concession(record: Record, found: Snapshot) -> Record | None:
    """Return the end of a dispute that is not to be conceded; None if it is."""
    if found.dispute.stage == "inquiry":
        reason = "conceding an inquiry does not settle it: answer it, or refund the payment in full"
        return record.ended(State.REFUSED, reason)
    return refuse_submission(record, found)


async def take_back(
    api: Api, record: Record, earlier: Mapping[str, Any] | None, ledger: DisputeLedger, task: str
) -> Record:
    """Put the evidence back that a dispute held before it was staged, and how it was to be submitted.

    For a rejected dispute that its API would have answered by itself: what was rejected must not go out then.

    :param earlier: the evidence as it was, by name; None where it is not known any more.
    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :raises LedgerError: if the ledger cannot be used.
    """
    written = sorted({each.name.split(".")[0] for each in record.differences if each.kind in WRITTEN})
    unknown = [each.name for each in record.differences if each.kind == "overwritten" and earlier is None]
    evidence = {name: (earlier or {}).get(name, "") for name in written if name not in unknown}
    claimant = claimant_of(record, Kind.PUT_BACK, task)
    try:
        claim = ledger.claim(await free_chain(api, ledger, claimant), claimant, {}, None)
        writing = api.under(claim)
        found = await api.read(record.dispute, record.account)
        # What a broken try has put back needs no more than its last step.
        is_back = bool(evidence) and all(_is_back(name, value, found) for name, value in evidence.items())
        if found.digest({}) != record.staged_as and not is_back:
            changed = "its evidence was left as it is: it has changed since it was staged; look at it"
            return replace(record, reason=f"{record.reason}; {changed}")
        if evidence and not is_back:
            await writing.restore(record, evidence, automatic=None)
            found = await api.read(record.dispute, record.account)
        left = [*unknown, *(name for name in evidence if not _is_back(name, evidence[name], found))]
        if not left:
            await writing.restore(record, {}, automatic=record.automatic)
    except ApiError as error:
        return replace(left_as_it_is(record, error), request_id=error.request_id)
    if left:
        outcome = f"the API did not clear {', '.join(left)}; the dispute stays on manual, so nothing sends it"
    else:
        outcome = "its earlier evidence was put back"
    await claim.end("put back", outcome, None, {})
    return replace(record, reason=f"{record.reason}; {outcome}")


def left_as_it_is(record: Record, error: Exception) -> Record:
    """Return a rejected record whose dispute keeps what was staged, and why."""
    outcome = f"its evidence could not be put back ({error}); it stays at the API, and nothing sends it"
    return replace(record, reason=f"{record.reason}; {outcome}")


def _is_back(name: str, value: Any, found: Snapshot) -> bool:
    held = contents(found.evidence).get(name)
    return not value if held is None else bool(value == held)
