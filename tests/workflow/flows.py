"""The workflow as a DAG of a test's own, from cases to the outcome; and a policy for small sums."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

# Any verdict: completeness does not matter to these tests.
VERDICTS = ("ready", "weak", "missing", "unknown", None)
SMALL = ApprovalPolicy("small sums", {"usd": 2000}, verdicts=VERDICTS)


def contest(cases: list[Any], conn_id: str, **review: Any) -> DAG:
    """Stage, review, submit, outcome.

    :param review: further arguments of the review.
    """
    with DAG("contest", schedule=None) as dag:
        stage = StageEvidenceOperator(task_id="stage", cases=cases, conn_id=conn_id)
        ask = ReviewEvidenceOperator(task_id="review", staged=stage.output, **review)
        submit = SubmitEvidenceOperator(task_id="submit", approved=ask.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag
