"""The whole workflow as a user has it, for a file of cases on each core.

What a policy approves is submitted, of a sample a person is asked.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task_group
from airflow.sdk.configuration import conf

from dispute_provider.evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

VERDICTS = ("ready", "weak", "missing", "unknown")
SMALL = ApprovalPolicy(name="small sums", below={"eur": 10_000}, verdicts=VERDICTS, sample=0.01)
CASES = [[f"{conf.get('dispute', 'case_roots')}/cases-{number}.jsonl"] for number in range(2)]

with DAG("bench_whole", schedule=None):

    @task_group
    def chunk(cases: Any) -> None:
        stage = StageEvidenceOperator(task_id="stage", cases=cases, conn_id="bench_stripe")
        review = ReviewEvidenceOperator(task_id="review", staged=stage.output, policy=SMALL)
        submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)

    chunk.expand(cases=CASES)
