"""Find the reviews that were answered lately, and how their runs went on, in Airflow's database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from fastapi import HTTPException
from sqlalchemy import ColumnElement, and_, or_, select

from dispute_provider._config import CASE_DAG
from dispute_provider._evidence.record import Record
from dispute_provider._tasks.signing import Signer
from dispute_provider._ui.access import may_answer_in
from dispute_provider._ui.kept import Kept
from dispute_provider._ui.records import records_in
from dispute_provider._ui.reviews import COLUMNS, OPERATOR

_ANSWERED_SINCE = timedelta(days=3)
_MOST_ANSWERED = 30
# Runs that have not ended, the latest first.
_MOST_UNENDED = 500
# Joins an XCom with the task that pushed it.
OF_ITS_TASK = and_(
    TaskInstance.dag_id == XComModel.dag_id,
    TaskInstance.run_id == XComModel.run_id,
    TaskInstance.task_id == XComModel.task_id,
    TaskInstance.map_index == XComModel.map_index,
)


@dataclass(frozen=True, slots=True)
class Step:
    """A dispute's record at the end of a task.

    :param at: when the task ended; None if it has not ended.
    """

    task_id: str
    map_index: int
    at: datetime | None
    record: Record


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has not ended.

    :param connection: the connection of the case that it was started with; None if there is none.
    :param dispute: the id of the case's dispute.
    """

    dag_id: str
    run_id: str
    connection: str | None
    dispute: str | None


_steps: Kept[Step] = Kept(10_000)


def answered_reviews(user: GetUserDep) -> list[dict[str, Any]]:
    """Return the reviews that were answered in the last three days, latest first; at most 30."""
    answered = (
        select(*COLUMNS, HITLDetail.responded_at, HITLDetail.responded_by)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.operator == OPERATOR,
            HITLDetail.responded_at >= datetime.now(UTC) - _ANSWERED_SINCE,
        )
        .order_by(HITLDetail.responded_at.desc())
    )
    with create_session(scoped=False) as session:
        rows = session.execute(answered).all()
    allowed = {dag_id: may_answer_in(user, dag_id) for dag_id in {row.dag_id for row in rows}}
    return [
        {
            "dag_id": row.dag_id,
            "run_id": row.run_id,
            "task_id": row.task_id,
            "map_index": row.map_index,
            "at": row.responded_at.isoformat(),
            "by": (row.responded_by or {}).get("name"),
        }
        for row in rows
        if allowed[row.dag_id]
    ][:_MOST_ANSWERED]


def unended_runs(sweeps: Collection[str]) -> list[Run]:
    """Return the runs that have not ended and may be staging a case.

    :param sweeps: ids of DAGs that sweep; the DAGs that take a case as a form are known by their names.
    """
    unended = (
        select(
            DagRun.dag_id,
            DagRun.run_id,
            # A configuration can have long texts, which are left in the database.
            DagRun.conf["conn_id"].as_string(),
            DagRun.conf["dispute"].as_string(),
        )
        .where(
            DagRun.state.in_((DagRunState.QUEUED, DagRunState.RUNNING)),
            or_(DagRun.dag_id.endswith(CASE_DAG, autoescape=True), DagRun.dag_id.in_(sweeps)),
        )
        .order_by(DagRun.id.desc())
        .limit(_MOST_UNENDED)
    )
    with create_session(scoped=False) as session:
        rows = session.execute(unended).all()
    return [Run(*row) for row in rows]


def steps_of_run(dag_id: str, run_id: str) -> Sequence[Step]:
    """Return the disputes of a run at the end of each task, in order; without unverified records."""
    here = (XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == XCOM_RETURN_KEY)
    pushed = (
        select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.end_date, XComModel.timestamp)
        .join(TaskInstance, OF_ITS_TASK)
        .where(*here)
    )
    with create_session(scoped=False) as session:
        rows = session.execute(pushed).all()
    state = (dag_id, run_id, *sorted(map(str, rows)))
    return _steps.get(state, lambda: _read_steps(dag_id, run_id, here))


def _read_steps(dag_id: str, run_id: str, here: tuple[ColumnElement[bool], ...]) -> list[Step]:
    returned = (
        select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.end_date, XComModel.value)
        .join(TaskInstance, OF_ITS_TASK)
        .where(*here)
        .order_by(TaskInstance.start_date, TaskInstance.end_date)
    )
    with create_session(scoped=False) as session:
        rows = session.execute(returned).all()
    signer = Signer(f"{dag_id}/{run_id}")
    return [
        Step(row.task_id, row.map_index, row.end_date, record)
        for row in rows
        for record in signer.verified(records_in(row.value), "it is not shown")
        if not record.unverified
    ]


def tasks_of_run(dag_id: str, run_id: str) -> dict[str, str | None]:
    """Return the state of each task of a run, as ``task`` or ``task[map index]``.

    :raises HTTPException: 404, if there is no such run.
    """
    tasks = select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state).where(
        TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id
    )
    with create_session(scoped=False) as session:
        rows = session.execute(tasks).all()
    if not rows:
        raise HTTPException(404, "Run not found.")
    return {
        row.task_id if row.map_index < 0 else f"{row.task_id}[{row.map_index}]": (
            str(row.state) if row.state else None
        )
        for row in rows
    }
