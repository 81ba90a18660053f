"""Operators take a task as well as its output, and refuse what they could not use when the DAG is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, task

from dispute_provider import (
    FindCasesOperator,
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)


def test_a_task_stands_for_its_output() -> None:
    with DAG("contest"):
        find = FindCasesOperator(task_id="find", conn_id="stripe_default")
        stage = StageEvidenceOperator(task_id="stage", cases=find, conn_id="stripe_default")
        review = ReviewEvidenceOperator(task_id="review", staged=stage)
        submit = SubmitEvidenceOperator(task_id="submit", approved=review)
        report = ReportOutcomeOperator(task_id="outcome", results=[submit, stage])
    assert (stage.cases, review.staged, submit.approved) == (find.output, stage.output, review.output)
    assert report.results == [submit.output, stage.output]
    assert report.upstream_task_ids == {"submit", "stage"}
    assert review.upstream_task_ids == {"stage"}


def test_a_mapped_task_stands_for_its_outputs() -> None:
    with DAG("contest"):
        stage = StageEvidenceOperator.partial(task_id="stage", conn_id="x").expand(cases=[[], []])
        report = ReportOutcomeOperator(task_id="outcome", results=stage)
    assert report.results == stage.output
    assert report.upstream_task_ids == {"stage"}


def test_a_function_that_was_not_called_is_refused() -> None:
    @task
    def of_today() -> list[Any]:
        return []

    with DAG("contest"), pytest.raises(TypeError, match=r"make it a @task, and call it: of_today\(\)"):
        StageEvidenceOperator(task_id="stage", cases=of_today, conn_id="stripe_default")  # type: ignore[arg-type]


def test_a_template_is_refused() -> None:
    with DAG("contest"), pytest.raises(ValueError, match="is a template, which is not rendered here"):
        StageEvidenceOperator(task_id="stage", cases="{{ params.cases }}", conn_id="stripe_default")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"four_eyes_from": {"usd": "100000"}}, "four_eyes_from must give whole numbers"),
        ({"four_eyes_from": 100_000}, "four_eyes_from must give whole numbers"),
        ({"buffer": 6}, r"buffer must be a timedelta, such as timedelta\(hours=6\), not 6"),
    ],
)
def test_a_review_refuses_what_it_could_not_open_with(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ReviewEvidenceOperator(task_id="review", staged=[], **wrong)
    assert ReviewEvidenceOperator(task_id="review", staged=[], buffer=timedelta(hours=2)).buffer
