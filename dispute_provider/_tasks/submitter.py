"""Send what was approved to one API: each dispute once, its end noted and its receipt written at once."""

from __future__ import annotations

import asyncio
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


class Submitter:
    """Sends what one task has for all its APIs.

    :param is_retry: whether an earlier try of the task may have sent some of it.
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

    async def all(self, records: Iterable[Record]) -> list[Record]:
        """Send each dispute once; records of one dispute take turns."""
        results: list[Record] = []
        left = by_dispute(records)
        while left:
            ends = await all_of([each.next for each in left if each.next], self._submit)
            for each, end in zip(left, ends, strict=True):
                results += [end, *self._ended(each.settle(end))]
            left = [each for each in left if each.next]
        return results

    def _ended(self, ends: list[Record]) -> list[Record]:
        """Count them, and log a line for each at once: it is there to be read after the task was killed."""
        self._progress.done(*ends)
        for record in ends:
            self._log.info("%s", record.log_line())
        return ends

    async def _submit(self, record: Record) -> Record:
        try:
            api = await self._apis.of(record.connection)
            if api.name != record.provider:
                raise ConnectionConfigError(
                    f"connection {record.connection!r} is no longer a {record.provider} one"
                )
        except Exception as error:  # whatever makes a connection unusable must not stop the others
            end = replace(_unusable(record, error), maybe_ours=self._is_retry)
        else:
            try:
                end = await self._settle(api, record)
            except LedgerError as error:
                end = replace(not_noted(record, error), maybe_ours=self._is_retry)
            except Exception as error:  # what nobody foresaw must not stop the others
                self._log.error("dispute=%s: unexpected %s", record.dispute, type(error).__name__)
                end = may_have_been_sent(record, f"unexpected {type(error).__name__}")
        self._ended([end])
        await asyncio.to_thread(self._receipts.write, end)
        return end

    async def _settle(self, api: Api, record: Record) -> Record:
        """Do what was decided for a record; return its end."""
        from dispute_provider._evidence.record import CONCEDE
        from dispute_provider._workflow.sending.concede import concede
        from dispute_provider._workflow.sending.submit import submit

        settle = concede if record.approval and record.approval.action == CONCEDE else submit
        return await settle(api, record, self._ledgers.of(api, record.dispute), self._ledgers.task)


def may_have_been_sent(record: Record, why: str) -> Record:
    from dispute_provider._evidence.record import State

    return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {why}")


def not_noted(record: Record, error: Exception | str) -> Record:
    """Held until the next try: nothing is sent that the ledger does not know of."""
    from dispute_provider._evidence.record import State

    return replace(record.ended(State.HELD, f"not sent by this try: {error}"), retry_after=0.0)


def _unusable(record: Record, error: Exception) -> Record:
    from dispute_provider._evidence.record import State
    from dispute_provider.exceptions import DisputeError

    why = str(error) if isinstance(error, DisputeError) else type(error).__name__
    return record.ended(State.HELD, f"not sent, its connection cannot be used: {why}")
