"""Send what was approved to one API: note intents first, send each dispute once, write receipts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dispute_provider.exceptions import ConnectionConfigError
from dispute_provider.state.approvals import count_unknown_ends
from dispute_provider.state.receipts import Receipts
from dispute_provider.state.submission_journal import SubmissionJournal
from dispute_provider.tasks.batch import Apis, all_of
from dispute_provider.tasks.dispute_groups import by_dispute
from dispute_provider.tasks.progress import BatchProgress

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.apis.api import Api
    from dispute_provider.evidence.record import Record

# Disputes whose intent is recorded together. That takes some four calls to Airflow, which block the others,
# and ends with connections that idle: 0.1 s, where an API that takes 100 requests a second needs 12 s
# for a group. Its record stays below the 65,535 bytes from which on Airflow warns of a value.
_GROUP = 300


class Submitter:
    """Sends what one task has for one API."""

    def __init__(
        self,
        log: Any,
        context: Context,
        apis: Apis,
        journal: SubmissionJournal,
        receipts: Receipts,
        progress: BatchProgress,
    ) -> None:
        self._log = log
        self._context = context
        self._apis = apis
        self._journal = journal
        self._receipts = receipts
        self._progress = progress

    async def all(self, records: Iterable[Record]) -> list[Record]:
        """Send each dispute once; records of one dispute take turns."""
        results: list[Record] = []
        left = by_dispute(records, self._rank)
        while left:
            for start in range(0, len(left), _GROUP):
                group = left[start : start + _GROUP]
                ends = await self._submit([each.next for each in group if each.next])
                for each, end in zip(group, ends, strict=True):
                    results += [end, *self._ended(each.settle(end))]
            left = [each for each in left if each.next]
        return results

    def _rank(self, record: Record) -> int:
        """What an earlier try has sent, or may have sent, comes before what it has not."""
        if self._journal.ended(record):
            return 0
        return 1 if self._journal.intended(record) else 2

    def _ended(self, ends: list[Record]) -> list[Record]:
        """Count them, and log a line for each at once: it is there to be read after the task was killed."""
        self._progress.done(*ends)
        for record in ends:
            self._log.info("%s", record.log_line())
        return ends

    async def _submit(self, group: list[Record]) -> list[Record]:
        """Submit a group, its intent recorded before and its ends after; their ends in the same order."""
        from dispute_provider.evidence.record import State

        ended: dict[str, Record] = {}
        for record in group:
            end = self._journal.ended(record)
            if end and end.state != State.UNKNOWN:
                ended[record.dispute] = end
                # The try that sent it may have ended before it had written its receipt.
                await asyncio.to_thread(self._receipts.write, end)
        self._ended(list(ended.values()))
        open_ones = [record for record in group if record.dispute not in ended]
        sent = await self._send(open_ones) if open_ones else []
        ended |= {record.dispute: end for record, end in zip(open_ones, sent, strict=True)}
        return [ended[record.dispute] for record in group]

    async def _send(self, records: list[Record]) -> list[Record]:
        from dispute_provider.evidence.record import State

        journal = self._journal
        earlier = {record.dispute: journal.ended(record) for record in records}
        resumed = {record.dispute for record in records if journal.intended(record)}
        try:
            journal.intend([record for record in records if not earlier[record.dispute]])
        except Exception:  # whatever the store raises, nothing is sent without it
            self._log.exception("Airflow's state store cannot be written: nothing is sent")
            return self._ended([not_noted(record, "written") for record in records])
        # All are settled at the same time, whether or not their turn has come by then.
        now = asyncio.get_running_loop().time
        settled = {record.dispute: now() + journal.seconds_until_settled(record) for record in records}

        async def submit(record: Record) -> Record:
            is_resumed = record.dispute in resumed
            try:
                api = await self._apis.of(record.connection)
                if api.name != record.provider:
                    raise ConnectionConfigError(
                        f"connection {record.connection!r} is no longer a {record.provider} one"
                    )
            except Exception as error:  # whatever makes a connection unusable must not stop the others
                end = _unusable(record, error, is_resumed)
            else:
                settle = max(0.0, settled[record.dispute] - now())
                try:
                    end = await self._settle(api, record, earlier[record.dispute], is_resumed, settle)
                except Exception as error:  # what nobody foresaw must not stop the others
                    self._log.error("dispute=%s: unexpected %s", record.dispute, type(error).__name__)
                    end = may_have_been_sent(record, f"unexpected {type(error).__name__}")
            self._ended([end])
            await asyncio.to_thread(self._receipts.write, end)
            return end

        ends = await all_of(records, submit)
        keep(self._log, partial(journal.end, records, ends))
        if unknown := [record for record in ends if record.state == State.UNKNOWN]:
            keep(self._log, partial(count_unknown_ends, self._context, unknown))
        return ends

    async def _settle(
        self, api: Api, record: Record, earlier: Record | None, resumed: bool, settle: float
    ) -> Record:
        """Do what was decided for a record; return its end.

        :param earlier: how an earlier try ended it: as *unknown*, or not at all.
        :param settle: seconds until what was sent before has arrived or never will.
        """
        from dispute_provider.evidence.record import CONCEDE
        from dispute_provider.workflow import concede as conceding
        from dispute_provider.workflow import submit as protocol

        if record.approval and record.approval.action == CONCEDE:
            return await conceding.concede(api, record, resumed=resumed, settle=settle)
        if earlier:
            return await protocol.submit(api, earlier, resumed=True, may_send=False, settle=settle)
        return await protocol.submit(
            api,
            record,
            resumed=resumed,
            settle=settle,
            same_submission=self._journal.same_submission(record),
            is_shared=lambda: self._journal.is_shared(record),
        )


def keep(log: Any, note: Callable[[], None]) -> None:
    """Note something that was done; a store that fails does not undo it."""
    try:
        note()
    except Exception:  # the records say what was done, and a later try looks at the dispute
        log.exception("Airflow's state store cannot be written; what was sent stays sent")


def may_have_been_sent(record: Record, why: str) -> Record:
    from dispute_provider.evidence.record import State

    return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {why}")


def not_noted(record: Record, what: str) -> Record:
    """Held until the next try: nothing is sent that the task's state store does not know of."""
    from dispute_provider.evidence.record import State

    reason = f"not sent by this try: Airflow's state store cannot be {what}; to do: clear the task"
    return replace(record.ended(State.HELD, reason), retry_after=0.0)


def _unusable(record: Record, error: Exception, resumed: bool) -> Record:
    from dispute_provider.evidence.record import State
    from dispute_provider.exceptions import DisputeError

    why = str(error) if isinstance(error, DisputeError) else type(error).__name__
    if resumed:
        return may_have_been_sent(record, why)
    return record.ended(State.HELD, f"not sent, its connection cannot be used: {why}")
