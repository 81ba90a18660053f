"""Contest many disputes in one review, as the shipped DAGs do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

with DAG(
    "contest_batch",
    schedule=None,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    params={"conn_id": Param("", type="string"), "cases": Param([], type="array")},
) as dag:

    @task(show_return_value_in_logs=False)
    def cases(**context: Any) -> list[str]:
        """Return the paths of case files."""
        return list(context["params"]["cases"])

    stage = StageEvidenceOperator(task_id="stage", cases=cases(), conn_id="{{ params.conn_id }}")
    review = ReviewEvidenceOperator(task_id="review", staged=stage.output)
    submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)
