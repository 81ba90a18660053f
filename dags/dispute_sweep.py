"""Find open disputes, stage their cases and open reviews.

For each connection of ``[dispute] connections``, the sweep lists the open disputes, finds their cases
under ``[dispute] case_roots``, stages new and changed cases, and triggers ``dispute_review``. Disputes due
within a day get a separate review.

A dispute is reviewed again in these cases:

- Its case, its evidence at the API or its stage changed: at the next sweep.
- No reviewer answered in time, or the approved evidence could not be sent: at the next sweep.
- It is still open (held, unknown or left out of an answer): at the hours of ``[dispute] ask_again`` before
  its due date. Rejected disputes return only at the first of these hours.

The review shows how earlier reviews ended.

The log of ``find`` lists disputes without a case, soonest deadline first. The task ``outcome`` fails if such
a dispute is due within the hours of ``[dispute] reminders``. A closed dispute whose submission ended
*unknown* is read once more, and ``outcome`` logs the result.

``remind`` notifies the notifiers of ``[dispute] notifiers`` about open disputes, at the hours of
``[dispute] reminders`` before their due dates.
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
    # Two sweeps at once would open two reviews of the same disputes.
    max_active_runs=1,
    tags=["disputes"],
    doc_md=__doc__,
)
def dispute_sweep() -> None:
    @task
    def connections() -> list[str]:
        return config.connections_of("dispute_sweep")

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
        # Reminders are sent even if staging fails.
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
