"""Stage, review and submit evidence: lists in, lists out, the same for every API.

Each operator returns one record per dispute, with its state and reason; a bad one never stops the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseAsyncOperator, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from dispute_provider.operators.batch import (
    Given,
    each,
    finish,
    records_of,
    resolve,
    run_key,
    secrets_of,
    take,
)
from dispute_provider.operators.retry import ApiRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record
    from dispute_provider.evidence.snapshot import Snapshot
    from dispute_provider.hooks.transport import AsyncClient

_DEFAULT_BUFFER = timedelta(hours=6)
_SHORTEST_REVIEW = timedelta(minutes=5)


class StageEvidenceOperator(BaseAsyncOperator):
    """Put the evidence of cases on their disputes, without submitting it.

    :param cases: a list, or a task that returns one: each a case as a dict, or the path of a case file under
        ``[dispute] case_roots``.
    :param conn_id: Airflow connection of type ``stripe`` or ``moov`` (templated).
    :param folder: where the documents of dict cases stand, under the same roots (templated).
    :returns: one record per case: ``staged``, ``already-submitted``, ``held``, ``refused`` or ``unknown``.
    """

    template_fields: Sequence[str] = ("conn_id", "folder")
    ui_color = "#d9ead3"

    def __init__(self, *, cases: Given, conn_id: str, folder: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", ApiRetryPolicy())
        super().__init__(**kwargs)
        self.cases = take(self, cases)
        self.conn_id = conn_id
        self.folder = folder

    async def aexecute(self, context: Context) -> list[dict[str, Any]]:
        cases = resolve(self.cases, context)
        seen: set[str] = set()

        async def stage(client: AsyncClient, case: Any) -> Record:
            return await self._stage(client, case, seen)

        return finish(self, await each(self.conn_id, cases, stage))

    async def _stage(self, client: AsyncClient, given: Any, seen: set[str]) -> Record:
        from dispute_provider.evidence.case import Case
        from dispute_provider.evidence.record import Record, State
        from dispute_provider.exceptions import InvalidCaseError
        from dispute_provider.hooks import protocol
        from dispute_provider.operators import case_files

        provider = client.api.name
        named = given.get("dispute") if isinstance(given, Mapping) else given
        record = Record(provider, self.conn_id, str(named)[:200], State.REFUSED, "not looked at")
        try:
            if isinstance(given, str):
                case_files.require_within_roots(given)
                case = await asyncio.to_thread(case_files.read_case, given)
            else:
                if self.folder:
                    case_files.require_within_roots(self.folder)
                case = Case.parse(given, folder=self.folder)
            record = replace(
                record,
                dispute=case.dispute,
                case=case.source,
                prepared_by=case.prepared_by,
                customer_contacted=case.customer_contacted,
            )
            if case.provider != provider:
                reason = f"the case is for {case.provider}, the connection is a {provider} one"
                return record.ended(State.REFUSED, reason)
            if case.dispute in seen:
                return record.ended(State.REFUSED, "another case of this batch is for the same dispute")
            seen.add(case.dispute)
            documents = await asyncio.to_thread(case_files.read_documents, case)
            record = replace(record, case_digest=case.digest(documents))
        except InvalidCaseError as error:
            return record.ended(State.REFUSED, str(error))
        return await client.run_steps(protocol.stage(client.api, case, documents, record))


class ReviewEvidenceOperator(HITLOperator):
    """Ask a person which of the staged disputes are to be submitted.

    One dispute is shown in full, several as a table with a choice. The task waits without holding a slot.
    What nobody approves in time is held; nothing here ever fails the run for want of an answer.

    :param staged: records, or a task that returns them; those that are not ``staged`` pass through.
    :param buffer: the review ends so long before the earliest due date.
    :param assigned_users: who may answer; everybody with the right to, where not given.
    :param notifiers: told once, when the review opens.
    :returns: one record per dispute: ``approved``, ``held`` or ``rejected``, the answer signed.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#fff2cc"

    def __init__(self, *, staged: Given, buffer: timedelta = _DEFAULT_BUFFER, **kwargs: Any) -> None:
        # Options and texts are made when the task runs; the base class wants some at parse time.
        super().__init__(subject="Review of evidence", options=["Submit none of them"], **kwargs)
        self.staged = take(self, staged)
        self.buffer = buffer

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from dispute_provider.evidence import review
        from dispute_provider.evidence.record import State, by_due_date

        given = records_of(resolve(self.staged, context))
        read, snapshots = asyncio.run(_read_again([r for r in given if r.state == State.STAGED]))
        to_decide = by_due_date([record for record in read if record.state == State.STAGED])
        late = [
            review.held(r, f"a review holds at most {review.LARGEST_REVIEW}; in a later one")
            for r in to_decide[review.LARGEST_REVIEW :]
        ]
        to_decide = to_decide[: review.LARGEST_REVIEW]
        passed = [r for r in given if r.state != State.STAGED]
        others = [*passed, *(r for r in read if r.state != State.STAGED), *late]
        if not to_decide:
            return finish(self, others)

        form = review.form(to_decide, snapshots)
        shown = {
            "records": [record.to_dict() for record in to_decide],
            "others": [record.to_dict() for record in others],
        }
        self._show(form)
        self.response_timeout = self._time_left(to_decide)
        self.log.info("review opened: %s", form.subject)
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            # The task resumes as a new instance that knows only what stands here.
            waiting.kwargs = {**(waiting.kwargs or {}), "shown": shown}
            raise
        raise AssertionError("the base class parks the task")

    def _show(self, form: Any) -> None:
        from airflow.sdk import Param
        from airflow.sdk.definitions.param import ParamsDict

        self.subject, self.body = form.subject, form.body
        self.options, self.multiple = list(form.options), form.multiple
        params = {
            "note": Param(
                "",
                type=["null", "string"],
                title="Note",
                description="Why; it stands in every record.",
                source="task",
            )
        }
        if form.rejectable:
            params["reject"] = Param(
                [],
                type=["null", "array"],
                items={"type": "string"},
                examples=list(form.rejectable),
                title="Reject",
                description="Disputes not to contest with this evidence. What is neither submitted nor "
                "rejected is held.",
                source="task",
            )
        self.params = ParamsDict(params)

    def _time_left(self, records: Sequence[Record]) -> timedelta | None:
        """Until the earliest due date less the buffer; once that has begun, until just before the date."""
        dues = [record.due_at for record in records if record.due_at]
        if not dues:
            return None
        left = min(dues) - datetime.now(UTC)
        return left - self.buffer if left > self.buffer else max(left - _SHORTEST_REVIEW, _SHORTEST_REVIEW)

    def execute_complete(
        self, context: Context, event: dict[str, Any], shown: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        if shown is None:
            raise ValueError("the task was resumed without what its review had shown")
        records = records_of(shown["records"])
        decided = self._decided(context, event, records)
        return finish(self, [*decided, *records_of(shown["others"])])

    def _decided(self, context: Context, event: Mapping[str, Any], records: list[Record]) -> list[Record]:
        from dispute_provider.evidence import review
        from dispute_provider.evidence.record import State, sign

        who = event.get("responded_by_user")
        if "error" in event or not who:
            return [review.held(record, "nobody answered in time; nothing was sent") for record in records]
        responder = f"{who.get('name')} ({who.get('id')})"
        decisions = review.decide(records, event["chosen_options"] or [], event["params_input"] or {})
        if isinstance(decisions, str):
            return [
                review.held(record, f"the answer of {responder} is void: {decisions}") for record in records
            ]

        states = {review.SUBMIT: State.APPROVED, review.HOLD: State.HELD, review.REJECT: State.REJECTED}
        run, secrets = run_key(context), secrets_of(records)
        return [
            replace(
                record.ended(states[decision.action], f"{decision.reason} – {responder}"),
                approval=sign(
                    secrets[record.connection],
                    run,
                    record,
                    decision.action,
                    responder,
                    event["responded_at"].isoformat(),
                ),
            )
            for record in records
            for decision in [decisions[record.dispute]]
        ]


class SubmitEvidenceOperator(BaseAsyncOperator):
    """Send what was approved to the bank: read again, compare, send once, read back.

    :param approved: records, or a task that returns them; those that are not ``approved`` pass through.
    :returns: one record per dispute: ``submitted``, ``submitted-differs``, ``already-submitted``,
        ``refused``, ``held`` or ``unknown``.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#f4cccc"

    def __init__(self, *, approved: Given, **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", ApiRetryPolicy())
        super().__init__(**kwargs)
        self.approved = take(self, approved)

    async def aexecute(self, context: Context) -> list[dict[str, Any]]:
        from dispute_provider.evidence.record import State, is_signed
        from dispute_provider.evidence.review import SUBMIT
        from dispute_provider.hooks import protocol

        records = records_of(resolve(self.approved, context))
        run, secrets = run_key(context), secrets_of(records)

        async def submit(client: AsyncClient, record: Record) -> Record:
            approval = record.approval
            if (
                approval is None
                or approval.action != SUBMIT
                or not is_signed(secrets[record.connection], run, record)
            ):
                reason = "its approval was not given in this run for this evidence; review it again"
                return record.ended(State.REFUSED, reason)
            return await client.run_steps(protocol.submit(client.api, record))

        results = [record for record in records if record.state != State.APPROVED]
        for connection in sorted({r.connection for r in records if r.state == State.APPROVED}):
            batch = [r for r in records if r.connection == connection and r.state == State.APPROVED]
            results += await each(connection, batch, submit)
        return finish(self, results)


class ReportOutcomeOperator(BaseOperator):
    """The last word of a run: a table in the log, and a failure where a person must look.

    It fails for ``refused``, ``unknown`` and ``submitted-differs``, and for ``held`` where nobody decided so.

    :param results: records, or a task that returns them.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#cfe2f3"

    def __init__(self, *, results: Given, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.results = take(self, results)

    def execute(self, context: Context) -> dict[str, int]:
        from collections import Counter

        from dispute_provider.evidence.record import State

        records = records_of(resolve(self.results, context))
        finish(self, records)
        loud = (State.REFUSED, State.UNKNOWN, State.SUBMITTED_DIFFERS)
        attention = [
            record
            for record in records
            if record.state in loud or (record.state == State.HELD and record.approval is None)
        ]
        counts = dict(Counter(str(record.state) for record in records))
        if attention:
            lines = "\n".join(f"  {record.log_line()}" for record in attention)
            raise AirflowFailException(f"{len(attention)} of {len(records)} disputes need a person:\n{lines}")
        return counts


async def _read_again(records: Sequence[Record]) -> tuple[list[Record], dict[str, Snapshot]]:
    """Read what the APIs hold now: it, and not what was staged an hour ago, is what a reviewer is shown."""
    from dispute_provider.evidence.record import State
    from dispute_provider.exceptions import ApiError

    snapshots: dict[str, Snapshot] = {}

    async def read(client: AsyncClient, record: Record) -> Record:
        try:
            snapshot = await client.run_steps(client.api.read(record.dispute, record.account, details=True))
        except ApiError as error:
            return record.ended(State.HELD, f"not reviewed: {error}", error.request_id)
        fresh = record.seen(snapshot)
        if snapshot.dispute.submitted or snapshot.dispute.closed:
            return fresh.ended(
                State.REFUSED, snapshot.dispute.closed or "it was answered since it was staged"
            )
        if fresh.digest != record.digest:
            fresh = replace(fresh, notes=(*fresh.notes, "what the API holds has changed since it was staged"))
        snapshots[record.dispute] = snapshot
        return fresh

    result: list[Record] = []
    for connection in sorted({record.connection for record in records}):
        result += await each(connection, [r for r in records if r.connection == connection], read)
    return result, snapshots
