"""The shipped flow for the case of one dispute, in DAGs that differ in the pool of their submit task alone.

A pool of one slot is the lock between runs of one connection. Runs that are to be killed side by side have a
pool each: the wait that follows on a broken send keeps its slot.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from dispute_provider.cases.form import FormCase, form_params
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

_POOLS = {
    "contest": "default_pool",
    "contest_locked": "dispute_submit",
    **{f"contest_{lane}": f"dispute_submit_{lane}" for lane in range(6)},
}


def _contest(dag_id: str, pool: str) -> DAG:
    with DAG(
        dag_id,
        schedule=None,
        default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
        params={"conn_id": Param("", type="string"), **form_params()},
    ) as dag:
        # The case stands in a file: of the form's own fields none is read.
        stage = StageEvidenceOperator(
            task_id="stage", cases=FormCase("stripe"), conn_id="{{ params.conn_id }}"
        )
        review = ReviewEvidenceOperator(task_id="review", staged=stage.output)
        submit = SubmitEvidenceOperator(task_id="submit", approved=review.output, pool=pool)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag


for _dag_id, _pool in _POOLS.items():
    globals()[_dag_id] = _contest(_dag_id, _pool)
