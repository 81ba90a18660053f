"""Make the final call of a record, reading its dispute with the evidence."""

from __future__ import annotations

from typing import ClassVar

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Dispute, Snapshot
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.final_call import FinalCall
from dispute_provider._workflow.sending.ledger_ends import claimant_of


class RecordCall(FinalCall[Snapshot]):
    """A final call for the dispute of a record.

    :param task: the name of the task in its run, the same for all its tries.
    :param record: the answered record.
    :cvar kind: the action of the call.
    """

    kind: ClassVar[Kind]

    def __init__(self, api: Api, ledger: DisputeLedger, task: str, record: Record) -> None:
        super().__init__(api, ledger, claimant_of(record, self.kind, task))
        self._record = record

    async def read(self) -> Snapshot:
        return await self._api.read(self._record.dispute, self._record.account)

    def dispute(self, found: Snapshot) -> Dispute:
        return found.dispute

    def reading_in(self, before: Snapshot, answer: Answer) -> Snapshot | None:
        found = self._api.snapshot_in(answer, self._record.account)
        return found if found and self.shows(before, found) else None
