"""Cause faults of ``docs/faults.md``, and follow the advice of their rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task
from flows import SMALL, contest

from dispute_provider.operators.evidence import StageEvidenceOperator, SubmitEvidenceOperator
from dispute_provider.sandbox import STRIPE_ACCOUNT

FAULTS = Path(__file__).parents[2] / "docs" / "faults.md"
ORGANIZATION_KEY = "sk_org_test_51Organization"
WRONG_KEY = "sk_test_51WrongKeyOfTheShop9xQz"
NEW_KEY = "sk_test_51TheKeyAfterThat"


def advice(record: dict[str, Any], quoted: str) -> str:
    """Return the advice of the row that quotes these words of a record's reason."""
    assert quoted in record["reason"]
    rows = [line.strip("| ").split(" | ") for line in FAULTS.read_text("utf-8").splitlines()]
    [row] = [row for row in rows if len(row) == 4 and quoted in row[1]]
    assert f"`{record['state']}`" in row[2]
    return row[3]


def case() -> dict[str, Any]:
    return {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Delivered."}}


def record(engine: Any, run: Any, task_id: str) -> dict[str, Any]:
    value = engine.result(run, task_id)
    [only] = json.loads(value) if isinstance(value, str) else value
    return dict(only)


def stage(engine: Any, conn_id: str) -> dict[str, Any]:
    """The record of the case, of a task that stages it and no more."""
    with DAG("stage_only", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[case()], conn_id=conn_id)
    return record(engine, engine.run(dag), "stage")


@pytest.fixture(autouse=True)
def _dispute(sandbox: Any) -> None:
    sandbox.create_dispute(api="stripe", id="du_1", amount=100)


@pytest.mark.parametrize("key", ["the same key", "a new key"])
def test_a_key_that_is_refused_between_review_and_submission(
    key, engine, sandbox, stripe_connection, connect
):
    dag = contest([case()], stripe_connection, policy=SMALL)
    with dag:

        @task
        def revoke() -> None:
            body = {"error": {"type": "invalid_request_error", "message": "Expired API Key provided"}}
            sandbox.fault(effect="status", status=401, body=body, times=None)

        @task(trigger_rule="all_done")
        def correct() -> None:
            sandbox.clear_faults()
            if key == "a new key":
                sandbox.add_account(api="stripe", id=STRIPE_ACCOUNT, keys={NEW_KEY: "write"})
                connect("stripe", password=NEW_KEY)

        answered = dag.get_task("review")
        # As the task that is cleared: the same approval, once the connection is corrected.
        again = SubmitEvidenceOperator(task_id="again", approved=answered.output)
        answered >> revoke() >> dag.get_task("submit") >> correct() >> again

    run = engine.run(dag)

    held = record(engine, run, "submit")
    after = record(engine, run, "again")
    to_do = advice(held, "To do: check the key of the Airflow connection")
    assert held["state"] == "held"
    assert "clear the task; the approval still holds" in to_do
    if key == "the same key":
        assert after["state"] == "submitted"
        return
    assert after["state"] == "refused"
    assert "unless the key was replaced" in to_do
    assert "review again" in to_do
    assert "review again" in advice(after, "was replaced since, and there is no [dispute] signing_key")
    second = engine.run(contest([case()], stripe_connection, policy=SMALL))
    assert record(engine, second, "submit")["state"] == "submitted"
    assert [entry["submitted"] for entry in sandbox.journal()].count(True) == 1


def test_staging_can_be_repeated_after_a_500(engine, sandbox, stripe_connection, capfd):
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=500, times=None)

    held = stage(engine, stripe_connection)

    assert "do not resend" not in held["reason"]
    assert "do not resend" not in capfd.readouterr().out
    assert "clear the task" in advice(held, "clear the task; staging continues from what has arrived")
    sandbox.clear_faults()
    assert stage(engine, stripe_connection)["state"] == "staged"


def test_an_old_api_version_is_reported(engine, sandbox, stripe_connection, connect):
    old = {**sandbox.dispute("du_1")["object"], "evidence": "Signed for.", "evidence_due_by": 1418000000}
    del old["evidence_details"]
    sandbox.fault(operation="GetDisputesDispute", effect="status", status=200, body=old, times=None)

    held = stage(engine, stripe_connection)

    to_do = advice(held, "the account's API version is too old: older than 2014-12-08")
    assert "leave `api_version` of the connection blank, clear the task" in to_do
    assert not [entry for entry in sandbox.journal() if entry["method"] == "POST"]
    sandbox.clear_faults()
    assert stage(engine, stripe_connection)["state"] == "staged"


def test_no_part_of_a_wrong_key_is_quoted(engine, sandbox, connect, capfd):
    connect("stripe", password=WRONG_KEY)
    message = "Invalid API Key provided: sk_test_*******************9xQz"
    body = {"error": {"type": "invalid_request_error", "message": message}}
    sandbox.fault(effect="status", status=401, body=body, times=None)

    held = stage(engine, "stripe_default")

    assert "9xQz" not in str(held)
    assert "9xQz" not in capfd.readouterr().out
    assert advice(held, "Invalid API Key provided: [redacted]") == "correct the connection"


def test_the_key_of_an_organization_that_names_no_account_fails_before_anything_is_sent(
    engine, sandbox, connect, capfd
):
    connect("stripe", password=ORGANIZATION_KEY)

    run = engine.run(contest([case()], "stripe_default", policy=SMALL))

    assert run.state == "failed"
    assert sandbox.journal() == []
    assert "set context to the account to act for (acct_…)" in capfd.readouterr().out
