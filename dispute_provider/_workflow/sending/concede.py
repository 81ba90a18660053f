"""Concede a dispute permanently, as a reviewer has decided."""

from __future__ import annotations

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.refusals import changed_amount, refuse_submission
from dispute_provider._workflow.sending.decisions import Reading, Step
from dispute_provider._workflow.sending.ends import unsent_end
from dispute_provider._workflow.sending.ledger_ends import store_end
from dispute_provider._workflow.sending.record_call import RecordCall


class Concession(RecordCall):
    """The call that gives up the dispute of a record."""

    kind = Kind.CONCEDE

    async def send(self, api: Api, before: Snapshot, ordinal: int) -> Answer:
        return await api.concession(before, self._record, ordinal)

    def judge(self, found: Snapshot) -> Reading:
        if self._api.is_conceded(found.dispute):
            return Reading.ANSWERED
        return Reading.REFUSED if refuse_concession(self._record, found) else Reading.OPEN

    def shows(self, before: Snapshot, after: Snapshot) -> bool:
        return self._api.is_conceded(after.dispute)


async def concede(api: Api, record: Record, ledger: DisputeLedger, task: str) -> Record:
    """Concede a dispute permanently: read, claim, send, confirm.

    :param ledger: the dispute's chain.
    :param task: the name of the task in its run, the same for all its tries.
    :raises LedgerError: if the ledger cannot be read. This try has sent nothing then.
    """
    outcome = await Concession(api, ledger, task, record).make()
    if outcome.step is Step.SEND and outcome.after and outcome.sent:
        sent = outcome.sent
        after = f" after: {sent.problem.message}" if sent.problem else ""
        reason = f"conceded, {outcome.confirmation}{after}"
        end = record.ended(State.CONCEDED, reason, sent.request_id)
    elif outcome.step is Step.EARLIER_TRY:
        reason = "an earlier try of this task conceded it"
        end = record.ended(State.CONCEDED, reason, outcome.before.request_id if outcome.before else None)
    else:
        end = unsent_end(api, record, outcome, "not conceded", refuse_concession)
    return await store_end(api, ledger, outcome, end)


def refuse_concession(record: Record, found: Snapshot) -> Record | None:
    """Return the end of a dispute that must not be conceded; None if it may be."""
    if found.dispute.stage == "inquiry":
        reason = "conceding an inquiry does not settle it: answer it, or refund the payment in full"
        return record.ended(State.REFUSED, reason)
    if end := refuse_submission(record, found):
        return end
    if (found.dispute.amount, found.dispute.currency) == (record.amount, record.currency):
        return None
    # Conceding gives up all of it.
    return record.ended(State.REFUSED, f"{changed_amount(record, found.dispute)}; review it again")
