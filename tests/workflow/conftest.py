"""DAGs on Airflow's own engine, with a reviewer who answers through its REST API."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contesting import Contest
from support import Connect, pass_time
from sweeping import Sweep

from dispute_provider.sandbox import Sandbox

REVIEWER = "ana"
PASSWORD = "secret-of-ana"
AnswerReview = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def api(airflow_database: None) -> Iterator[Any]:
    """Airflow's REST API, logged in as the reviewer."""
    home = Path(os.environ["AIRFLOW_HOME"])
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({REVIEWER: PASSWORD}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET",
            "a secret of these tests, which is long enough to sign with SHA-512",
        )
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", f"{REVIEWER}:user")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
        from airflow.api_fastapi.app import create_app
        from fastapi.testclient import TestClient

        with TestClient(create_app()) as client:
            login = client.post("/auth/token", json={"username": REVIEWER, "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            yield client


class _Waiting(logging.Handler):
    """Notices that ``dag.test()`` waits for answers; the end of its task overwrites an earlier one."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Waiting for Human-in-the-loop input"):
            self.begun.set()


class Engine:
    """Runs a DAG to its end; reviews are answered as they come."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.forms: list[dict[str, Any]] = []
        self.problem: str | None = None

    def register(self, dag: Any) -> None:
        """Make a DAG of a test known to Airflow, as the DAG processor would."""
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)

    def run(self, dag: Any, answer: AnswerReview | None = None, conf: dict[str, Any] | None = None) -> Any:
        """The finished run. ``answer`` gets each open form and returns chosen_options and params_input."""
        self.register(dag)
        ended, waiting = threading.Event(), _Waiting()
        arguments = (dag.dag_id, answer, waiting.begun, ended)
        reviewer = threading.Thread(target=self._answer, args=arguments, daemon=True)
        log = logging.getLogger("airflow.sdk.definitions.dag")
        if answer:
            log.addHandler(waiting)
            reviewer.start()
        try:
            run = dag.test(run_conf=conf)
        finally:
            ended.set()
            if answer:
                log.removeHandler(waiting)
                reviewer.join(timeout=10)
        assert not self.problem, self.problem
        return run

    def _answer(
        self, dag_id: str, answer: AnswerReview, waiting: threading.Event, ended: threading.Event
    ) -> None:
        answered: set[str] = set()
        while not ended.wait(0.2):
            if not waiting.is_set():
                continue
            waiting.clear()
            forms = (
                self.api.get(
                    f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails",
                    # Those of earlier tests would fill the first page.
                    params={"state": "awaiting_input", "limit": 100},
                )
                .json()
                .get("hitl_details", [])
            )
            for form in forms:
                task = form["task_instance"]
                if task["id"] in answered or task["state"] != "awaiting_input":
                    continue
                answered.add(task["id"])
                self.forms.append(form)
                path = f"/api/v2/dags/{dag_id}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
                reply = self.api.patch(f"{path}/{task['map_index']}/hitlDetails", json=answer(form))
                if not reply.is_success:
                    # No answer would follow: end the run, and the test with it.
                    self.problem = f"the answer was refused: {reply.status_code} {reply.text}"
                    run = f"/api/v2/dags/{dag_id}/dagRuns/{task['dag_run_id']}"
                    self.api.patch(run, json={"state": "failed"})

    def result(self, run: Any, task_id: str) -> Any:
        """What a task returned."""
        path = (
            f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        )
        return self.api.get(path, params={"deserialize": False}).json()["value"]


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What waits for another task, or for a request to arrive, waits minutes; return how long, in seconds."""
    return pass_time(monkeypatch)


@pytest.fixture(params=["stripe", "moov"])
def kind(request: pytest.FixtureRequest) -> str:
    """The API of a test."""
    return str(request.param)


@pytest.fixture
def run(kind: str, sandbox: Sandbox, connect: Connect) -> Contest:
    """A run of a dispute that is open."""
    connect(kind)
    return Contest(kind, sandbox.create_dispute(api=kind, amount=100)["id"])


@pytest.fixture
def engine(api: Any) -> Engine:
    return Engine(api)


@pytest.fixture
def sweep(engine, sandbox, stripe_connection, cases, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", stripe_connection)
    sweep = Sweep(engine)
    for run in engine.api.get("/api/v2/dags/dispute_review/dagRuns").json()["dag_runs"]:
        engine.api.delete(f"/api/v2/dags/dispute_review/dagRuns/{run['dag_run_id']}")
    return sweep
