"""Airflow's API server with the viewer in it, users of all kinds, and tasks that have to do with disputes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import steps
from msgspec.structs import replace
from per_dag import PerDagAuthManager
from support import Connect, register
from viewing import DAG, ELSEWHERE, RECEIPT, USERS, Site, Staged

from dispute_provider._contracts.encoding import FilePart
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Record, State
from dispute_provider._state import evidence_store
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import Sandbox


@pytest.fixture(scope="package")
def server(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application that `airflow api-server` serves."""
    passwords = tmp_path_factory.mktemp("users") / "passwords.json"
    passwords.write_text(json.dumps({name: f"secret of {name}" for name in USERS}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET",
            "a secret of these tests, which is long enough to sign with SHA-512",
        )
        manager = f"{PerDagAuthManager.__module__}.{PerDagAuthManager.__name__}"
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", manager)
        users = ",".join(f"{name}:{role}" for name, role in USERS.items())
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
        from airflow.api_fastapi.app import _AuthManagerState, create_app

        before, _AuthManagerState.instance = _AuthManagerState.instance, None
        yield create_app()
        _AuthManagerState.instance = before


@pytest.fixture(scope="package")
def tokens(server: Any) -> dict[str, str]:
    """What each user is known by."""
    from fastapi.testclient import TestClient

    client = TestClient(server)
    return {
        name: client.post("/auth/token", json={"username": name, "password": f"secret of {name}"}).json()[
            "access_token"
        ]
        for name in USERS
    }


@pytest.fixture(scope="package")
def _registered(airflow_database: None) -> None:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG as Dag  # noqa: N811  # the name of the DAG's id is ours
    from airflow.sdk import task

    for dag_id in (DAG, ELSEWHERE):
        with Dag(dag_id, schedule=None) as dag:
            for name in ("stage", "review", "nothing"):
                EmptyOperator(task_id=name)

            @task
            def mapped(x: int) -> int:
                return x

            mapped.expand(x=[1, 2])
        register(dag)


@pytest.fixture(scope="package")
def shipped_dags(airflow_database: None) -> None:
    """The DAGs of this package that the page starts."""
    from airflow.dag_processing.dagbag import DagBag

    for name in ("api_requests.py", "dispute_evidence.py"):
        path = Path(__file__).parents[2] / "dags" / name
        for dag in DagBag(dag_folder=str(path), bundle_name="dags-folder").dags.values():
            register(dag)


@pytest.fixture
def site(server: Any, tokens: dict[str, str], _registered: None, request: pytest.FixtureRequest) -> Site:
    from fastapi.testclient import TestClient

    run_id = f"run of {abs(hash(request.node.nodeid))} {os.urandom(4).hex()}".replace(" ", "_")
    admin = TestClient(server, headers={"Authorization": f"Bearer {tokens['ada']}"})
    for dag in (DAG, ELSEWHERE):
        path = f"/api/v2/dags/{dag}"
        assert admin.patch(path, json={"is_paused": False}).is_success
        made = admin.post(f"{path}/dagRuns", json={"dag_run_id": run_id, "logical_date": None})
        assert made.is_success, made.text
    return Site(server, tokens, run_id)


@pytest.fixture
def nothing_open(site: Site) -> None:
    """End the reviews that earlier tests left open, and their runs."""
    from airflow.models.dagrun import DagRun
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    with create_session() as session:
        session.execute(delete(HITLDetail))
        session.execute(update(DagRun).where(DagRun.run_id != site.run_id).values(state="success"))
        session.execute(update(TaskInstance).values(state="success"))
        session.execute(delete(XComModel).where(XComModel.key == "listing"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The evidence store's folder."""
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def stage_one(sandbox: Sandbox, connect: Connect, store: Path) -> Any:
    """Puts evidence on a new dispute, and its document into the store; ``before`` is a colleague's."""
    hook = StripeHook(http_conn_id=connect("stripe"))

    def upload(value: str | bytes) -> str:
        if isinstance(value, str):
            return value
        part = FilePart("policy.pdf", value, "application/pdf")
        return str(hook.call("PostFiles", purpose="dispute_evidence", file=part).data["id"])

    def stage_one(
        texts: Mapping[str, str] | None = None,
        before: Mapping[str, str | bytes] | None = None,
        document: bytes = RECEIPT,
        **fields: Any,
    ) -> Staged:
        dispute = sandbox.create_dispute(api="stripe", **fields)["id"]
        if before:
            evidence = {name: upload(value) for name, value in before.items()}
            hook.call("PostDisputesDispute", dispute=dispute, evidence=evidence, submit=False)
        ours = {**(texts or {"customer_name": "Robin Larsen"}), "receipt": {"file": "r.pdf"}}
        case = Case.parse({"provider": "stripe", "dispute": dispute, "evidence": ours})
        record = Record("stripe", "stripe_default", dispute, State.STAGED, "")
        documents = {"r.pdf": Document("r.pdf", document)}
        staged = hook.with_api(lambda api: steps.stage(api, case, documents, record))
        assert staged.state == State.STAGED, staged.reason
        evidence_store.put(document)
        return Staged(replace(staged, prepared_by="Ben"), hook)

    return stage_one
