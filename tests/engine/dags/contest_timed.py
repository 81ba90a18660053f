"""Contest one dispute without a reviewer, in runs that Airflow ends after an hour."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from dispute_provider._cases.form import FormCase, form_params
from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

_ANY = ("ready", "weak", "missing", "unknown")

with DAG(
    "contest_timed",
    schedule=None,
    dagrun_timeout=timedelta(hours=1),
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    params={"conn_id": Param("", type="string"), **form_params()},
) as dag:
    stage = StageEvidenceOperator(task_id="stage", cases=FormCase("stripe"), conn_id="{{ params.conn_id }}")
    review = ReviewEvidenceOperator(
        task_id="review",
        staged=stage.output,
        policy=ApprovalPolicy("all", below={"usd": 1_000_000}, verdicts=_ANY),
    )
    submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)
