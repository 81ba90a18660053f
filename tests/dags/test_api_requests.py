"""The DAGs that show and make one request each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support import register

from dispute_provider import APIS
from dispute_provider._contracts import contract
from dispute_provider.sandbox import STRIPE_KEY, Sandbox

DAGS = Path(__file__).parents[2] / "dags"
OPERATIONS = {
    f"{api}_{operation.id}": operation for api in APIS for operation in contract.load(api).operations.values()
}
NAME = "Zoë {{ 1 + 1 }} O'Hara"


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS / "api_requests.py"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_one_for_each_operation(dags: dict[str, Any]) -> None:
    assert dags.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("dag_id", OPERATIONS)
def test_each(dag_id: str, dags: dict[str, Any]) -> None:
    dag, operation = dags[dag_id], OPERATIONS[dag_id]
    assert dag.tags == {operation.api, operation.effect}
    assert dag.dag_display_name.endswith(f" · {operation.summary}")
    assert dag.schedule is None
    assert dag.params["dry_run"] is True
    assert ("confirm" in dag.params) == (operation.effect == "irreversible")
    assert operation.path in dag.doc_md
    # Every default passes: otherwise the form could not be sent unchanged.
    dag.params.validate()


def test_parsing_is_cheap() -> None:
    code = f"""
import sys
from airflow.sdk import DAG
import runpy
runpy.run_path({str(DAGS / "api_requests.py")!r})
print(*(name for name in sys.modules if name.startswith("dispute_provider")))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout.split()
    assert not [name for name in loaded if name.endswith(".validation") or ".hooks" in name]


def run(dag: Any, **conf: Any) -> Any:
    """Run a DAG with the values of its form; return the run."""
    register(dag)
    return dag.test(run_conf=conf)


def result(run: Any) -> Any:
    """What the task returned."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(
            select(XComModel).filter_by(dag_id=run.dag_id, run_id=run.run_id, key="return_value")
        ).one_or_none()
        return found and found.value


@pytest.mark.usefixtures("airflow_database")
class TestOnAirflow:
    def test_a_dry_run_of_an_update(
        self,
        dags: dict[str, Any],
        sandbox: Sandbox,
        stripe_connection: str,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        values = {
            "dispute": "dp_1",
            "evidence.customer_name": NAME,
            "evidence.receipt": None,
            "evidence.customer_email_address": None,
            "metadata": None,
            "unset": ["evidence.billing_address"],
        }
        shown = result(run(dags["stripe_PostDisputesDispute"], **values))

        assert sandbox.journal() == []
        assert shown["sent"] is False
        assert (shown["method"], shown["url"]) == ("POST", f"{sandbox.url}/v1/disputes/dp_1")
        assert shown["headers"] == {
            "Stripe-Version": "2026-10-28.endive",
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "Bearer [redacted: a secret]",
        }
        assert shown["violations"] == []
        assert shown["body"] == [
            f"evidence[customer_name]=[22 characters, sha256 {sha256(NAME.encode()).hexdigest()[:8]}]",
            "evidence[billing_address]=",
            "submit=false",
        ]
        assert shown["body_bytes"] == len(
            "evidence[customer_name]=Zo%C3%AB+%7B%7B+1+%2B+1+%7D%7D+O%27Hara&evidence[billing_address]="
            "&submit=false"
        )
        log = capfd.readouterr().out
        for output in (log, json.dumps(shown, ensure_ascii=False)):
            assert "O'Hara" not in output
            assert STRIPE_KEY not in output
        assert "evidence[customer_name]=[22 characters" in log

    def test_a_real_run_of_an_update(
        self,
        dags: dict[str, Any],
        sandbox: Sandbox,
        stripe_connection: str,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        dispute = sandbox.create_dispute(api="stripe")["id"]
        values = {"dispute": dispute, "evidence.customer_name": NAME, "evidence.receipt": None}
        answer = result(run(dags["stripe_PostDisputesDispute"], dry_run=False, **values))

        (sent,) = sandbox.journal(operation="PostDisputesDispute")
        assert (answer["status"], answer["request_id"]) == (200, sent["request_id"])
        assert answer["answer"]["evidence"]["customer_name"] == "[redacted: 22 characters]"
        assert sandbox.dispute(dispute)["evidence"]["customer_name"] == NAME
        assert "O'Hara" not in capfd.readouterr().out

    @pytest.mark.parametrize("confirm", [None, "another"])
    def test_what_cannot_be_undone_is_asked_twice(
        self, confirm: str | None, dags: dict[str, Any], sandbox: Sandbox, moov_connection: str
    ) -> None:
        dispute = sandbox.create_dispute(api="moov", evidence={"other": "Hello"})["id"]
        dag = dags["moov_submitDisputeEvidence"]
        refused = run(dag, dry_run=False, disputeID=dispute, confirm=confirm)
        assert (refused.state, sandbox.journal()) == ("failed", [])

        assert run(dag, dry_run=False, disputeID=dispute, confirm=dispute).state == "success"
        assert sandbox.dispute(dispute)["status"] == "under-review"
