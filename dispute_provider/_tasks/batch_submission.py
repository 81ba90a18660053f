"""End the records of a submission: check each, send the approved ones once, and write their receipts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dispute_provider._ledger.stores import LedgerError
from dispute_provider._state.receipts import Receipts
from dispute_provider._tasks.batch import Apis, all_of
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.dispute_groups import by_dispute
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.review_openings import ReviewOpenings
from dispute_provider._tasks.unsent_records import not_sent, possibly_sent, unusable
from dispute_provider.exceptions import ConnectionConfigError, DisputeError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._apis.api import Api
    from dispute_provider._evidence.record import Record


class BatchSubmission:
    """The submission of one task.

    :param log: the task's log.
    :param apis: the APIs of the task.
    :param connections: the connections of the task.
    :param progress: counts the disputes that are sent.
    :ivar receipts: the receipts of the task.
    """

    def __init__(
        self, context: Context, log: Any, apis: Apis, progress: BatchProgress, connections: Connections
    ) -> None:
        self._log = log
        self._apis = apis
        self._connections = connections
        self._progress = progress
        self.receipts = Receipts()
        self._is_retry = context["ti"].try_number > 1
        self._openings = ReviewOpenings(context, log, is_retry=self._is_retry)
        self._ledgers: Ledgers | None = None
        self._problem: Exception | None = None
        try:
            self._ledgers = Ledgers(context, connections)
        except LedgerError as error:
            self._log.error("%s: nothing is sent", error)
            self._problem = error

    async def end(self, given: Record, found: Record) -> Record:
        """Return the end of the only record of a dispute.

        :param given: the record as the task received it.
        :param found: the same record after its signature was checked.
        """
        return await self.unsent(given, found) or await self._submit(found)

    async def unsent(self, given: Record, found: Record) -> Record | None:
        """Return the end of a record that is not sent; None if it must be sent.

        :param given: the record as the task received it.
        :param found: the same record after its signature was checked.
        """
        from dispute_provider._evidence.record import State

        if found.unverified:
            end = await self._void(found, given.signature)
        elif found.state not in (State.APPROVED, State.REJECTED):
            end = found
        elif outdated := self._openings.objection(found):
            end = await self._void(outdated, outdated.signature) if outdated.approval else outdated
        elif self._ledgers is None:
            end = replace(not_sent(found, self._problem or ""), maybe_ours=self._is_retry)
        elif found.state == State.REJECTED:
            end = await self._reject(self._ledgers, found)
        else:
            return None
        # At once, so that the log is complete if the task is killed.
        self._log.info("%s", end.log_line())
        return end

    async def send_in_turn(self, records: Iterable[Record]) -> list[Record]:
        """Send approved records, those of one dispute one after another; return their ends."""
        results: list[Record] = []
        left = by_dispute(records)
        while left:
            ends = await all_of([each.next for each in left if each.next], self._submit)
            for each, end in zip(left, ends, strict=True):
                results += [end, *self._ended(each.settle(end))]
            left = [each for each in left if each.next]
        return results

    def _ended(self, ends: list[Record]) -> list[Record]:
        """Count and log the ends at once, so that the log is complete if the task is killed."""
        self._progress.done(*ends)
        for record in ends:
            self._log.info("%s", record.log_line())
        return ends

    async def _void(self, end: Record, signature: str | None) -> Record:
        """Return the end of a record whose approval is no longer valid; an earlier try may have sent it.

        :param signature: the signature under which it was approved.
        """
        from dispute_provider._evidence.record import State
        from dispute_provider._workflow.sending.ledger_ends import sent_before
        from dispute_provider.hooks._connections import api_with

        if not self._is_retry:
            return end
        if self._ledgers is None:
            return replace(not_sent(end, self._problem or ""), maybe_ours=True)
        try:
            ledger = self._ledgers.of(api_with(self._connections.get(end.connection)), end.dispute)
            end = await sent_before(end, ledger, self._ledgers.task, signature)
        except DisputeError as error:
            held = end if end.state == State.HELD else not_sent(end, error)
            return replace(held, maybe_ours=True)
        self.receipts.write(end)
        return end

    async def _reject(self, ledgers: Ledgers, record: Record) -> Record:
        """Record a rejection, and withdraw evidence that the API would submit automatically."""
        from dispute_provider._state import evidence_store
        from dispute_provider._workflow.sending.put_back import not_put_back
        from dispute_provider._workflow.sending.reject import not_in_ledger, receipt_of, reject

        try:
            api = await self._apis.of(record.connection)
            earlier = evidence_store.get(record.earlier) if record.earlier else None
            known = json.loads(earlier) if earlier else None
            ended, receipt = await reject(api, record, known, ledgers.of(api, record.dispute), ledgers.task)
        except Exception as error:  # a connection or a store that cannot be used must not stop the others
            ended = not_put_back(record, error) if record.automatic else not_in_ledger(record, error)
            receipt = receipt_of(record, ended)
        self.receipts.write(receipt)
        return ended

    async def _submit(self, record: Record) -> Record:
        try:
            api = await self._apis.of(record.connection)
            if api.name != record.provider:
                raise ConnectionConfigError(
                    f"connection {record.connection!r} no longer has type {record.provider}"
                )
        except Exception as error:  # an unusable connection must not stop the others
            end = replace(unusable(record, error), maybe_ours=self._is_retry)
        else:
            try:
                end = await self._settle(api, record)
            except LedgerError as error:
                end = replace(not_sent(record, error), maybe_ours=self._is_retry)
            except Exception as error:  # an unexpected error must not stop the others
                self._log.error("dispute=%s: unexpected %s", record.dispute, type(error).__name__)
                end = possibly_sent(record, f"unexpected {type(error).__name__}")
        self._ended([end])
        await self.receipts.write_aside(end)
        return end

    async def _settle(self, api: Api, record: Record) -> Record:
        """Submit or concede, as approved; return the end of the record."""
        from dispute_provider._evidence.record import CONCEDE
        from dispute_provider._workflow.sending.concede import concede
        from dispute_provider._workflow.sending.submit import submit

        assert self._ledgers is not None
        settle = concede if record.approval and record.approval.action == CONCEDE else submit
        return await settle(api, record, self._ledgers.of(api, record.dispute), self._ledgers.task)
