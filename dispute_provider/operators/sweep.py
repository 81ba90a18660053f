"""What the sweep does besides staging: find what is new, open a review, remember it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseAsyncOperator, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from dispute_provider.evidence.deadlines import BUFFER, review_end
from dispute_provider.operators.batch import Clients, Given, all_of, resolve, take
from dispute_provider.operators.links import ReviewRunLink
from dispute_provider.operators.record_lists import handed_out, records_of
from dispute_provider.operators.remind import due_soon
from dispute_provider.operators.retry import ApiRetryPolicy
from dispute_provider.operators.review_memory import (
    ANSWERED,
    REVIEWED,
    STAGED,
    answers_to,
    forget_answers,
    load,
    save,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.case import Case
    from dispute_provider.evidence.snapshot import Dispute

LARGEST_SWEEP = 100


def _memory(context: Context, conn_id: str) -> dict[str, Any]:
    """What was put to review."""
    return load(context, REVIEWED, conn_id)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An open dispute and the case that was found for it."""

    dispute: Dispute
    case: Case
    case_digest: str


class FindCasesOperator(BaseAsyncOperator):
    """Find the cases that are to be staged now: of disputes that are open, and new or changed.

    What was put to review is left alone until something changes, or its review has ended without an answer.
    Disputes without a case, or at a stage that has to be answered elsewhere, are named in the log, soonest
    deadline first, and pushed as XCom ``without_case``; those to remind people of, as ``due_soon``; those
    that the API's list names but that cannot be read, as ``unreadable``.

    :param conn_id: Airflow connection (templated).
    :param folder: where the cases stand (templated); all of ``[dispute] case_roots`` where not given.
    :returns: paths of case files, soonest deadline first, at most :data:`LARGEST_SWEEP`.
    """

    template_fields: Sequence[str] = ("conn_id", "folder")
    ui_color = "#d0e0e3"

    def __init__(self, *, conn_id: str, folder: str | None = None, **kwargs: Any) -> None:
        kwargs["retry_policy"] = kwargs.get("retry_policy") or ApiRetryPolicy()
        super().__init__(inlets=[ANSWERED], outlets=[REVIEWED], **kwargs)
        self.conn_id = conn_id
        self.folder = folder

    async def aexecute(self, context: Context) -> list[str]:
        from dispute_provider.evidence.memory import Asked
        from dispute_provider.evidence.record import Record, State, by_due_date, record_of

        memory = _memory(context, self.conn_id)
        now = datetime.now(UTC)
        left_alone: list[str] = []
        new: list[_Candidate] = []
        asked = {dispute: before for dispute in memory if (before := Asked.of(memory, dispute))}

        async with Clients() as clients:
            client = await clients.of(self.conn_id)
            listing = await client.run_steps(client.api.list_open())
            open_disputes = {dispute.id: dispute for dispute in listing.disputes}
            found, broken = await asyncio.to_thread(self._cases, client.api.name, open_disputes)

            async def compare(candidate: _Candidate) -> None:
                dispute = candidate.dispute
                snapshot = await client.run_steps(client.api.read(dispute.id, candidate.case.account))
                before, answer = asked[dispute.id], answers.get(dispute.id)
                if dispute.past_due(now) or before.is_settled(answer, candidate.case_digest, snapshot, now):
                    left_alone.append(dispute.id)
                else:
                    new.append(candidate)

            known = [candidate for candidate in found if candidate.dispute.id in asked]
            new += [candidate for candidate in found if candidate.dispute.id not in asked]
            answers = answers_to(
                context, self.conn_id, {each.dispute.id: asked[each.dispute.id] for each in known}
            )
            await all_of(known, compare)
        new.sort(key=lambda candidate: (candidate.dispute.due is None, candidate.dispute.due))

        with_case = {candidate.dispute.id for candidate in found}
        without = by_due_date(
            [
                record_of(
                    dispute,
                    self.conn_id,
                    State.HELD,
                    dispute.closed or dispute.unsupported or "no case was found for it",
                )
                for dispute in open_disputes.values()
                if dispute.id not in with_case
            ]
        )
        unreadable = [
            Record(
                client.api.name,
                self.conn_id,
                each.dispute or "without a readable id",
                State.HELD,
                f"the API lists it, but it cannot be read: {each.problem}",
            )
            for each in listing.unreadable
        ]
        self.log.info(
            "connection=%s open=%d new_or_changed=%d left_alone=%d without_case=%d broken_cases=%d "
            "unreadable=%d",
            self.conn_id,
            len(open_disputes),
            len(new),
            len(left_alone),
            len(without),
            len(broken),
            len(unreadable),
        )
        if len(new) > LARGEST_SWEEP:
            self.log.info("%d of them wait for the next sweep", len(new) - LARGEST_SWEEP)
        context["ti"].xcom_push(key="without_case", value=handed_out(without, self.log))
        context["ti"].xcom_push(key="unreadable", value=handed_out(unreadable, self.log))
        # What cannot be read is open perhaps, so what is remembered of it stays.
        named = {each.dispute for each in listing.unreadable if each.dispute}
        context["ti"].xcom_push(key="open", value=sorted(named.union(open_disputes)))
        no_case = {record.dispute: record for record in without}
        soon = [
            no_case.get(dispute.id) or record_of(dispute, self.conn_id, State.HELD, "")
            for dispute in due_soon(open_disputes.values(), now)
        ]
        context["ti"].xcom_push(key="due_soon", value=handed_out(soon))
        return [*broken, *(candidate.case.source or "" for candidate in new[:LARGEST_SWEEP])]

    def _cases(self, provider: str, open_disputes: dict[str, Dispute]) -> tuple[list[_Candidate], list[str]]:
        """The cases of open disputes that can be answered, and the files that are no readable case."""
        from dispute_provider.exceptions import InvalidCaseError
        from dispute_provider.operators import case_documents, case_files
        from dispute_provider.rendering import Renderer

        found: list[_Candidate] = []
        broken: list[str] = []
        folders = [self.folder] if self.folder else case_files.case_roots()
        with Renderer() as renderer:
            for path in chain.from_iterable(map(case_files.find_cases, folders)):
                try:
                    case = case_files.read_case(path)
                    dispute = open_disputes.get(case.dispute)
                    if case.provider != provider or dispute is None:
                        continue
                    if dispute.closed or dispute.unsupported:
                        continue
                    documents = case_documents.read_documents(case, renderer).found
                except InvalidCaseError:
                    # Staging reads it again and says in its record what is wrong with it.
                    broken.append(path)
                else:
                    found.append(_Candidate(dispute, case, case.digest(documents)))
        return found, broken


class OpenReviewOperator(BaseOperator):
    """Start a run that has the staged disputes reviewed and submitted: nothing here waits for a person.

    The run's id comes from what is to be reviewed, and from the reviews that came before it: the same batch
    is put to review again only when a sweep has found that nobody answered. The id is pushed as XCom
    ``review``, empty where there is nothing to review. (Airflow's own operator for this is not extended:
    importing it costs a DAG file more than all of ours together.)

    :param staged: records, or a task that returns them; those that are not ``staged`` are left out.
    :param conn_id: Airflow connection (templated).
    :param review_dag_id: the DAG that reviews and submits; it finds the records in its run's configuration.
    """

    template_fields: Sequence[str] = ("conn_id",)
    operator_extra_links = (ReviewRunLink(),)
    ui_color = "#ffefeb"

    def __init__(
        self, *, staged: Given, conn_id: str, review_dag_id: str = "dispute_review", **kwargs: Any
    ) -> None:
        super().__init__(inlets=[REVIEWED], **kwargs)
        self.staged = take(self, staged)
        self.conn_id = conn_id
        self.review_dag_id = review_dag_id

    def execute(self, context: Context) -> None:
        from dispute_provider.evidence.memory import review_name
        from dispute_provider.evidence.record import State

        staged = [r for r in records_of(resolve(self.staged, context)) if r.state == State.STAGED]
        if not staged:
            context["ti"].xcom_push(key="review", value="")
            raise AirflowSkipException("nothing new is staged, there is nothing to review")
        name = review_name(_memory(context, self.conn_id), staged)
        run_id = f"review__{staged[0].connection}__{name}"
        self.log.info("review of %d disputes: %s", len(staged), run_id)
        self.review_url = f"/dags/{self.review_dag_id}/runs/{quote(run_id)}"
        context["ti"].xcom_push(key="review", value=f"{self.review_dag_id}/{run_id}")
        raise DagRunTriggerException(
            trigger_dag_id=self.review_dag_id,
            dag_run_id=run_id,
            conf={STAGED: handed_out(staged)},
            logical_date=None,
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=60,
            deferrable=False,
        )


class RememberReviewOperator(BaseOperator):
    """Remember what was put to review, so that the next sweep leaves it alone until there is a reason not to.

    It comes after the review was opened: a dispute may be asked about twice, but is never forgotten.

    :param staged: the records that were put to review.
    :param review: the run of the review, its DAG's id before it.
    :param still_open: ids of the disputes that are open; others are forgotten.
    :param conn_id: Airflow connection (templated).
    :param buffer: that of the review, which ends so long before the earliest due date.
    """

    template_fields: Sequence[str] = ("conn_id",)

    def __init__(
        self,
        *,
        staged: Given,
        review: Given,
        still_open: Given,
        conn_id: str,
        buffer: timedelta = BUFFER,
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[REVIEWED, ANSWERED], **kwargs)
        self.staged = take(self, staged)
        self.review = take(self, review)
        self.still_open = take(self, still_open)
        self.conn_id = conn_id
        self.buffer = buffer

    def execute(self, context: Context) -> None:
        from dispute_provider.evidence.memory import remember
        from dispute_provider.evidence.record import State

        staged = [r for r in records_of(resolve(self.staged, context)) if r.state == State.STAGED]
        [review] = resolve(self.review, context)
        until = review_end([record.due_at for record in staged], self.buffer, datetime.now(UTC))
        before = _memory(context, self.conn_id)
        after = remember(before, staged, resolve(self.still_open, context), review, until)
        save(context, REVIEWED, self.conn_id, after)
        forget_answers(context, _reviews(before) - _reviews(after))


def _reviews(memory: Mapping[str, Any]) -> set[str]:
    """The reviews that are remembered."""
    from dispute_provider.evidence.memory import Asked

    return {asked.review for dispute in memory if (asked := Asked.of(memory, dispute))}
