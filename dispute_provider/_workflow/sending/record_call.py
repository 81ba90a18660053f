"""Make the final call that a record is about: read its dispute with the evidence."""

from __future__ import annotations

from typing import ClassVar

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Dispute, Snapshot
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.final_call import FinalCall
from dispute_provider._workflow.sending.in_ledger import claimant_of


class RecordCall(FinalCall[Snapshot]):
    """A final call for the dispute of a record.

    :param task: names the task of a run, the same for all its tries.
    :param record: the record, answered.
    :cvar kind: what the call is.
    """

    kind: ClassVar[Kind]

    def __init__(self, api: Api, ledger: DisputeLedger, task: str, record: Record) -> None:
        super().__init__(api, ledger, claimant_of(record, self.kind, task))
        self._record = record

    async def read(self) -> Snapshot:
        return await self._api.read(self._record.dispute, self._record.account)

    def dispute(self, found: Snapshot) -> Dispute:
        return found.dispute
