"""Reviews that wait for an answer, parked in Airflow's database as the operator parks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from viewing import DAG, Site, Staged, signed

from dispute_provider._workflow.reviewing import review as reviewing

PARKED = timedelta(minutes=1)


def park(
    site: Site,
    *staged: Staged,
    dag: str = DAG,
    task: str = "review",
    assignees: Sequence[str] = (),
    shown: Iterable[Mapping[str, Any]] | None = None,
    ago: timedelta = PARKED,
) -> None:
    """Have a task wait for the answer to a review of these disputes.

    :param shown: the records as the task keeps them, if they are not simply those of the disputes.
    :param ago: how long it has been waiting.
    """
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    records = [each.record for each in staged]
    snapshots = {each.record.dispute: each.read() for each in staged}
    form = reviewing.form(records, snapshots)
    with create_session() as session:
        row = session.scalar(
            select(TaskInstance).where(
                TaskInstance.dag_id == dag, TaskInstance.run_id == site.run_id, TaskInstance.task_id == task
            )
        )
        assert row is not None
        row.state = "awaiting_input"
        row.operator = "ReviewEvidenceOperator"
        row.next_kwargs = {"shown": {"records": list(shown or signed(*records)), "others": []}}
        row.updated_at = datetime.now(UTC) - ago
        session.add(
            HITLDetail(
                ti_id=row.id,
                options=list(form.options),
                subject=form.subject,
                body=form.body,
                multiple=form.multiple,
                params={name: {"value": field.default} for name, field in form.fields.items()},
                assignees=[{"id": name, "name": name} for name in assignees],
            )
        )
