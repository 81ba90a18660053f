"""Nothing is staged if the API could submit it automatically at the due date."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import DAG
from flows import contest

from dispute_provider.operators.evidence import StageEvidenceOperator
from dispute_provider.sandbox import Sandbox

VERSION = "2026-10-28.endive"
DAY = 86400.0


def stage(engine: Any, conn_id: str, dispute: str, **options: Any) -> dict[str, Any]:
    """Stage one case with the operator; returns its record."""
    case = {"provider": "stripe", "dispute": dispute, "evidence": {"customer_name": "Zoë"}}
    with DAG("stage_only", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[case], conn_id=conn_id, **options)
    run = engine.run(dag)
    assert run.state == "success"
    value = engine.result(run, "stage")
    [record] = json.loads(value) if isinstance(value, str) else value
    return dict(record)


def dispute_of(sandbox: Sandbox, **fields: Any) -> str:
    return str(sandbox.create_dispute(api="stripe", **fields)["id"])


def writes(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.journal() if entry["method"] == "POST"]


@pytest.mark.parametrize("method", ["prefer_manual", "prefer_smart_disputes", "smart_disputes"])
def test_the_connection_of_the_readme_stages_nothing_that_the_api_would_submit(
    method, engine, sandbox, stripe_connection
):
    dispute = dispute_of(sandbox, intended_submission_method=method)
    record = stage(engine, stripe_connection, dispute)
    assert record["state"] == "refused"
    assert method in record["reason"]
    assert "switch_to_manual=True" in record["reason"]
    sandbox.clock(advance=8 * DAY)
    assert sandbox.dispute(dispute)["submissions"] == []
    assert {entry["headers"]["stripe-version"] for entry in sandbox.journal()} == {VERSION}


def test_a_missing_submission_method_is_not_treated_as_manual(engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox, intended_submission_method="smart_disputes")
    older = dict(sandbox.dispute(dispute)["object"])
    del older["intended_submission_method"]
    sandbox.fault(operation="GetDisputesDispute", effect="status", status=200, body=older, times=None)
    record = stage(engine, stripe_connection, dispute)
    sandbox.clock(advance=8 * DAY)
    assert sandbox.dispute(dispute)["submissions"] == [], "no reviewer approved it"
    assert record["state"] == "refused"
    assert writes(sandbox) == []


@pytest.mark.parametrize("method", [None, "manual"])
def test_a_manual_dispute_is_staged(method, engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox, intended_submission_method=method)
    assert stage(engine, stripe_connection, dispute)["state"] == "staged"
    assert all("intended_submission_method" not in entry["body"] for entry in writes(sandbox))
    sandbox.clock(advance=8 * DAY)
    assert sandbox.dispute(dispute)["submissions"] == []


@pytest.mark.parametrize("unreadable", ["", 5, ["manual"]])
def test_an_unreadable_method_is_unknown(unreadable, engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox)
    sandbox.odd(of=dispute, set={"/intended_submission_method": unreadable})
    record = stage(engine, stripe_connection, dispute)
    assert record["state"] == "refused"
    assert "does not report whether it submits" in record["reason"]
    assert writes(sandbox) == []


def test_an_unknown_method_counts_as_automatic(engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox)
    sandbox.odd(of=dispute, set={"/intended_submission_method": "smarter_disputes"})
    record = stage(engine, stripe_connection, dispute)
    assert record["state"] == "refused"
    assert "smarter_disputes" in record["reason"]
    assert writes(sandbox) == []


def test_the_review_warns_after_a_colleague_switched_to_automatic(engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox)
    case = {"provider": "stripe", "dispute": dispute, "evidence": {"customer_name": "Zoë"}}
    dag = contest([case], stripe_connection)

    def switch(*_, **__):
        sandbox.edit_dispute(dispute, intended_submission_method="smart_disputes")

    dag.get_task("stage")._post_execute_hook = switch
    engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {"note": "ok"}})
    [form] = engine.forms
    assert "submits staged evidence automatically at the due date, approved or not" in form["body"]


@pytest.mark.parametrize("options", [{}, {"switch_to_manual": True}], ids=["default", "switch"])
def test_an_unknown_method_is_refused_with_remedies(options, engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox, intended_submission_method="smart_disputes", shows_submission_method=False)
    record = stage(engine, stripe_connection, dispute, **options)
    assert record["state"] == "refused"
    assert "does not report whether it submits staged evidence automatically" in record["reason"]
    assert "api_version blank" in record["reason"]
    assert "allow_unknown_submission_method=True" in record["reason"]
    assert writes(sandbox) == []


def test_an_unknown_method_is_staged_if_the_author_allows_it(engine, sandbox, connect):
    connect("stripe", extra={"api_version": "2023-10-16"})
    dispute = dispute_of(sandbox, intended_submission_method=None, shows_submission_method=False)
    record = stage(engine, "stripe_default", dispute, allow_unknown_submission_method=True)
    assert record["state"] == "staged"
    assert {entry["headers"]["stripe-version"] for entry in sandbox.journal()} == {"2023-10-16"}


def test_allowing_unknown_methods_does_not_allow_automatic_ones(engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox, intended_submission_method="smart_disputes")
    record = stage(engine, stripe_connection, dispute, allow_unknown_submission_method=True)
    assert record["state"] == "refused"
    assert writes(sandbox) == []


def test_a_method_that_becomes_unknown_after_staging_is_reported(engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox)
    unknown = dict(sandbox.dispute(dispute)["object"])
    del unknown["intended_submission_method"]
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=200, body=unknown)
    record = stage(engine, stripe_connection, dispute)
    assert record["state"] == "refused"
    assert record["reason"].startswith("staged, but the API does not report")


def test_an_account_without_smart_disputes_is_recognised(engine, sandbox, stripe_connection):
    dispute = dispute_of(sandbox, intended_submission_method="smart_disputes")
    answer = {
        "error": {
            "type": "invalid_request_error",
            "code": "smart_disputes_not_available",
            "message": "Smart Disputes is not available.",
            "param": "intended_submission_method",
        }
    }
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=400, body=answer)
    record = stage(engine, stripe_connection, dispute, switch_to_manual=True)
    assert record["state"] == "refused"
    assert "400 smart_disputes_not_available" in record["reason"]
    assert "To do: this account has no Smart Disputes" in record["reason"]
    assert "stage without switch_to_manual" in record["reason"]


@pytest.mark.parametrize("dag_id", ["stripe_dispute_evidence", "dispute_sweep"])
def test_the_shipped_dags_read_it_from_the_configuration(dag_id, monkeypatch):
    from sweeping import load

    monkeypatch.setenv("AIRFLOW__DISPUTE__ALLOW_UNKNOWN_SUBMISSION_METHOD", "True")
    [task] = [task for task in load(dag_id).tasks if task.task_id.endswith("stage")]
    options = getattr(task, "partial_kwargs", None) or vars(task)
    assert options["allow_unknown_submission_method"] is True
