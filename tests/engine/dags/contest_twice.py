"""Contest chunks of cases with one submit task, under a policy that approves every verdict."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

_ANY = ("ready", "weak", "missing", "unknown")

with DAG(
    "contest_twice",
    schedule=None,
    # If two chunks stage one dispute at the same moment, Airflow retries one of them.
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    params={"conn_id": Param("", type="string"), "chunks": Param([], type="array")},
) as dag:

    @task(show_return_value_in_logs=False)
    def chunks(**context: Any) -> list[list[str]]:
        """Return the paths of case files, one list per chunk."""
        found: list[list[str]] = context["params"]["chunks"]
        return found

    stage = StageEvidenceOperator.partial(task_id="stage", conn_id="{{ params.conn_id }}").expand(
        cases=chunks()
    )
    review = ReviewEvidenceOperator.partial(
        task_id="review", policy=ApprovalPolicy("all", below={"usd": 1_000_000}, verdicts=_ANY)
    ).expand(staged=stage.output)
    submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)
