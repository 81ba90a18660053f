"""Read the records of one task instance from Airflow's database."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
from airflow.utils.session import create_session
from fastapi import Depends, HTTPException, Path
from sqlalchemy import ColumnElement, select

from dispute_provider._evidence.record import Record, by_due_date
from dispute_provider._evidence.snapshot import sha256_of
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider._tasks.record_lists import Reference, records_of
from dispute_provider._tasks.signing import Signer

log = logging.getLogger(__name__)
_KEY_LENGTH = 16
# Disputes on one page. A review has at most a hundred.
_MOST = 1000
# The largest value of Airflow's map_index column.
_LARGEST_INDEX = 2**31 - 1
_Name = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f]{1,250}$")]


@dataclass(frozen=True, slots=True)
class Task:
    """A task instance and its disputes.

    :param answer_by: when the review ends; None unless it waits for an answer.
    :param records: soonest deadline first; empty if the task handles no disputes. A record whose signature is
        invalid keeps only its names and the reason.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    answer_by: datetime | None
    records: tuple[Record, ...]

    def record(self, key: str) -> Record | None:
        """Return the record of a dispute; None if there is none."""
        return next((record for record in self.records if key_of(record) == key), None)

    @property
    def documents(self) -> frozenset[str]:
        """The sha256 of all documents that may be shown for this task."""
        return frozenset(
            sha256
            for record in self.records
            for sha256 in (
                *record.documents.values(),
                *record.originals.values(),
                *(each for files in record.exhibits.values() for each in files.values()),
            )
        )

    def drawing(self, sha256: str) -> str | None:
        """Return the sha256 of a document's drawing; None if staging kept none."""
        return next((found for record in self.records if (found := record.drawings.get(sha256))), None)


def key_of(record: Record) -> str:
    """Return the key of a record; it changes with the evidence."""
    identity = [record.provider, record.connection, record.account, record.dispute, record.digest]
    return sha256_of(identity)[:_KEY_LENGTH]


@dataclass(frozen=True, slots=True)
class Place:
    """The names of a task instance, from a path."""

    dag_id: Annotated[str, Path(pattern=r"^[\w.-]+$")]
    run_id: _Name
    task_id: _Name
    map_index: Annotated[int, Path(ge=-1, le=_LARGEST_INDEX)]

    def of(self, table: type[TaskInstance] | type[XComModel]) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions that select its rows in a table."""
        return (
            table.dag_id == self.dag_id,
            table.run_id == self.run_id,
            table.task_id == self.task_id,
            table.map_index == self.map_index,
        )


def find_task(place: Annotated[Place, Depends()]) -> Task:
    """Return the task instance of a path.

    :raises HTTPException: 404, if it does not exist.
    """
    returned = (*place.of(XComModel), XComModel.key == XCOM_RETURN_KEY)
    columns = (TaskInstance.state, TaskInstance.next_kwargs, TaskInstance.trigger_timeout)
    with create_session(scoped=False) as session:
        row = session.execute(select(*columns).where(*place.of(TaskInstance))).one_or_none()
        if row is None:
            raise HTTPException(404, "Task not found.")
        state, kwargs, answer_by = row
        records = _awaited(kwargs)
        waits = bool(records)
        if not waits:
            records = records_in(session.scalar(select(XComModel.value).where(*returned)))
    verified = Signer(f"{place.dag_id}/{place.run_id}").verified(records, "it is not shown")
    return Task(
        dag_id=place.dag_id,
        run_id=place.run_id,
        task_id=place.task_id,
        map_index=place.map_index,
        state=str(state) if state else None,
        answer_by=answer_by if waits else None,
        records=tuple(by_due_date(list(verified))),
    )


TaskDep = Annotated[Task, Depends(find_task)]


def _awaited(kwargs: Any) -> list[Record]:
    """Return the records of a waiting review, from the arguments with which it resumes."""
    shown = kwargs.get("shown") if isinstance(kwargs, Mapping) else None
    if not isinstance(shown, Mapping):
        return []
    return [*records_in(shown.get("records")), *records_in(shown.get("others"))]


def records_in(value: Any, most: int = _MOST) -> list[Record]:
    """Return the records that a task returned, unverified; none if it returned anything else.

    :param most: the most that are read; of a longer list, none. Default: 1,000.
    """
    try:
        value = json.loads(value) if isinstance(value, str) else value
        if not Reference.read(value) and not _looks_like_records(value):
            return []
        records = list(islice(records_of(value), most + 1))
    except EvidenceStoreError as error:
        log.warning("cannot show the records of a task: %s", error)
        return []
    except ValueError:
        return []
    if len(records) > most:
        log.warning("cannot show a task with more than %d records", most)
        return []
    return records


def _looks_like_records(value: Any) -> bool:
    """Return whether any item is a record; the other items may have been edited."""
    return isinstance(value, list) and any(
        isinstance(item, Mapping) and {"dispute", "state"} <= item.keys() for item in value
    )
