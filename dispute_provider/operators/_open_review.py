"""The operator that starts the run of a review."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from dispute_provider._evidence.deadlines import is_urgent
from dispute_provider._state.sweep_store import (
    ANSWERED,
    ENDED,
    LAST_REVIEWS,
    REVIEWED,
    STAGED,
    load,
    past_answers,
)
from dispute_provider._tasks.batch import Given, accept_upstream
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.links import ReviewRunLink
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.record_lists import return_value
from dispute_provider._tasks.signing import STAGED as SCOPE
from dispute_provider._tasks.signing import Signer
from dispute_provider._tasks.staged_records import staged_records

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record


class OpenReviewOperator(BaseOperator):
    """Start a run that reviews and submits the staged disputes, without waiting for it.

    The run id is derived from the staged evidence and its earlier reviews, so a retry does not open a second
    review. The operator pushes the run and its disputes as the XCom ``review``; the list is empty if there is
    nothing to review. (It does not extend ``TriggerDagRunOperator``, whose import would slow down DAG
    parsing.)

    :param staged: records, or a task that returns them. Records in other states than ``staged``, or with an
        invalid signature, are left out.
    :param conn_id: Airflow connection (templated).
    :param review_dag_id: the DAG that reviews and submits; it reads the records from its run's configuration.
        Default: ``dispute_review``.
    :param urgent: True reviews only disputes due within a day of the start of this run, False only the
        others, so that urgent disputes do not shorten the review of the others. Default: None, all disputes.
    :raises AirflowSkipException: if there is nothing to review.
    """

    template_fields: Sequence[str] = ("conn_id",)
    operator_extra_links = (ReviewRunLink(),)
    ui_color = "#ffefeb"

    def __init__(
        self,
        *,
        staged: Given,
        conn_id: str,
        review_dag_id: str = "dispute_review",
        urgent: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_defaults(kwargs, REVIEWED, ANSWERED, ENDED))
        self.staged = accept_upstream(self, staged)
        self.conn_id = conn_id
        self.review_dag_id = review_dag_id
        self.urgent = urgent

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, REVIEWED, ANSWERED, ENDED))

    def execute(self, context: Context) -> None:
        from dispute_provider._state.sweep import review_name

        connections = Connections()
        staged = staged_records(context, self.staged, connections)
        if self.urgent is not None:
            # Both groups use the same time, so every dispute is in exactly one of them.
            started = context["dag_run"].start_date or datetime.now(UTC)
            staged = [record for record in staged if is_urgent(record.due_at, started) == self.urgent]
        if not staged:
            context["ti"].xcom_push(key="review", value=[])
            raise AirflowSkipException("nothing to review: no new evidence is staged")
        memory = load(context, LAST_REVIEWS, connection=self.conn_id)
        name = review_name(memory, staged)
        run_id = f"review__{staged[0].connection}__{name}"
        self.log.info("opening a review of %d disputes: %s", len(staged), run_id)
        self.review_url = f"/dags/{self.review_dag_id}/runs/{quote(run_id)}"
        opened = {"run": f"{self.review_dag_id}/{run_id}", "disputes": [record.dispute for record in staged]}
        context["ti"].xcom_push(key="review", value=[opened])
        raise DagRunTriggerException(
            trigger_dag_id=self.review_dag_id,
            dag_run_id=run_id,
            conf={
                STAGED: return_value(self._with_history(context, memory, staged), Signer(SCOPE, connections))
            },
            logical_date=None,
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=60,
            deferrable=False,
        )

    def _with_history(
        self, context: Context, memory: Mapping[str, Any], staged: list[Record]
    ) -> Iterator[Record]:
        """Yield the records with notes about their earlier reviews."""
        from dispute_provider._state.sweep import with_history

        asked = {record.dispute: memory.get(record.dispute) for record in staged}
        answers = past_answers(context, self.conn_id, asked)
        for record in staged:
            yield with_history(memory, answers, record)
