"""Submit approved evidence, concede disputes and withdraw rejected evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow.sdk import BaseAsyncOperator
from msgspec.structs import replace

from dispute_provider._ledger.stores import LedgerError
from dispute_provider._state.approvals import SUBMISSIONS, last_opening
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._state.receipts import Receipts
from dispute_provider._state.stores import run_key
from dispute_provider._tasks.batch import (
    Apis,
    Given,
    accept_upstream,
    all_of,
    resolve,
    retry_held,
)
from dispute_provider._tasks.batch_submission import BatchSubmission, not_sent, possibly_sent
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.record_lists import Tally, Value, records_of, return_value
from dispute_provider._tasks.signing import Signer
from dispute_provider.exceptions import DisputeError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

    # The end of a record whose approval is no longer valid, and the signature under which it was approved.
    _Void: TypeAlias = tuple[Record, str | None]


class SubmitEvidenceOperator(BaseAsyncOperator):
    """Submit approved evidence to the bank, at most once per dispute.

    Each dispute is read and compared with its approval, submitted, and confirmed. A retry continues where the
    earlier try stopped. The ledger locks each dispute between tasks, runs, connections and deployments; see
    ``[dispute] ledger``.

    The task also concedes disputes whose concession was approved. If the API would submit rejected evidence
    automatically, the task withdraws it.

    :param approved: records, or a task that returns them. Records in other states than ``approved`` and
        ``rejected`` pass through.
    :raises TryAgainError: if disputes could not be reached and tries are left, so that Airflow retries.
    :returns: one record per dispute: ``submitted``, ``submitted-differs``, ``already-submitted``,
        ``conceded``, ``rejected``, ``refused``, ``held`` or ``unknown``. More than 250 records are written to
        ``[dispute] evidence_store`` if there is one, and the XCom is a reference to them.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#f4cccc"
    passes_on: ClassVar[str] = "approved"

    def __init__(self, *, approved: Given, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, SUBMISSIONS, LEDGER))
        self.approved = accept_upstream(self, approved)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, SUBMISSIONS, LEDGER))

    async def aexecute(self, context: Context) -> Value:
        from dispute_provider._evidence.record import State

        signer = Signer(run_key(context))
        given = list(records_of(resolve(self.approved, context)))
        records = list(signer.verified(given, "review it again"))
        to_send = sum(record.state == State.APPROVED for record in records)
        receipts = Receipts()
        async with Apis() as apis, BatchProgress(context, "submitting", to_send) as progress:
            answered, void, results = _sorted(given, records)
            valid, outdated = self._check(context, answered)
            void += [(end, end.signature) for end in outdated if end.approval]
            results += [end for end in outdated if not end.approval]
            is_retry = context["ti"].try_number > 1
            try:
                ledgers = Ledgers(context)
            except LedgerError as error:
                self.log.error("%s: nothing is sent", error)
                results += [replace(not_sent(record, error), maybe_ours=is_retry) for record in valid]
                results += [replace(not_sent(e, error), maybe_ours=True) if is_retry else e for e, _ in void]
                self._log_lines(results)
            else:
                results += (
                    await self._sent_before(ledgers, receipts, void) if is_retry else [e for e, _ in void]
                )
                rejected = [record for record in valid if record.state == State.REJECTED]
                results += await self._reject(apis, ledgers, receipts, rejected)
                self._log_lines(results)
                submission = BatchSubmission(self.log, apis, ledgers, receipts, progress, is_retry=is_retry)
                results += await submission.run(r for r in valid if r.state == State.APPROVED)
        retry_held(context, Tally(results))
        results = self._given_up(results, receipts)
        try:
            return return_value(results, signer)
        except EvidenceStoreError as error:
            self.log.error("%s; the records are returned in XCom instead", error)
            return [signer.sealed(record).to_dict() for record in results]

    def _log_lines(self, ends: Iterable[Record]) -> None:
        """Log each end at once, so that the log is complete if the task is killed."""
        for record in ends:
            self.log.info("%s", record.log_line())

    async def _reject(
        self, apis: Apis, ledgers: Ledgers, receipts: Receipts, rejected: list[Record]
    ) -> list[Record]:
        """Record rejections, and withdraw evidence that the API would submit automatically."""
        from dispute_provider._state import evidence_store
        from dispute_provider._workflow.sending.put_back import not_put_back
        from dispute_provider._workflow.sending.reject import not_in_ledger, receipt_of, reject

        async def end(record: Record) -> Record:
            try:
                api = await apis.of(record.connection)
                earlier = evidence_store.get(record.earlier) if record.earlier else None
                known = json.loads(earlier) if earlier else None
                ledger = ledgers.of(api, record.dispute)
                ended, receipt = await reject(api, record, known, ledger, ledgers.task)
            except Exception as error:  # a connection or a store that cannot be used must not stop the others
                ended = not_put_back(record, error) if record.automatic else not_in_ledger(record, error)
                receipt = receipt_of(record, ended)
            receipts.write(receipt)
            return ended

        return await all_of(rejected, end)

    async def _sent_before(self, ledgers: Ledgers, receipts: Receipts, void: list[_Void]) -> list[Record]:
        """Return the ends of records whose approval is no longer valid; an earlier try may have sent them."""
        from dispute_provider._evidence.record import State
        from dispute_provider._workflow.sending.ledger_ends import sent_before
        from dispute_provider.hooks._connections import api_of

        async def look(each: _Void) -> Record:
            end, signature = each
            try:
                ledger = ledgers.of(api_of(end.connection), end.dispute)
                end = await sent_before(end, ledger, ledgers.task, signature)
            except DisputeError as error:
                held = end if end.state == State.HELD else not_sent(end, error)
                return replace(held, maybe_ours=True)
            receipts.write(end)
            return end

        return await all_of(void, look)

    def _given_up(self, results: list[Record], receipts: Receipts) -> list[Record]:
        """Return the results; held records that an earlier try may have sent become *unknown*."""
        from dispute_provider._evidence.record import State

        for place, record in enumerate(results):
            if record.state == State.HELD and record.maybe_ours:
                results[place] = end = possibly_sent(record, record.reason)
                self._log_lines([end])
                receipts.write(end)
        return results

    def _check(self, context: Context, answered: list[Record]) -> tuple[list[Record], list[Record]]:
        """Return the records from the latest answers of their reviews, and the ends of the others."""
        from dispute_provider._evidence.record import State

        reviews = {record.approval.review for record in answered if record.approval}
        try:
            openings = {review: last_opening(context, review) for review in reviews}
        except Exception as error:  # the store may raise any error
            self.log.exception("nothing is sent: Airflow's state store cannot be read")
            problem = f"Airflow's state store cannot be read ({type(error).__name__}); to do: clear the task"
            is_retry = context["ti"].try_number > 1
            return [], [replace(not_sent(record, problem), maybe_ours=is_retry) for record in answered]
        valid: list[Record] = []
        void: list[Record] = []
        for record in answered:
            review = record.approval.review if record.approval else None
            opening = openings.get(review) if review else None
            if review and opening == review:
                valid.append(record)
                continue
            what = "approval" if record.state == State.APPROVED else "rejection"
            if review and opening is None:
                problem = "cannot be checked: Airflow's state store no longer has the opening of its review"
            else:
                problem = "was withdrawn: the review was opened again"
            void.append(record.ended(State.REFUSED, f"its {what} {problem}; review it again"))
        return valid, void


def _sorted(given: list[Record], checked: list[Record]) -> tuple[list[Record], list[_Void], list[Record]]:
    """Return the answered records, those with invalid signatures, and the others.

    :param given: the records as the task received them.
    :param checked: the same records after their signatures were checked.
    """
    from dispute_provider._evidence.record import State

    answered: list[Record] = []
    void: list[_Void] = []
    others: list[Record] = []
    for record, found in zip(given, checked, strict=True):
        if found.unverified:
            void.append((found, record.signature))
        elif found.state in (State.APPROVED, State.REJECTED):
            answered.append(found)
        else:
            others.append(found)
    return answered, void, others
