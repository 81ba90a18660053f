"""Submitting: what was decided is carried out; what was approved is sent, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator

from dispute_provider.exceptions import ConnectionConfigError
from dispute_provider.operators.batch import (
    Clients,
    Given,
    all_of,
    resolve,
    retry_held,
    run_key,
    take,
    warn_without_lock,
)
from dispute_provider.operators.pace import Pace
from dispute_provider.operators.progress import Progress
from dispute_provider.operators.receipts import write_receipts
from dispute_provider.operators.record_lists import Tally, Value, handed_out, records_of, unreached
from dispute_provider.operators.settings import settings
from dispute_provider.operators.signing import Signer
from dispute_provider.operators.submission_notes import (
    SUBMISSIONS,
    approval_of,
    count_unknown_ends,
    last_opening,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# Disputes whose intent is recorded together. That takes some four calls to Airflow, which block the others,
# and ends with connections that idle: 0.1 s, where an API that takes 100 requests a second needs 12 s
# for a group. Its record stays below the 65,535 bytes from which on Airflow warns of a value.
_GROUP = 300


class SubmitEvidenceOperator(BaseAsyncOperator):
    """Send what was approved to the bank: read again, compare, send once, read back.

    A try that follows on a broken one goes on where that one was. Between runs the API's idempotency key is
    the lock; for an API without one (Moov) it is a pool of one slot: give this task ``pool=``.

    It concedes what a reviewer gave up, too; and takes back what one rejected, where the API would have sent
    it by itself.

    :param approved: records, or a task that returns them; those that are not ``approved`` pass through.
    :returns: one record per dispute: ``submitted``, ``submitted-differs``, ``already-submitted``,
        ``conceded``, ``refused``, ``held`` or ``unknown``; a reference to them where they are many.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#f4cccc"

    def __init__(self, *, approved: Given, **kwargs: Any) -> None:
        super().__init__(**settings(kwargs, SUBMISSIONS))
        self.approved = take(self, approved)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**settings(kwargs, SUBMISSIONS))

    async def aexecute(self, context: Context) -> Value:
        from dispute_provider.evidence.record import State
        from dispute_provider.hooks.apis import api_of

        records = list(records_of(resolve(self.approved, context)))
        to_send = sum(record.state == State.APPROVED for record in records)
        progress: dict[str, Progress] = {}
        async with Clients() as clients, Pace(context, "submitting", to_send) as pace:
            answered = (State.APPROVED, State.REJECTED)
            results = [record for record in records if record.state not in answered]
            valid, void = self._check(context, [record for record in records if record.state in answered])
            results += void
            results += await self._take_back(clients, [r for r in valid if r.state == State.REJECTED])
            valid = [record for record in valid if record.state == State.APPROVED]
            self._tell(results)
            for connection in sorted({record.connection for record in valid}):
                api = api_of(connection)
                warn_without_lock(self, api)
                if api.name not in progress:
                    progress[api.name] = Progress(context, api.name)
                batch = [record for record in valid if record.connection == connection]
                for start in range(0, len(batch), _GROUP):
                    group = batch[start : start + _GROUP]
                    results += await self._submit(context, clients, group, progress[api.name], pace)
        for each_api in progress.values():
            each_api.leave()
        retry_held(context, Tally(results))
        return handed_out(self._given_up(context, results, progress))

    def _tell(self, ends: Iterable[Record]) -> None:
        """A line for each, as soon as it is known: whoever looks after a task that was killed finds it."""
        for record in ends:
            self.log.info("%s", record.log_line())

    async def _take_back(self, clients: Clients, rejected: list[Record]) -> list[Record]:
        """Take back what was rejected at an API that would have sent it by itself; pass on the rest."""
        from dispute_provider.hooks import conceding
        from dispute_provider.operators import evidence_store

        async def take_back(record: Record) -> Record:
            if not record.automatic:
                return record
            try:
                client = await clients.of(record.connection)
                earlier = evidence_store.get(record.earlier) if record.earlier else None
            except Exception as error:  # a connection or a store that cannot be used must not stop the others
                return conceding.left_as_it_is(record, error)
            known = json.loads(earlier) if earlier else None
            return await client.run_steps(conceding.take_back(client.api, record, known))

        return await all_of(rejected, take_back)

    def _given_up(
        self, context: Context, results: list[Record], progress: Mapping[str, Progress]
    ) -> list[Record]:
        """With what an earlier try may have sent, and no try could look for, as *unknown*."""
        from dispute_provider.evidence.record import State

        for provider, noted in progress.items():
            doubtful = [one for one in unreached(results) if one.provider == provider and noted.intended(one)]
            if not doubtful:
                continue
            unknown = [
                one.ended(State.UNKNOWN, f"an earlier try may have sent it: {one.reason}") for one in doubtful
            ]
            noted.end(doubtful, unknown)
            noted.leave()
            self._tell(unknown)
            count_unknown_ends(context, unknown)
            write_receipts(unknown)
            results = [one for one in results if one not in doubtful] + unknown
        return results

    def _check(self, context: Context, answered: list[Record]) -> tuple[list[Record], list[Record]]:
        """Return the records that are just as this run's last answer made them, and the others, ended."""
        from dispute_provider.evidence.record import State

        signer = Signer(run_key(context))
        reviews = {record.approval.review for record in answered if record.approval}
        last = {review for review in reviews if last_opening(context, review) == review}
        valid: list[Record] = []
        void: list[Record] = []
        for record in answered:
            what = "approval" if record.state == State.APPROVED else "rejection"
            try:
                if record.signature is None:
                    reason = f"its {what} is not signed: an earlier version made it, or somebody edited it"
                elif (
                    not signer.is_signed(record) or not record.approval or record.approval.review not in last
                ):
                    reason = f"its {what} is not this run's last answer for this evidence"
                else:
                    valid.append(record)
                    continue
                void.append(record.ended(State.REFUSED, f"{reason}; review it again"))
            except ConnectionConfigError as error:
                void.append(record.ended(State.HELD, f"its {what} cannot be checked: {error}"))
        return valid, void

    async def _submit(
        self, context: Context, clients: Clients, group: list[Record], progress: Progress, pace: Pace
    ) -> list[Record]:
        """Submit a group, its intent recorded before and its ends after."""
        from dispute_provider.evidence.record import State
        from dispute_provider.evidence.review import CONCEDE
        from dispute_provider.hooks import conceding, protocol

        # What is given twice is sent once.
        group = list({approval_of(record): record for record in group}.values())
        earlier = {record.dispute: progress.ended(record) for record in group}
        ended = [end for end in earlier.values() if end and end.state != State.UNKNOWN]
        open_ones = [r for r in group if not (end := earlier[r.dispute]) or end.state == State.UNKNOWN]
        pace.done(*ended)
        self._tell(ended)
        if not open_ones:
            # The try that sent them may have ended before it had written their receipts.
            write_receipts(ended)
            return ended
        resumed = {record.dispute for record in open_ones if progress.intended(record)}
        progress.intend([record for record in open_ones if not earlier[record.dispute]])
        # All are settled at the same time, whether or not their turn has come by then.
        now = asyncio.get_running_loop().time
        settled = {record.dispute: now() + progress.settling(record) for record in open_ones}
        alike = {record.dispute: progress.alike(record) for record in open_ones}

        async def send(record: Record) -> Record:
            client = await clients.of(record.connection)
            if record.approval and record.approval.action == CONCEDE:
                resuming = record.dispute in resumed
                return await client.run_steps(conceding.concede(client.api, record, resumed=resuming))
            settle = max(0.0, settled[record.dispute] - now())
            if unknown := earlier[record.dispute]:
                return await client.run_steps(
                    protocol.submit(client.api, unknown, resumed=True, may_send=False, settle=settle)
                )
            return await client.run_steps(
                protocol.submit(
                    client.api,
                    record,
                    resumed=record.dispute in resumed,
                    settle=settle,
                    alike=alike[record.dispute],
                )
            )

        async def submit(record: Record) -> Record:
            end = await send(record)
            pace.done(end)
            self._tell([end])
            return end

        results = await all_of(open_ones, submit)
        progress.end(open_ones, results)
        if unknown_ones := [record for record in results if record.state == State.UNKNOWN]:
            count_unknown_ends(context, unknown_ones)
        await asyncio.to_thread(write_receipts, ended + results)
        return ended + results
