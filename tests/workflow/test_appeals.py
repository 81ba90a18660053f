"""A dispute at the appeal stage is left to a person: nothing is staged, reviewed or sent there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import DAG
from flows import contest
from sweeping import write_case

from dispute_provider.operators.evidence import ReportOutcomeOperator, StageEvidenceOperator
from dispute_provider.sandbox import Sandbox

APPEAL = "it is at the appeal stage, which takes an appeal and no other evidence"


def case(dispute: str) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": {"customer_name": "Zoë"}}


def records(engine: Any, run: Any, task_id: str) -> list[dict[str, Any]]:
    told = engine.result(run, task_id)
    return list(json.loads(told) if isinstance(told, str) else told)


def without_case(engine: Any, run: Any) -> list[dict[str, Any]]:
    """What the sweep lists as left to a person."""
    task = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/contest.find"
    params = {"deserialize": False, "map_index": 0}
    told = engine.api.get(f"{task}/xcomEntries/without_case", params=params).json()["value"]
    return list(json.loads(told) if isinstance(told, str) else told)


def writes(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.journal() if entry["method"] == "POST"]


def test_it_is_held_when_it_is_staged_and_the_others_go_on(engine, sandbox, stripe_connection):
    appeal = sandbox.create_dispute(api="stripe", status="appeal_needs_response")["id"]
    other = sandbox.create_dispute(api="stripe")["id"]
    with DAG("stage_two", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[case(appeal), case(other)], conn_id=stripe_connection)
    held, staged = records(engine, engine.run(dag), "stage")
    assert (held["state"], staged["state"]) == ("held", "staged")
    assert held["reason"].startswith(APPEAL)
    assert "To do: answer it in the Stripe Dashboard" in held["reason"]
    assert [entry["dispute"] for entry in writes(sandbox)] == [other]


@pytest.mark.parametrize("moment", ["before the review", "before the submission"])
def test_it_is_held_when_it_gets_there_on_the_way(moment, engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(api="stripe")["id"]
    dag = contest([case(dispute)], stripe_connection)

    def appeal() -> None:
        sandbox.edit_dispute(dispute, status="appeal_needs_response")

    def approve(form: dict[str, Any]) -> dict[str, Any]:
        appeal()
        return {"chosen_options": form["options"][:1], "params_input": {"note": "ok"}}

    if moment == "before the review":
        dag.get_task("stage")._post_execute_hook = lambda *_, **__: appeal()
    run = engine.run(dag, approve)
    [record] = records(engine, run, "submit")
    assert record["state"] == "held"
    assert record["reason"].startswith(APPEAL)
    assert [entry["submitted"] for entry in writes(sandbox)] == [False]
    assert len(engine.forms) == (moment == "before the submission")


def test_the_sweep_lists_it_for_a_person_and_stages_nothing_there(
    sweep, engine, sandbox, cases, stripe_connection, caplog
):
    for dispute, status in (("du_appeal", "appeal_needs_response"), ("du_open", "needs_response")):
        sandbox.create_dispute(api="stripe", id=dispute, status=status)
        write_case(cases, dispute)
    run = sweep.run()
    assert run.state == "success"
    assert sweep.reviews() and list(sweep.reviews().values()) == [["du_open"]]
    assert {entry["dispute"] for entry in writes(sandbox)} == {"du_open"}
    [listed] = without_case(engine, run)
    assert (listed["dispute"], listed["state"]) == ("du_appeal", "held")
    assert listed["reason"].startswith(APPEAL)


def test_a_stage_that_is_not_known_is_left_to_a_person_as_well(
    sweep, engine, sandbox, cases, stripe_connection
):
    sandbox.create_dispute(api="stripe", id="du_new")
    sandbox.odd(of="du_new", set={"/status": "arbitration_needs_response"})
    write_case(cases, "du_new")
    [listed] = without_case(engine, sweep.run())
    assert (listed["dispute"], listed["state"]) == ("du_new", "held")
    assert listed["reason"].startswith("its status, arbitration_needs_response, is not known here. To do: ")
    with DAG("stage_new", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[case("du_new")], conn_id=stripe_connection)
    [record] = records(engine, engine.run(dag), "stage")
    assert record["state"] == "held"
    assert writes(sandbox) == []


def test_what_was_answered_there_is_not_held(engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(api="stripe", status="appeal_under_review")["id"]
    with DAG("stage_answered", schedule=None) as dag:
        stage = StageEvidenceOperator(task_id="stage", cases=[case(dispute)], conn_id=stripe_connection)
        ReportOutcomeOperator(task_id="outcome", results=stage.output)
    run = engine.run(dag)
    assert run.state == "success"
    assert records(engine, run, "stage")[0]["state"] == "already-submitted"
