"""Looks for open disputes, stages the evidence that is kept for them, and has it reviewed.

For each connection of ``[dispute] sweep_connections``: list the open disputes, find their cases under
``[dispute] case_roots``, stage what is new or has changed, and start a run of ``dispute_review`` for it; what
is due within a day gets a review of its own.

What was reviewed before returns to a person when its case, the evidence at the API or the stage changes, when
nobody answered in time, and when it was approved but could not be sent. Everything else that is still open
(held, unknown, left out of an answer) returns as many hours before its due date as ``[dispute] ask_again``
names; what was rejected, at the first of them only. The review says how the earlier ones ended.
Disputes without a case are named in the log of ``find``, soonest deadline first; as soon as one is due within
the hours of ``[dispute] reminders``, the task ``outcome`` fails for it. What ended *unknown* and is no longer
open is read once more, and ``outcome`` says what became of it.

``remind`` tells the notifiers of ``[dispute] notifiers`` what is open still, and why, as many hours before
the due date as ``[dispute] reminders`` names.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task, task_group

from dispute_provider import (
    FindCasesOperator,
    OpenReviewOperator,
    RememberReviewOperator,
    RemindOperator,
    ReportOutcomeOperator,
    StageEvidenceOperator,
    config,
)


@dag(
    dag_id="dispute_sweep",
    dag_display_name="Disputes · Sweep",
    schedule=config.sweep_schedule(),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    # Two sweeps at once would put the same disputes to two reviews.
    max_active_runs=1,
    tags=["disputes"],
    doc_md=__doc__,
)
def dispute_sweep() -> None:
    @task
    def connections() -> list[str]:
        return list(dict.fromkeys(config.sweep_connections()))

    @task_group
    def contest(conn_id: str) -> None:
        find = FindCasesOperator(task_id="find", conn_id=conn_id)
        stage = StageEvidenceOperator(
            task_id="stage",
            cases=find.output,
            conn_id=conn_id,
            merge=config.merge(),
            switch_to_manual=config.switch_to_manual(),
            allow_unknown_submission_method=config.allow_unknown_submission_method(),
        )
        open_reviews = [
            OpenReviewOperator(
                task_id=task_id,
                staged=stage.output,
                conn_id=conn_id,
                urgent=urgent,
            )
            for task_id, urgent in (("open_urgent_review", True), ("open_review", False))
        ]
        remember = RememberReviewOperator(
            task_id="remember",
            staged=stage.output,
            review=[opened.output["review"] for opened in open_reviews],
            still_open=find.output["open"],
            conn_id=conn_id,
            trigger_rule="none_failed",
        )
        outcome = ReportOutcomeOperator(
            task_id="outcome",
            results=[
                stage.output,
                find.output["unreadable"],
                find.output["due_without_case"],
                find.output["no_longer_open"],
            ],
            trigger_rule="none_failed",
        )
        # What could not be staged is what people must hear of most.
        remind = RemindOperator(
            task_id="remind",
            disputes=find.output["due_soon"],
            staged=stage.output,
            conn_id=conn_id,
            trigger_rule="all_done",
        )
        open_reviews >> remember >> [outcome, remind]

    contest.expand(conn_id=connections())


dispute_sweep()
