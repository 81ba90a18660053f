"""Keys that sign records, rotated and replaced while disputes are on their way; and the ways out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, task
from flows import SMALL, contest
from sweeping import load, write_case
from test_asking_again import in_store
from test_promised_faults import NEW_KEY, advice, record

from dispute_provider._state.sweep_store import REVIEWED
from dispute_provider.operators.evidence import StageEvidenceOperator, SubmitEvidenceOperator
from dispute_provider.sandbox import STRIPE_ACCOUNT

OLD = "the first key of the workers and the server"
NEW = "the next key of the workers and the server"
OPTION = "AIRFLOW__DISPUTE__SIGNING_KEY"


@pytest.fixture
def replace_api_key(sandbox: Any, connect: Any) -> Callable[[], None]:
    def replace() -> None:
        sandbox.add_account(api="stripe", id=STRIPE_ACCOUNT, keys={NEW_KEY: "write"})
        connect("stripe", password=NEW_KEY)

    return replace


def case() -> dict[str, Any]:
    return {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Delivered."}}


def flow(conn_id: str, before_submit: Callable[[], None], before_again: Callable[[], None]) -> DAG:
    """Stage, review, submit, and submit once more as the task that is cleared; something before each."""
    with (dag := contest([case()], conn_id, policy=SMALL)):

        @task
        def first() -> None:
            before_submit()

        @task(trigger_rule="all_done")
        def second() -> None:
            before_again()

        review, submit = dag.get_task("review"), dag.get_task("submit")
        again = SubmitEvidenceOperator(task_id="again", approved=review.output)
        review >> first() >> submit >> second() >> again
    return dag


def submissions(sandbox: Any) -> int:
    return [entry["submitted"] for entry in sandbox.journal()].count(True)


@pytest.fixture(autouse=True)
def _dispute(sandbox: Any) -> None:
    sandbox.create_dispute(api="stripe", id="du_1", amount=100)


def nothing() -> None:
    """Change nothing."""


def test_a_rotated_key_still_submits(engine, sandbox, stripe_connection, monkeypatch):
    monkeypatch.setenv(OPTION, OLD)
    run = engine.run(flow(stripe_connection, lambda: monkeypatch.setenv(OPTION, f"{NEW}, {OLD}"), nothing))
    assert record(engine, run, "submit")["state"] == "submitted"
    assert run.state == "success"


def test_with_a_signing_key_a_replaced_api_key_costs_no_review(
    engine, sandbox, stripe_connection, monkeypatch, replace_api_key
):
    monkeypatch.setenv(OPTION, OLD)
    run = engine.run(flow(stripe_connection, replace_api_key, nothing))
    assert record(engine, run, "submit")["state"] == "submitted"


def test_records_with_a_dropped_key_are_refused_until_the_key_is_added_again(
    engine, sandbox, stripe_connection, monkeypatch
):
    monkeypatch.setenv(OPTION, OLD)
    run = engine.run(
        flow(
            stripe_connection,
            lambda: monkeypatch.setenv(OPTION, NEW),
            lambda: monkeypatch.setenv(OPTION, f"{NEW},{OLD}"),
        )
    )
    refused = record(engine, run, "submit")
    assert refused["state"] == "refused"
    assert "add the old key again" in advice(refused, "which [dispute] signing_key no longer has")
    assert record(engine, run, "again")["state"] == "submitted"
    assert submissions(sandbox) == 1


@pytest.mark.parametrize("change", ["api key", "first signing key"])
def test_after_a_key_is_replaced_a_new_review_submits(
    change, engine, sandbox, stripe_connection, monkeypatch, replace_api_key
):
    replaced = replace_api_key if change == "api key" else lambda: monkeypatch.setenv(OPTION, NEW)
    run = engine.run(flow(stripe_connection, replaced, nothing))
    refused = record(engine, run, "submit")
    assert refused["state"] == "refused"
    words = "was replaced since" if change == "api key" else "which [dispute] signing_key no longer has"
    assert "stage or review again" in advice(refused, words)
    assert submissions(sandbox) == 0

    second = engine.run(contest([case()], stripe_connection, policy=SMALL))
    assert record(engine, second, "submit")["state"] == "submitted"
    assert submissions(sandbox) == 1


def test_a_key_that_is_too_short_stops_staging_before_anything_is_written(
    engine, sandbox, stripe_connection, monkeypatch, capfd
):
    monkeypatch.setenv(OPTION, "short")
    with DAG("stage", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[case()], conn_id=stripe_connection)
    assert engine.run(dag).state == "failed"
    assert "fewer than 32 characters" in capfd.readouterr().out
    assert sandbox.journal() == []


def test_an_unreadable_key_holds_and_once_fixed_submits(engine, sandbox, stripe_connection, monkeypatch):
    monkeypatch.setenv(OPTION, OLD)
    run = engine.run(
        flow(
            stripe_connection,
            lambda: monkeypatch.setenv(OPTION, "short"),
            lambda: monkeypatch.setenv(OPTION, OLD),
        )
    )
    held = record(engine, run, "submit")
    assert held["state"] == "held"
    assert "correct the setting" in advice(held, "its record cannot be checked: ")
    assert record(engine, run, "again")["state"] == "submitted"


def test_an_api_key_that_is_replaced_while_a_review_is_open_is_reviewed_again_by_the_next_sweep(
    sweep, engine, sandbox, cases, stripe_connection, replace_api_key
):
    write_case(cases, "du_1")
    sweep.run()
    [first] = sweep.reviews()
    conf = engine.api.get(f"/api/v2/dags/dispute_review/dagRuns/{first}").json()["conf"]

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        replace_api_key()
        return {"chosen_options": form["options"][:1], "params_input": {}}

    run = engine.run(load("dispute_review"), answer, conf)
    assert record(engine, run, "submit")["state"] == "refused"
    assert "was replaced since" in record(engine, run, "submit")["reason"]
    for ended in (first, run.run_id):
        engine.api.delete(f"/api/v2/dags/dispute_review/dagRuns/{ended}")

    sweep.run()

    [second] = sweep.reviews()
    assert second != first
    opened = in_store(engine, REVIEWED, lambda store: store.get(stripe_connection)["du_1"]["review"])
    assert opened == f"dispute_review/{second}"
    conf = engine.api.get(f"/api/v2/dags/dispute_review/dagRuns/{second}").json()["conf"]
    again = engine.run(
        load("dispute_review"),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
        conf,
    )
    assert record(engine, again, "submit")["state"] == "submitted"
