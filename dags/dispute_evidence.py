"""Contest one dispute: fill in the form or give the path of a case file.

The run stages the evidence at the dispute without submitting it. It then waits for a review under
*Required Actions*. After an approval, it submits the evidence once.

Airflow stores the values of the form in the run's configuration. The content of a case file is not stored.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from dispute_provider import (
    APIS,
    ConfiguredNotifier,
    FormCase,
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
    case_params,
    config,
    form_params,
    load_contract,
    reviewers,
)


def contest_by_hand(api: str, name: str) -> DAG:
    """Return the DAG for one API, with a form generated from the API's contract."""
    with DAG(
        dag_id=f"{api}_dispute_evidence",
        dag_display_name=f"{name} · Contest a dispute",
        schedule=None,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        params={
            "conn_id": Param(f"{api}_default", type="string", title="Connection"),
            **form_params(api),
            **case_params(api),
        },
        tags=["disputes", api],
        doc_md=__doc__,
    ) as dag:
        stage = StageEvidenceOperator(
            task_id="stage",
            cases=FormCase(api),
            conn_id="{{ params.conn_id }}",
            folder="{{ params.folder or '' }}",
            merge=config.merge(),
            switch_to_manual=config.switch_to_manual(),
            allow_unknown_submission_method=config.allow_unknown_submission_method(),
        )
        review = ReviewEvidenceOperator(
            task_id="review",
            staged=stage.output,
            assigned_users=reviewers(),
            notifiers=[ConfiguredNotifier()],
        )
        submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag


for _api in APIS:
    globals()[f"{_api}_dispute_evidence"] = contest_by_hand(_api, load_contract(_api).title)
