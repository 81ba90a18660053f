"""Contest thousands of disputes in chunks: a policy approves, and reviewers decide on the rest.

Each chunk is a mapped task group, so one is submitted while another is staged. Each API has a pool: its slots
times the connection's ``rate_limit`` are the requests per second of all workers together.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task, task_group

from dispute_provider._cases.files import find_cases
from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

SMALL_AND_READY = ApprovalPolicy(name="small and ready", below={"usd": 10_000}, verdicts=("ready",))

with DAG(
    "contest_in_chunks",
    schedule=None,
    default_args={
        "retries": 5,
        "retry_delay": timedelta(seconds=5),
        # Finish a started chunk before another one starts.
        "weight_rule": "upstream",
    },
    params={
        "cases": Param("", type="string", title="Folder of the cases, with a subfolder for each API"),
        "chunk": Param(100, type="integer", minimum=1, title="Disputes in a chunk"),
    },
    doc_md=__doc__,
) as dag:

    @task(show_return_value_in_logs=False)
    def chunks(api: str, **context: Any) -> list[list[str]]:
        params = context["params"]
        cases, size = list(find_cases(f"{params['cases']}/{api}")), params["chunk"]
        return [cases[start : start + size] for start in range(0, len(cases), size)]

    def contest(api: str) -> None:
        @task_group(group_id=api)
        def chunk(cases: Any) -> None:
            pool = f"{api}_api"
            stage = StageEvidenceOperator(task_id="stage", cases=cases, conn_id=f"{api}_default", pool=pool)
            review = ReviewEvidenceOperator(
                task_id="review", staged=stage.output, policy=SMALL_AND_READY, pool=pool
            )
            submit = SubmitEvidenceOperator(task_id="submit", approved=review.output, pool=pool)
            ReportOutcomeOperator(task_id="outcome", results=submit.output)

        chunk.expand(cases=chunks.override(task_id=f"{api}_chunks")(api))

    for name in ("stripe", "moov"):
        contest(name)
