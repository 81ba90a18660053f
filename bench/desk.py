"""Measure the desk's lists: their size and their time must grow with what is shown, not with what exists."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from bench.timing import Table

_FEW, _MANY = 200, 2000
_REVIEW = 100
_REQUESTS = 40
_DAG = "bench_desk"
_SETTINGS = {
    "AIRFLOW__DISPUTE__SIGNING_KEY": "a key of the workers and the API server of this bench",
    "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this bench, which is long enough to sign with SHA-512",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
}


def growth(table: Table) -> dict[str, float]:
    """Return bytes and time with 2,000 open disputes as a multiple of those with 200, for each list.

    All disputes are in reviews of a hundred.
    """
    with _settings():
        from airflow.utils.db import initdb
        from fastapi.testclient import TestClient

        initdb()
        _register()
        from airflow.api_fastapi.app import create_app

        client = TestClient(create_app())
        token = client.get("/auth/token").json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        found: dict[int, dict[str, tuple[float, int]]] = {}
        for count in (_FEW, _MANY):
            _open(count)
            found[count] = {
                name: _ask(client, f"/dispute-evidence/{name}") for name in ("inbox", "reviews", "openings")
            }
            for name, (seconds, size) in found[count].items():
                about = f"desk with {count:,} open disputes"
                table.add(about, f"{name}: time", seconds * 1000, "ms", kB=round(size / 1000, 1))
        table.add("desk", "memory of 40 more inboxes", _memory(client) / 1e6, "MB")
    few, many = found[_FEW], found[_MANY]
    return {
        f"{name}_{what}_2000_vs_200": round(many[name][index] / few[name][index], 2)
        for name in ("inbox", "reviews")
        for index, what in enumerate(("time", "bytes"))
    }


@contextmanager
def _settings() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ |= _SETTINGS
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _ask(client: Any, path: str) -> tuple[float, int]:
    """Return the processor time of a request and the size of its answer, after some of the kind."""
    seconds = []
    size = 0
    for number in range(_REQUESTS + 3):
        began = time.process_time()
        answer = client.get(path)
        if number >= 3:
            seconds.append(time.process_time() - began)
        assert answer.status_code == 200, answer.text
        size = len(answer.content)
    return median(seconds), size


def _memory(client: Any) -> int:
    """Return by how many bytes the server's memory grows with further requests."""
    client.get("/dispute-evidence/inbox")
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(_REQUESTS):
        client.get("/dispute-evidence/inbox")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return max(0, after - before)


def _register() -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    manager = DagBundlesManager()  # type: ignore[no-untyped-call]  # Airflow gives it no types
    manager.sync_bundles_to_db()
    with DAG(_DAG, schedule=None) as dag:
        EmptyOperator(task_id="find")
        EmptyOperator(task_id="review")
    bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)


def _open(count: int) -> None:
    """Replace what is open by this many disputes."""
    from airflow.models.dagrun import DagRun
    from airflow.models.hitl import HITLDetail
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        for table in (XComModel, HITLDetail, DagRun):
            session.execute(delete(table))
    records = _records(count)
    for first in range(0, count, _REVIEW):
        _park(f"review_{count}_{first}", records[first : first + _REVIEW])
    _list(f"sweep_{count}", records)


def _records(count: int) -> list[Any]:
    from dispute_provider._evidence.record import Record, State

    due = datetime.now(UTC) + timedelta(days=3)
    return [
        Record(
            "stripe",
            "stripe_bench",
            f"du_bench_{count}_{number:05d}",
            State.STAGED,
            "waiting for review",
            amount=1000 + number,
            currency="usd",
            due=(due + timedelta(minutes=number)).isoformat(),
            stage="chargeback",
            dispute_reason="fraudulent",
            network_code="10.4",
            digest=f"{number:064x}",
            verdict="ready",
        )
        for number in range(count)
    ]


def _park(run_id: str, records: list[Any]) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from dispute_provider._tasks.signing import STAGED, Signer
    from dispute_provider._workflow.reviewing.review import submit_option

    signer = Signer(STAGED)
    _run(run_id)
    with create_session() as session:
        row = session.scalar(select(TaskInstance).filter_by(run_id=run_id, task_id="review"))
        assert row is not None
        row.state = "awaiting_input"
        row.operator = "ReviewEvidenceOperator"
        row.next_kwargs = {
            "shown": {"records": [signer.sign(each).to_dict() for each in records], "others": []}
        }
        session.add(
            HITLDetail(
                ti_id=row.id,
                options=[submit_option(each) for each in records],
                subject="bench",
                body="bench",
                multiple=True,
                params={},
                assignees=[],
            )
        )


def _list(run_id: str, records: list[Any]) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from dispute_provider._tasks.record_lists import RecordWriter
    from dispute_provider._tasks.signing import Signer

    signer = Signer(f"{_DAG}/{run_id}")
    here: dict[str, Any] = {"dag_id": _DAG, "run_id": run_id, "task_id": "find", "map_index": -1}
    _run(run_id)
    with create_session() as session:
        session.execute(update(TaskInstance).filter_by(**here).values(operator="FindCasesOperator"))
    with RecordWriter(signer) as writer:
        for each in records:
            writer.add(each)
        stored = writer.value()
    value = {
        "connection": "stripe_bench",
        "records": stored,
        "without_case": [],
    }
    XComModel.set(key="listing", value=json.loads(json.dumps(value)), serialize=False, **here)


def _run(run_id: str) -> None:
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    with create_session() as session:
        dag = SerializedDagModel.get_dag(_DAG, session=session)
        assert dag is not None
        run = dag.create_dagrun(
            run_id=run_id,
            run_after=datetime.now(UTC),
            run_type=DagRunType.MANUAL,
            state=DagRunState.RUNNING,
            triggered_by=DagRunTriggeredByType.TEST,
            session=session,
        )
        version = run.created_dag_version_id
        assert version is not None
        run.verify_integrity(session=session, dag_version_id=version)
