"""Submit what was approved, once, and concede or take back what a review decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseAsyncOperator

from dispute_provider.state.approvals import (
    SUBMISSIONS,
    count_unknown_ends,
    last_opening,
)
from dispute_provider.state.evidence_store import EvidenceStoreError
from dispute_provider.state.receipts import Receipts
from dispute_provider.state.stores import run_key
from dispute_provider.state.submission_journal import SubmissionJournal
from dispute_provider.tasks.batch import (
    Apis,
    Given,
    accept_upstream,
    all_of,
    resolve,
    retry_held,
    warn_without_lock,
)
from dispute_provider.tasks.operator_defaults import with_defaults
from dispute_provider.tasks.progress import BatchProgress
from dispute_provider.tasks.record_lists import Tally, Value, is_unreached, records_of, return_value
from dispute_provider.tasks.signing import Signer
from dispute_provider.tasks.submitter import Submitter, keep, may_have_been_sent, not_noted

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record


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
    passes_on: ClassVar[str] = "approved"

    def __init__(self, *, approved: Given, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, SUBMISSIONS))
        self.approved = accept_upstream(self, approved)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, SUBMISSIONS))

    async def aexecute(self, context: Context) -> Value:
        from dispute_provider.evidence.record import State

        signer = Signer(run_key(context))
        records = list(signer.verified(records_of(resolve(self.approved, context)), "review it again"))
        to_send = sum(record.state == State.APPROVED for record in records)
        journals: dict[str, SubmissionJournal | None] = {}
        receipts = Receipts()
        async with Apis() as apis, BatchProgress(context, "submitting", to_send) as progress:
            answered = (State.APPROVED, State.REJECTED)
            results = [record for record in records if record.state not in answered]
            valid, void = self._check(context, [record for record in records if record.state in answered])
            results += void
            results += await self._take_back(apis, [r for r in valid if r.state == State.REJECTED])
            self._log_lines(results)
            valid = [record for record in valid if record.state == State.APPROVED]
            self._warn_without_lock(valid)
            for provider in sorted({record.provider for record in valid}):
                batch = [record for record in valid if record.provider == provider]
                journals[provider] = journal = self._open_journal(context, provider)
                if journal is None:
                    ends = [not_noted(record, "read") for record in batch]
                    self._log_lines(ends)
                    results += ends
                    continue
                submitter = Submitter(self.log, context, apis, journal, receipts, progress)
                results += await submitter.all(batch)
        for each in filter(None, journals.values()):
            keep(self.log, each.close)
        retry_held(context, Tally(results))
        results = self._given_up(context, results, journals, receipts)
        try:
            return return_value(results, signer)
        except EvidenceStoreError as error:
            self.log.error("%s; the records go through XCom", error)
            return [signer.sealed(record).to_dict() for record in results]

    def _warn_without_lock(self, records: Iterable[Record]) -> None:
        from dispute_provider.hooks.connections import api_of

        for connection in sorted({record.connection for record in records}):
            # Why a connection cannot be used, its records say.
            with suppress(Exception):
                warn_without_lock(self, api_of(connection))

    def _open_journal(self, context: Context, provider: str) -> SubmissionJournal | None:
        try:
            return SubmissionJournal(context, provider)
        except Exception:  # whatever the store raises, nothing is sent without it
            self.log.exception("Airflow's state store cannot be read: nothing is sent at %s", provider)
            return None

    def _log_lines(self, ends: Iterable[Record]) -> None:
        """A line for each, as soon as it is known: whoever looks after a task that was killed finds it."""
        for record in ends:
            self.log.info("%s", record.log_line())

    async def _take_back(self, apis: Apis, rejected: list[Record]) -> list[Record]:
        """Take back what was rejected at an API that would have sent it by itself; pass on the rest."""
        from dispute_provider.state import evidence_store
        from dispute_provider.workflow import concede as conceding

        async def take_back(record: Record) -> Record:
            if not record.automatic:
                return record
            try:
                api = await apis.of(record.connection)
                earlier = evidence_store.get(record.earlier) if record.earlier else None
            except Exception as error:  # a connection or a store that cannot be used must not stop the others
                return conceding.left_as_it_is(record, error)
            known = json.loads(earlier) if earlier else None
            return await conceding.take_back(api, record, known)

        return await all_of(rejected, take_back)

    def _given_up(
        self,
        context: Context,
        results: list[Record],
        journals: Mapping[str, SubmissionJournal | None],
        receipts: Receipts,
    ) -> list[Record]:
        """With what an earlier try may have sent, and no try could look for, as *unknown*."""
        unknown: dict[int, Record] = {}
        for place, record in enumerate(results):
            if not is_unreached(record) or not record.approval:
                continue
            journal = journals.get(record.provider)
            if journal.intended(record) if journal else context["ti"].try_number > 1:
                unknown[place] = end = may_have_been_sent(record, record.reason)
                self._log_lines([end])
                receipts.write(end)
                if journal:
                    keep(self.log, partial(journal.end, [record], [end]))
        if unknown:
            keep(self.log, partial(count_unknown_ends, context, list(unknown.values())))
            for each in filter(None, journals.values()):
                keep(self.log, each.close)
        return [unknown.get(place, record) for place, record in enumerate(results)]

    def _check(self, context: Context, answered: list[Record]) -> tuple[list[Record], list[Record]]:
        """Return the records that the last answers of their reviews made, and the others, ended."""
        from dispute_provider.evidence.record import State

        reviews = {record.approval.review for record in answered if record.approval}
        try:
            last = {review for review in reviews if last_opening(context, review) == review}
        except Exception:  # whatever the store raises
            self.log.exception("Airflow's state store cannot be read: nothing is sent")
            return [], [not_noted(record, "read") for record in answered]
        valid: list[Record] = []
        void: list[Record] = []
        for record in answered:
            if record.approval and record.approval.review in last:
                valid.append(record)
                continue
            what = "approval" if record.state == State.APPROVED else "rejection"
            reason = f"its {what} is not this run's last answer: the review was opened again; review it again"
            void.append(record.ended(State.REFUSED, reason))
        return valid, void
