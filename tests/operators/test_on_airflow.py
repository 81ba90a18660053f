"""Operators on Airflow's own engine: what it stores of them, and when it tries again."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import steps
from airflow.sdk import DAG, task
from support import pass_time, register

from dispute_provider._transport import timeouts
from dispute_provider._workflow.sending import final_call
from dispute_provider.hooks._connections import api_of
from dispute_provider.operators.moov import (
    MoovSubmitDisputeEvidenceOperator,
    MoovUploadDisputeEvidenceTextOperator,
)
from dispute_provider.operators.stripe import (
    StripeGetDisputeOperator,
    StripeUpdateDisputeOperator,
    StripeUploadFileOperator,
)
from dispute_provider.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("airflow_database")
SECRET_TEXT = "Zoë's quokka {{ conn.stripe_default.password }} ate it"


def stored(dag_id: str) -> dict[str, list[str]]:
    """All that Airflow keeps of a DAG's tasks, as text, by table."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def text_of(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, default=str)

    with create_session() as session:
        return {
            "dag": [
                text_of(row.data)
                for row in session.scalars(select(SerializedDagModel).filter_by(dag_id=dag_id))
            ],
            "rendered": [
                text_of(row.rendered_fields)
                for row in session.scalars(select(RenderedTaskInstanceFields).filter_by(dag_id=dag_id))
            ],
            "xcom": [
                text_of(row.value)
                for row in session.scalars(select(XComModel).filter_by(dag_id=dag_id))
                if row.task_id not in ("evidence", "several")
            ],
            "links": [
                text_of(row.value)
                for row in session.scalars(
                    select(XComModel).filter_by(dag_id=dag_id, key="_link_DisputeLink")
                )
            ],
        }


def test_airflow_stores_no_text(sandbox: Sandbox, stripe_connection: str, moov_connection: str) -> None:
    ids = [made["id"] for made in sandbox.create_disputes([{"api": "stripe"}] * 4)]
    moov = sandbox.create_dispute(api="moov")["id"]
    with DAG("quiet", schedule=None) as dag:

        @task(show_return_value_in_logs=False)
        def evidence() -> dict[str, str]:
            return {"customer_name": SECRET_TEXT}

        @task(show_return_value_in_logs=False)
        def several() -> list[dict[str, str]]:
            return [{"customer_name": SECRET_TEXT}] * 2

        StripeUpdateDisputeOperator(
            task_id="literal",
            dispute="{{ params.dispute }}",
            evidence={"customer_name": SECRET_TEXT},
        )
        given = StripeUpdateDisputeOperator(task_id="given", dispute=ids[1], evidence=evidence())
        StripeUpdateDisputeOperator.partial(task_id="mapped", dispute=ids[2]).expand(evidence=several())
        given >> StripeGetDisputeOperator(task_id="read", dispute=ids[1])
        MoovUploadDisputeEvidenceTextOperator(
            task_id="text", dispute_id=moov, text=SECRET_TEXT, evidence_type="other"
        )
    dag.params["dispute"] = ids[0]
    register(dag)
    run = dag.test()

    assert run.state == "success"
    for identifier in ids[:3]:
        assert sandbox.dispute(identifier)["evidence"]["customer_name"] == SECRET_TEXT
    assert sandbox.dispute(moov)["evidence"][0]["text"] == SECRET_TEXT
    found = stored("quiet")
    assert all(found.values())
    assert "quokka" not in json.dumps(found)
    assert f'"https://dashboard.stripe.com/test/disputes/{ids[0]}"' in found["links"]


def test_an_upload_feeds_an_update(sandbox: Sandbox, stripe_connection: str, tmp_path: Path) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    (tmp_path / "receipt.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    with DAG("upload_and_use", schedule=None) as dag:
        upload = StripeUploadFileOperator(task_id="upload", file=str(tmp_path / "receipt.pdf"))
        StripeUpdateDisputeOperator(
            task_id="use", dispute=dispute, evidence={"receipt": upload.output["id"]}, submit=True
        )
    register(dag)

    assert dag.test().state == "success"
    assert sandbox.dispute(dispute)["submissions"][0]["evidence"]["receipt"].startswith("file_")


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize(
    ("fault", "tries", "calls"),
    [
        ({"status": 409, "times": None}, 1, 1),
        ({"status": 504, "times": None}, 1, 1),
        # As often as a single try sends it.
        ({"status": 429, "times": 4, "headers": {"Retry-After": "0"}}, 2, 5),
    ],
    ids=["conflict", "ambiguous", "too many"],
)
def test_airflow_tries_again_only_what_may_pass(
    fault: dict[str, Any], tries: int, calls: int, sandbox: Sandbox, moov_connection: str
) -> None:
    dispute = sandbox.create_dispute(api="moov", evidence={"other": "Hello"})["id"]
    sandbox.fault(effect="status", operation="submitDisputeEvidence", **fault)
    with DAG(f"again_{fault['status']}", schedule=None) as dag:
        # Mapped: the task that runs is not the object in the DAG.
        MoovSubmitDisputeEvidenceOperator.partial(
            task_id="submit", retries=2, retry_delay=timedelta(0)
        ).expand(dispute_id=[dispute])
    register(dag)
    run = dag.test()

    (instance,) = run.get_task_instances()
    assert instance.try_number == tries
    assert instance.state == ("success" if tries == 2 else "failed")
    assert len(sandbox.journal(operation="submitDisputeEvidence")) == calls


@pytest.mark.usefixtures("_no_waiting")
def test_the_ledger_keeps_the_end_of_a_final_call(sandbox: Sandbox, moov_connection: str) -> None:
    """It outlives the run: a later one reads it."""
    dispute = sandbox.create_dispute(api="moov", evidence={"other": "Hello"})["id"]
    with DAG("submit_and_clear", schedule=None) as dag:
        MoovSubmitDisputeEvidenceOperator(task_id="submit", dispute_id=dispute)
    register(dag)
    assert dag.test().state == "success"

    chain = asyncio.run(steps.chain_of(api_of(moov_connection), dispute).read())
    assert chain.final_end is not None
    assert chain.final_end.state == "submitted"
    assert len(sandbox.journal(operation="submitDisputeEvidence")) == 1
