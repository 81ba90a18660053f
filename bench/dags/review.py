"""Review and submit as ``dispute_review`` does."""

from __future__ import annotations

from airflow.sdk import DAG

from dispute_provider._tasks.run_records import RunRecords
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    SubmitEvidenceOperator,
)

with DAG("bench_review", schedule=None):
    review = ReviewEvidenceOperator(task_id="review", staged=RunRecords())
    submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)
