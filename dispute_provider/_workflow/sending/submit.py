"""Submit the evidence of an approved record once.

The API's answer confirms the call only if it shows that the approved evidence was submitted. After any other
answer, a reading of the dispute decides the end, never the text of an error.
"""

from __future__ import annotations

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.refusals import is_as_approved, refuse_submission, was_answered
from dispute_provider._workflow.sending.decisions import Reading, Step
from dispute_provider._workflow.sending.ends import confirmed_end, earlier_try_end, unsent_end
from dispute_provider._workflow.sending.final_call import answered
from dispute_provider._workflow.sending.ledger_ends import store_end
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

    def reading_in(self, before: Snapshot, answer: Answer) -> Snapshot | None:
        found = super().reading_in(before, answer)
        return found if found and is_as_approved(self._record, found) else None


async def submit(api: Api, record: Record, ledger: DisputeLedger, task: str) -> Record:
    """Submit an approved record once: read, claim, send, confirm.

    :param ledger: the dispute's chain.
    :param task: the name of the task in its run, the same for all its tries.
    :returns: the record, ended; its end is also written to the ledger.
    :raises LedgerError: if the ledger cannot be read. This try has sent nothing then.
    """
    outcome = await Submission(api, ledger, task, record).make()
    if outcome.step is Step.SEND and outcome.after:
        end = confirmed_end(api, record, outcome)
    elif outcome.step is Step.EARLIER_TRY:
        assert outcome.before is not None
        end = earlier_try_end(record, outcome.before, outcome.link)
    else:
        end = unsent_end(api, record, outcome, "not submitted")
    return await store_end(api, ledger, outcome, end)
