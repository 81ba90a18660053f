"""Contest one dispute, as the shipped DAGs do."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from dispute_provider._cases.form import FormCase, form_params
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

with DAG(
    "contest",
    schedule=None,
    max_active_runs=32,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    params={"conn_id": Param("", type="string"), **form_params()},
) as dag:
    # The case is read from a file: the form's other fields are ignored.
    stage = StageEvidenceOperator(task_id="stage", cases=FormCase("stripe"), conn_id="{{ params.conn_id }}")
    review = ReviewEvidenceOperator(task_id="review", staged=stage.output)
    submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)
