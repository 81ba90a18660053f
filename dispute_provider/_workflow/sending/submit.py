"""Submit evidence, the same way for every API: a small state machine that ends in a named state.

What happened is decided by reading the dispute back, never by an error's text.
"""

from __future__ import annotations

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.refusals import refuse_submission, was_answered
from dispute_provider._workflow.sending.decisions import Reading, Step
from dispute_provider._workflow.sending.ends import earlier_end, not_sent, shown_end
from dispute_provider._workflow.sending.final_call import answered
from dispute_provider._workflow.sending.in_ledger import noted
from dispute_provider._workflow.sending.record_call import RecordCall


class Submission(RecordCall):
    """The call that submits what a record approves."""

    kind = Kind.SUBMIT

    async def send(self, api: Api, before: Snapshot, ordinal: int) -> Answer:
        return await api.submission(before, self._record, ordinal)

    def judge(self, found: Snapshot) -> Reading:
        if was_answered(self._record, found.dispute):
            return Reading.ANSWERED
        return Reading.REFUSED if refuse_submission(self._record, found) else Reading.OPEN

    def shows(self, before: Snapshot, after: Snapshot) -> bool:
        return answered(before.dispute, after.dispute)


async def submit(api: Api, record: Record, ledger: DisputeLedger, task: str) -> Record:
    """Send what was approved, once: read, claim, one call, read back.

    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :returns: the record, ended; a submission and its end stand in the ledger.
    :raises LedgerError: if the ledger cannot be read: nothing was sent by this try.
    """
    outcome = await Submission(api, ledger, task, record).make()
    if outcome.step is Step.SEND and outcome.after:
        end = shown_end(api, record, outcome)
    elif outcome.step is Step.EARLIER:
        assert outcome.before is not None
        end = earlier_end(record, outcome.before, outcome.link)
    else:
        end = not_sent(api, record, outcome, "not submitted")
    return await noted(api, ledger, outcome, end)
