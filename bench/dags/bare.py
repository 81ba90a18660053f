"""A review and two tasks that do nothing, without this provider."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, task


@task
def submit(answer: Any) -> Any:
    return answer


@task
def outcome(result: Any) -> None:
    """Do nothing."""


with DAG("bench_bare", schedule=None):
    review = HITLOperator(
        task_id="review",
        subject="A review",
        options=["Submit", "Hold"],
        params={"note": Param("", type="string")},
    )
    outcome(submit(review.output))
