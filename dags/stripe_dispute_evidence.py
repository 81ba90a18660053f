"""Contest one Stripe dispute by hand: fill in the form, or name a case, and review it before it is sent.

The evidence is first staged: visible at the dispute, sent to nobody. The run then waits for a review, under
*Required Actions*. What is approved there is submitted, once.

What is typed into the form stays in this run's configuration; a case file does not.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag
from airflow.sdk.configuration import conf

from dispute_provider.forms import case_params
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)
from dispute_provider.operators.form_case import FormCase, form_params


@dag(
    dag_id="stripe_dispute_evidence",
    dag_display_name="Stripe · Contest a dispute",
    schedule=None,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "conn_id": Param("stripe_default", type="string", title="Connection", section="Where"),
        **form_params(),
        **case_params("stripe"),
    },
    tags=["disputes", "stripe"],
    doc_md=__doc__,
)
def stripe_dispute_evidence() -> None:
    stage = StageEvidenceOperator(
        task_id="stage",
        cases=FormCase("stripe"),
        conn_id="{{ params.conn_id }}",
        folder="{{ params.folder or '' }}",
    )
    review = ReviewEvidenceOperator(task_id="review", staged=stage.output)
    submit = SubmitEvidenceOperator(
        task_id="submit",
        approved=review.output,
        pool=conf.get("dispute", "submit_pool", fallback="default_pool"),
    )
    ReportOutcomeOperator(task_id="outcome", results=submit.output)


stripe_dispute_evidence()
