"""Run the whole workflow as users do, with one file of cases per core.

A policy approves, and a reviewer decides on a sample.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup
from airflow.sdk.configuration import conf

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

VERDICTS = ("ready", "weak", "missing", "unknown")
SMALL = ApprovalPolicy(name="small sums", below={"eur": 10_000}, verdicts=VERDICTS, sample=0.01)
CASES = conf.get("dispute", "case_roots")

with DAG("bench_whole", schedule=None):
    for number in range(2):
        with TaskGroup(f"chunk_{number}"):
            stage = StageEvidenceOperator(
                task_id="stage", cases=[f"{CASES}/cases-{number}.jsonl"], conn_id="bench_stripe"
            )
            review = ReviewEvidenceOperator(task_id="review", staged=stage.output, policy=SMALL)
            submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
            ReportOutcomeOperator(task_id="outcome", results=submit.output)
