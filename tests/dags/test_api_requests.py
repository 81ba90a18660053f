"""The DAGs that make one request: one for each API, and on request one for each operation, as before."""

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
FORMER = {
    f"{api}_{operation.id}": operation for api in APIS for operation in contract.load(api).operations.values()
}
NAME = "Zoë {{ 1 + 1 }} O'Hara"


def loaded() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS / "api_requests.py"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    return loaded()


@pytest.fixture(scope="module")
def former() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DISPUTE__OPERATION_DAGS", "True")
        return loaded()


@pytest.mark.parametrize("api", APIS)
def test_one_for_each_api(api: str, dags: dict[str, Any]) -> None:
    assert len(dags) == len(APIS)
    dag, api_contract = dags[f"{api}_request"], contract.load(api)
    # Airflow's own search finds beginnings of the display name.
    assert dag.dag_display_name == f"{api_contract.title} request"
    assert dag.tags == {api, api_contract.title, "request"}
    assert (dag.schedule, dag.is_paused_upon_creation) == (None, False)
    assert dag.params["dry_run"] is True
    offered = dag.params.get_param("operation").schema
    assert sorted(offered["enum"]) == sorted(api_contract.operations)
    # What reads comes first, and what cannot be undone last.
    assert api_contract[offered["enum"][0]].effect == "read"
    assert api_contract[offered["enum"][-1]].effect == "irreversible"
    assert offered["values_display"].keys() == api_contract.operations.keys()
    assert "Who may trigger this DAG" in dag.doc_md
    for operation in api_contract.operations.values():
        assert (
            f"[{operation.summary}](plugin/disputes/dispute-evidence/desk#explorer/{api}/{operation.id})"
            in dag.doc_md
        )
    dag.params.validate()


def test_the_former_ones_come_with_a_setting(dags: dict[str, Any], former: dict[str, Any]) -> None:
    assert former.keys() == dags.keys() | FORMER.keys()


@pytest.mark.parametrize("dag_id", FORMER)
def test_each_former_one(dag_id: str, former: dict[str, Any]) -> None:
    dag, operation = former[dag_id], FORMER[dag_id]
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
    """Run a DAG with the values of its form, which is a dry run by default; return the run."""
    register(dag)
    # ``dag.test`` keeps the values of an earlier run as the defaults of the next one.
    return dag.test(run_conf={"dry_run": True, **conf})


def result(run: Any, key: str = "return_value") -> Any:
    """What the task returned, or pushed under a key of its own."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(
            select(XComModel).filter_by(dag_id=run.dag_id, run_id=run.run_id, key=key)
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
        evidence = {"customer_name": NAME, "billing_address": ""}
        arguments = {"dispute": "dp_1", "evidence": evidence, "submit": False}
        shown = result(run(dags["stripe_request"], operation="PostDisputesDispute", arguments=arguments))

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
        arguments = {"dispute": dispute, "evidence": {"customer_name": NAME}, "submit": False}
        answer = result(
            run(
                dags["stripe_request"],
                operation="PostDisputesDispute",
                dry_run=False,
                arguments=arguments,
            )
        )

        (sent,) = sandbox.journal(operation="PostDisputesDispute")
        assert (answer["status"], answer["request_id"]) == (200, sent["request_id"])
        assert answer["headers"]["Request-Id"] == sent["request_id"]
        assert answer["seconds"] >= 0
        assert answer["answer"]["evidence"]["customer_name"] == "[redacted: 22 characters]"
        assert sandbox.dispute(dispute)["evidence"]["customer_name"] == NAME
        assert "O'Hara" not in capfd.readouterr().out

    @pytest.mark.parametrize("confirm", [None, "another"])
    def test_what_cannot_be_undone_is_asked_twice(
        self, confirm: str | None, dags: dict[str, Any], sandbox: Sandbox, moov_connection: str
    ) -> None:
        dispute = sandbox.create_dispute(api="moov", evidence={"other": "Hello"})["id"]
        values = {
            "operation": "submitDisputeEvidence",
            "dry_run": False,
            "arguments": {"disputeID": dispute},
        }
        refused = run(dags["moov_request"], **values, confirm=confirm)
        assert (refused.state, sandbox.journal()) == ("failed", [])
        assert result(refused, "failure")["sent"] is False
        assert "/confirm: is not the dispute ID" in result(refused, "failure")["error"]

        assert run(dags["moov_request"], **values, confirm=dispute).state == "success"
        assert sandbox.dispute(dispute)["status"] == "under-review"

    def test_a_refusal_is_told(self, dags: dict[str, Any], sandbox: Sandbox, stripe_connection: str) -> None:
        arguments = {"dispute": "dp_missing"}
        failed = run(
            dags["stripe_request"], operation="GetDisputesDispute", dry_run=False, arguments=arguments
        )
        told = result(failed, "failure")
        (refused,) = sandbox.journal()
        assert (failed.state, told["sent"], told["status"]) == ("failed", True, 404)
        assert told["request_id"] == refused["request_id"]
        assert "resource_missing" in told["error"]

    def test_a_secret_is_refused(self, dags: dict[str, Any], sandbox: Sandbox, moov_connection: str) -> None:
        arguments = {"grant_type": "client_credentials", "client_secret": "abc"}
        values = {"operation": "createAccessToken", "arguments": arguments}
        [violation] = result(run(dags["moov_request"], **values))["violations"]
        assert violation.startswith("/client_secret: is a secret")
        failed = run(dags["moov_request"], **values, dry_run=False)
        assert "/client_secret: is a secret" in result(failed, "failure")["error"]
        assert sandbox.journal() == []

    def test_a_former_one_takes_its_former_form(
        self, former: dict[str, Any], sandbox: Sandbox, stripe_connection: str
    ) -> None:
        dispute = sandbox.create_dispute(api="stripe")["id"]
        values = {"dispute": dispute, "evidence.customer_name": NAME, "unset": ["evidence.billing_address"]}
        shown = result(run(former["stripe_PostDisputesDispute"], **values))
        assert shown["violations"] == []
        assert "evidence[billing_address]=" in shown["body"]
        sent = result(run(former["stripe_PostDisputesDispute"], **values, dry_run=False))
        assert sent["status"] == 200
