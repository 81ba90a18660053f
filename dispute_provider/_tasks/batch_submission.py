"""Submit and concede the approved disputes of a task, each once, and write their receipts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dispute_provider._ledger.stores import LedgerError
from dispute_provider._state.receipts import Receipts
from dispute_provider._tasks.batch import Apis, all_of
from dispute_provider._tasks.dispute_groups import by_dispute
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider.exceptions import ConnectionConfigError

if TYPE_CHECKING:
    from dispute_provider._apis.api import Api
    from dispute_provider._evidence.record import Record


class BatchSubmission:
    """The final calls of one task.

    :param is_retry: whether an earlier try of the task may have sent some of them.
    """

    def __init__(
        self,
        log: Any,
        apis: Apis,
        ledgers: Ledgers,
        receipts: Receipts,
        progress: BatchProgress,
        *,
        is_retry: bool,
    ) -> None:
        self._log = log
        self._apis = apis
        self._ledgers = ledgers
        self._receipts = receipts
        self._progress = progress
        self._is_retry = is_retry

    async def run(self, records: Iterable[Record]) -> list[Record]:
        """Return the ends of all records; records of one dispute are sent one after another."""
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

    async def _submit(self, record: Record) -> Record:
        try:
            api = await self._apis.of(record.connection)
            if api.name != record.provider:
                raise ConnectionConfigError(
                    f"connection {record.connection!r} no longer has type {record.provider}"
                )
        except Exception as error:  # an unusable connection must not stop the others
            end = replace(_unusable(record, error), maybe_ours=self._is_retry)
        else:
            try:
                end = await self._settle(api, record)
            except LedgerError as error:
                end = replace(not_sent(record, error), maybe_ours=self._is_retry)
            except Exception as error:  # an unexpected error must not stop the others
                self._log.error("dispute=%s: unexpected %s", record.dispute, type(error).__name__)
                end = possibly_sent(record, f"unexpected {type(error).__name__}")
        self._ended([end])
        await self._receipts.write_aside(end)
        return end

    async def _settle(self, api: Api, record: Record) -> Record:
        """Submit or concede, as approved; return the end of the record."""
        from dispute_provider._evidence.record import CONCEDE
        from dispute_provider._workflow.sending.concede import concede
        from dispute_provider._workflow.sending.submit import submit

        settle = concede if record.approval and record.approval.action == CONCEDE else submit
        return await settle(api, record, self._ledgers.of(api, record.dispute), self._ledgers.task)


def possibly_sent(record: Record, why: str) -> Record:
    """Return a record as *unknown*, because an earlier try may have sent it."""
    from dispute_provider._evidence.record import State

    return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {why}")


def not_sent(record: Record, error: Exception | str) -> Record:
    """Return a record as held until the next try, because the ledger could not be written."""
    from dispute_provider._evidence.record import State

    return replace(record.ended(State.HELD, f"not sent by this try: {error}"), retry_after=0.0)


def _unusable(record: Record, error: Exception) -> Record:
    from dispute_provider._evidence.record import State
    from dispute_provider.exceptions import DisputeError

    why = str(error) if isinstance(error, DisputeError) else type(error).__name__
    return record.ended(State.HELD, f"not sent, its connection cannot be used: {why}")
