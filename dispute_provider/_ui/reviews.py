"""Find the reviews that a user may answer, in Airflow's database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from fastapi import Depends, HTTPException
from sqlalchemy import select

from dispute_provider._evidence.record import Record, State
from dispute_provider._ui.access import may_answer_in
from dispute_provider._ui.records import Place, Task, find_task

# The operator's name in Airflow's database. A subclass has another name, so its reviews are not listed.
OPERATOR = "ReviewEvidenceOperator"
# Airflow fails a task that is answered before the scheduler has seen it park. Seconds, from Airflow 3.3.
_SETTLES = 5.0
# The most disputes on the page; reviews beyond it are counted, and appear once others are answered.
MOST_DISPUTES = 200


@dataclass(frozen=True, slots=True)
class Form:
    """What an answer to a review must match.

    :param id: Airflow's id of the task instance; it changes if the task is cleared.
    :param ready_in: seconds until the review can be answered; 0 if it can be answered now.
    :param answered_by: ``id`` and ``name`` of the user who has answered it; None if nobody has.
    :param params: the form's fields with their defaults.
    """

    id: str
    try_number: int
    state: str | None
    ready_in: float
    answered_by: dict[str, Any] | None
    options: tuple[str, ...]
    multiple: bool
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Review:
    """An open review, with its disputes.

    :param may_answer: whether the user is among the review's assigned users, or it has none.
    """

    task: Task
    form: Form
    may_answer: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening of a review; both names change if the task is cleared."""

    id: str
    try_number: int


@dataclass(frozen=True, slots=True)
class OpenReviews:
    """The open reviews of a user.

    :param reviews: those that the page shows.
    :param openings: of all of them.
    """

    reviews: list[Review]
    openings: list[Opening]


COLUMNS = (
    TaskInstance.dag_id,
    TaskInstance.run_id,
    TaskInstance.task_id,
    TaskInstance.map_index,
)


def open_reviews(user: Any, first: str = "") -> OpenReviews:
    """Return the open reviews of the DAGs in which a user may answer, those with the earliest end first.

    :param first: the id of a review that the page shows in any case; empty for none.
    """
    rows = _waiting(user)
    reviews: list[Review] = []
    shown = 0
    for row in sorted(rows, key=lambda each: str(each.id) != first):
        if shown >= MOST_DISPUTES:
            break
        try:
            task, form = find_task(_place(row)), find_form(_place(row))
        except HTTPException:
            # Its run was deleted a moment ago.
            continue
        shown += len(task.records)
        reviews.append(Review(task, form, _is_assigned(user, row.assignees)))
    return OpenReviews(reviews, [Opening(str(row.id), row.try_number) for row in rows])


def waiting(user: Any) -> list[tuple[Opening, Place]]:
    """Return the opening and the place of each review that a user may answer."""
    return [(Opening(str(row.id), row.try_number), _place(row)) for row in _waiting(user)]


def staged_records(place: Place) -> list[Record]:
    """Return the disputes of a review that can be decided; none if its run was deleted a moment ago."""
    try:
        records = find_task(place).records
    except HTTPException:
        return []
    return [each for each in records if each.state == State.STAGED and not each.unverified]


def _place(row: Any) -> Place:
    return Place(row.dag_id, row.run_id, row.task_id, row.map_index)


def openings(user: GetUserDep) -> list[Opening]:
    """Return the openings of all reviews that a user may answer, without their disputes."""
    return [opening for opening, _ in waiting(user)]


def _waiting(user: Any) -> list[Any]:
    waiting = (
        select(*COLUMNS, TaskInstance.id, TaskInstance.try_number, HITLDetail.assignees)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.operator == OPERATOR,
            TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
            HITLDetail.responded_at.is_(None),
        )
        .order_by(TaskInstance.trigger_timeout.is_(None), TaskInstance.trigger_timeout, TaskInstance.id)
    )
    with create_session(scoped=False) as session:
        rows = list(session.execute(waiting).all())
    allowed = {dag_id: may_answer_in(user, dag_id) for dag_id in {row.dag_id for row in rows}}
    return [row for row in rows if allowed[row.dag_id]]


def _is_assigned(user: Any, assignees: Iterable[dict[str, str]] | None) -> bool:
    names = {each["id"] for each in assignees or ()}
    return not names or get_auth_manager().is_authorized_hitl_task(assigned_users=names, user=user)


def find_form(place: Annotated[Place, Depends()]) -> Form:
    """Return what an answer to a review must match now.

    :raises HTTPException: 404, if the task asks nobody.
    """
    form = (
        select(
            TaskInstance.id,
            TaskInstance.try_number,
            TaskInstance.state,
            TaskInstance.updated_at,
            HITLDetail.responded_at,
            HITLDetail.responded_by,
            HITLDetail.options,
            HITLDetail.multiple,
            HITLDetail.params,
        )
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(*place.of(TaskInstance))
    )
    with create_session(scoped=False) as session:
        row = session.execute(form).one_or_none()
    if row is None:
        raise HTTPException(404, "Review not found.")
    age = (datetime.now(UTC) - row.updated_at).total_seconds() if row.updated_at else _SETTLES
    return Form(
        id=str(row.id),
        try_number=row.try_number,
        state=str(row.state) if row.state else None,
        ready_in=round(min(max(0.0, _SETTLES - age), _SETTLES), 1),
        answered_by=(row.responded_by or {}) if row.responded_at else None,
        options=tuple(row.options or ()),
        multiple=bool(row.multiple),
        params={name: _default(value) for name, value in (row.params or {}).items()},
    )


def _default(param: Any) -> Any:
    """Return the default of a field, which Airflow stores with its schema."""
    return param.get("value") if isinstance(param, dict) and "value" in param else param


FormDep = Annotated[Form, Depends(find_form)]
