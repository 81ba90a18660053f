"""What the sweep does besides staging: find what is new, open a review, remember it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Asset, BaseAsyncOperator, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from dispute_provider.operators.batch import Given, each, finish, hook_of, records_of, resolve, take
from dispute_provider.operators.links import ReviewRunLink
from dispute_provider.operators.retry import ApiRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.case import Case
    from dispute_provider.evidence.record import Record
    from dispute_provider.evidence.snapshot import Dispute
    from dispute_provider.hooks.transport import AsyncClient

# Its state store is the sweep's memory between runs: by connection, what was put to review.
REVIEWED = Asset(name="disputes put to review", uri="dispute-provider://reviewed")
LARGEST_SWEEP = 100


def _memory(context: Context, conn_id: str) -> dict[str, Any]:
    stored = context["asset_state_store"][REVIEWED].get(conn_id)
    return stored if isinstance(stored, dict) else {}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An open dispute and the case that was found for it."""

    dispute: Dispute
    case: Case
    case_digest: str


class FindCasesOperator(BaseAsyncOperator):
    """Find the cases that are to be staged now: of disputes that are open, and new or changed.

    Disputes without a case are named in the log, soonest deadline first, and pushed as XCom ``without_case``.

    :param conn_id: Airflow connection (templated).
    :param folder: where the cases stand (templated); all of ``[dispute] case_roots`` where not given.
    :returns: paths of case files, soonest deadline first, at most :data:`LARGEST_SWEEP`.
    """

    template_fields: Sequence[str] = ("conn_id", "folder")
    ui_color = "#d0e0e3"

    def __init__(self, *, conn_id: str, folder: str | None = None, **kwargs: Any) -> None:
        kwargs["retry_policy"] = kwargs.get("retry_policy") or ApiRetryPolicy()
        super().__init__(outlets=[REVIEWED], **kwargs)
        self.conn_id = conn_id
        self.folder = folder

    async def aexecute(self, context: Context) -> list[str]:
        from dispute_provider.evidence.memory import is_news
        from dispute_provider.evidence.record import State, by_due_date, record_of

        memory = _memory(context, self.conn_id)
        hook = hook_of(self.conn_id)
        async with hook.async_hook_type(self.conn_id).client(hook.settings) as client:
            open_disputes = {
                dispute.id: dispute for dispute in await client.run_steps(client.api.list_open())
            }
        found, broken = await asyncio.to_thread(self._cases, client.api.name, open_disputes)

        left_alone: list[str] = []
        new: list[_Candidate] = []

        async def compare(client: AsyncClient, candidate: _Candidate) -> Record:
            snapshot = await client.run_steps(client.api.read(candidate.dispute.id, candidate.case.account))
            news = is_news(memory, candidate.dispute.id, candidate.case_digest, snapshot.digest({}))
            (new if news else left_alone).append(candidate if news else candidate.dispute.id)  # type: ignore[arg-type]
            return record_of(candidate.dispute, self.conn_id, State.HELD, "")

        known = [candidate for candidate in found if candidate.dispute.id in memory]
        new += [candidate for candidate in found if candidate.dispute.id not in memory]
        await each(self.conn_id, known, compare)
        new.sort(key=lambda candidate: (candidate.dispute.due is None, candidate.dispute.due))

        with_case = {candidate.dispute.id for candidate in found}
        without = by_due_date(
            [
                record_of(dispute, self.conn_id, State.HELD, dispute.closed or "no case was found for it")
                for dispute in open_disputes.values()
                if dispute.id not in with_case
            ]
        )
        self.log.info(
            "connection=%s open=%d new_or_changed=%d left_alone=%d without_case=%d broken_cases=%d",
            self.conn_id,
            len(open_disputes),
            len(new),
            len(left_alone),
            len(without),
            len(broken),
        )
        if len(new) > LARGEST_SWEEP:
            self.log.info("%d of them wait for the next sweep", len(new) - LARGEST_SWEEP)
        context["ti"].xcom_push(key="without_case", value=finish(self, without))
        context["ti"].xcom_push(key="open", value=sorted(open_disputes))
        return [*broken, *(candidate.case.source or "" for candidate in new[:LARGEST_SWEEP])]

    def _cases(self, provider: str, open_disputes: dict[str, Dispute]) -> tuple[list[_Candidate], list[str]]:
        """The cases of open disputes that can be answered, and the files that are no readable case."""
        from dispute_provider.exceptions import InvalidCaseError
        from dispute_provider.operators import case_files

        found: list[_Candidate] = []
        broken: list[str] = []
        for folder in [self.folder] if self.folder else case_files.case_roots():
            for path in case_files.find_cases(folder):
                try:
                    case = case_files.read_case(path)
                    dispute = open_disputes.get(case.dispute)
                    if case.provider != provider or dispute is None or dispute.closed:
                        continue
                    documents = case_files.read_documents(case)
                except InvalidCaseError:
                    # Staging reads it again and says in its record what is wrong with it.
                    broken.append(path)
                else:
                    found.append(_Candidate(dispute, case, case.digest(documents)))
        return found, broken


class OpenReviewOperator(BaseOperator):
    """Start a run that has the staged disputes reviewed and submitted: nothing here waits for a person.

    The run's id comes from what is to be reviewed: the same batch is never put to review twice. (Airflow's
    own operator for this is not extended: importing it costs a DAG file more than all of ours together.)

    :param staged: records, or a task that returns them; those that are not ``staged`` are left out.
    :param review_dag_id: the DAG that reviews and submits; it finds the records in its run's configuration.
    """

    template_fields: Sequence[str] = ()
    operator_extra_links = (ReviewRunLink(),)
    ui_color = "#ffefeb"

    def __init__(self, *, staged: Given, review_dag_id: str = "dispute_review", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.staged = take(self, staged)
        self.review_dag_id = review_dag_id

    def execute(self, context: Context) -> None:
        from dispute_provider.evidence.record import State
        from dispute_provider.evidence.snapshot import sha256_of

        staged = [r for r in records_of(resolve(self.staged, context)) if r.state == State.STAGED]
        if not staged:
            raise AirflowSkipException("nothing new is staged, there is nothing to review")
        batch = sha256_of(sorted([r.connection, r.dispute, r.stage, r.digest, r.case_digest] for r in staged))
        run_id = f"review__{staged[0].connection}__{batch[:16]}"
        self.log.info("review of %d disputes: %s", len(staged), run_id)
        self.review_url = f"/dags/{self.review_dag_id}/runs/{quote(run_id)}"
        raise DagRunTriggerException(
            trigger_dag_id=self.review_dag_id,
            dag_run_id=run_id,
            conf={"staged": [record.to_dict() for record in staged]},
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
    """Remember what was put to review, so that the next sweep leaves it alone until something changes.

    It comes after the review was opened: a dispute may be asked about twice, but is never forgotten.

    :param staged: the records that were put to review.
    :param still_open: ids of the disputes that are open; others are forgotten.
    :param conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = ("conn_id",)

    def __init__(self, *, staged: Given, still_open: Given, conn_id: str, **kwargs: Any) -> None:
        super().__init__(outlets=[REVIEWED], **kwargs)
        self.staged = take(self, staged)
        self.still_open = take(self, still_open)
        self.conn_id = conn_id

    def execute(self, context: Context) -> None:
        from dispute_provider.evidence.memory import remember
        from dispute_provider.evidence.record import State

        store = context["asset_state_store"][REVIEWED]
        staged = [r for r in records_of(resolve(self.staged, context)) if r.state == State.STAGED]
        memory = _memory(context, self.conn_id)
        store.set(self.conn_id, remember(memory, staged, resolve(self.still_open, context)))  # type: ignore[arg-type]
