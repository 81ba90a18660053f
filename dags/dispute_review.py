"""Review staged disputes and submit the approved ones. ``dispute_sweep`` triggers the runs.

The review waits for an answer, for days if necessary, without holding a worker slot.
``[dispute] reviewers`` lists the users who may answer. When the review opens, the notifiers of
``[dispute] notifiers`` get its link.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from dispute_provider import (
    ConfiguredNotifier,
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    RunRecords,
    SubmitEvidenceOperator,
    reviewers,
)


@dag(
    dag_id="dispute_review",
    dag_display_name="Disputes · Review and submit",
    schedule=None,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    max_active_runs=16,
    tags=["disputes"],
    doc_md=__doc__,
)
def dispute_review() -> None:
    review = ReviewEvidenceOperator(
        task_id="review",
        staged=RunRecords(),
        assigned_users=reviewers(),
        notifiers=[ConfiguredNotifier()],
    )
    submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)


dispute_review()
