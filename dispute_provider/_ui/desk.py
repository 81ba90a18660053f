"""Serve the desk: the reviews that a user may answer. Answers go through Airflow's own API."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial
from typing import Annotated, Any, Literal

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Path, Query, Response

from dispute_provider import _config as config
from dispute_provider._ui import describe_reviews
from dispute_provider._ui.access import MAY_ANSWER, AsciiJsonResponse, may_trigger
from dispute_provider._ui.inbox import being_staged, inbox, listings, merged, refused_by, waiting_entries
from dispute_provider._ui.reviews import FormDep, Opening, open_reviews, openings
from dispute_provider._ui.runs import answered_reviews, steps_of_run, tasks_of_run, unended_runs

# What a user may not answer is left out, review by review.
lists = APIRouter()
of_review = APIRouter(dependencies=[MAY_ANSWER])
_RUN = "/dags/{dag_id}/runs/{run_id}"


@lists.get("/reviews")
def show_reviews(user: GetUserDep, first: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Return the open reviews that the user may answer, with their disputes; no texts."""
    found = open_reviews(user, first)
    return AsciiJsonResponse(describe_reviews.desk(user, found, every_page=config.every_page()))


@lists.get("/openings")
def show_openings(found: Annotated[list[Opening], Depends(openings)]) -> Response:
    """Return which reviews are open, for a page that asks every few seconds."""
    return AsciiJsonResponse({"openings": describe_reviews.openings(found)})


@lists.get("/answered")
def show_answered(reviews: Annotated[list[dict[str, Any]], Depends(answered_reviews)]) -> Response:
    """Return the reviews that were answered lately."""
    return AsciiJsonResponse({"reviews": reviews})


@lists.get("/inbox")
def show_inbox(
    user: GetUserDep,
    answered: Annotated[list[dict[str, Any]], Depends(answered_reviews)],
    group: Literal[
        "", "no-case", "staging", "to-review", "held", "not-sent", "sent", "rejected", "attention"
    ] = "",
    text: Annotated[str, Query(max_length=100)] = "",
    sort: Literal["due", "amount"] = "due",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Return one page of the open disputes of the connections whose reviews the user may answer."""
    swept = listings(user)
    ended = [
        (
            datetime.fromisoformat(each["at"]),
            (each["dag_id"], each["run_id"]),
            steps_of_run(each["dag_id"], each["run_id"]),
        )
        for each in answered
    ]
    ended += map(refused_by, swept)
    runs = unended_runs({each.dag_id for each in swept})
    entries = merged(swept, waiting_entries(user), ended, being_staged(user, swept, runs))
    asked = cache(partial(may_trigger, user))
    return AsciiJsonResponse(
        inbox(entries, swept, runs, group=group, text=text, sort=sort, offset=offset, may_trigger=asked)
    )


@of_review.get(_RUN + "/tasks/{task_id}/{map_index}/form")
def show_form(form: FormDep) -> Response:
    """Return what the desk compares before it sends an answer."""
    return AsciiJsonResponse(describe_reviews.form_state(form))


@of_review.get(_RUN + "/progress")
def show_progress(
    dag_id: Annotated[str, Path(pattern=r"^[\w.-]+$")],
    run_id: Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f]{1,250}$")],
) -> Response:
    """Return how the disputes of a run went on."""
    tasks = tasks_of_run(dag_id, run_id)
    return AsciiJsonResponse(describe_reviews.progress(steps_of_run(dag_id, run_id), tasks))
