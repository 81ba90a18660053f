"""Staging that breaks: what it replaced is not lost, and what fails for one dispute fails for it alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from papers import pdf
from running import ASSETS

from dispute_provider._state import evidence_store
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider.exceptions import TryAgainError
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

POST = "PostDisputesDispute"


@pytest.fixture
def connection(connect: Any) -> str:
    return connect("stripe")


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(folder))
    return folder


@pytest.fixture
def broken_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evidence store that cannot be written: its folder is a file."""
    file = tmp_path_factory.mktemp("store") / "a file"
    file.touch()
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(file))


def case(dispute: str = "du_1", **evidence: Any) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": evidence or {"customer_name": "Ours"}}


def contest(cases: list[Any], conn_id: str, retries: int = 0, dag_id: str = "contest", **rules: Any) -> DAG:
    rules = {"merge": "overwrite", "switch_to_manual": True, **rules}
    with DAG(dag_id, schedule=None) as dag:
        stage = StageEvidenceOperator(
            task_id="stage",
            cases=cases,
            conn_id=conn_id,
            retries=retries,
            retry_delay=timedelta(0),
            **rules,
        )
        review = ReviewEvidenceOperator(task_id="review", staged=stage.output)
        submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag


def records(engine: Any, run: Any, task_id: str = "stage") -> dict[str, Any]:
    value = engine.result(run, task_id)
    return {each["dispute"]: each for each in (json.loads(value) if isinstance(value, str) else value)}


def reject(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": [o for o in form["options"] if o.startswith("Reject")], "params_input": {}}


def hold(form: dict[str, Any]) -> dict[str, Any]:
    chosen = [o for o in form["options"] if o.startswith(("Hold", "Submit none"))]
    return {"chosen_options": chosen, "params_input": {}}


def colleagues(sandbox: Any, dispute: str = "du_1") -> None:
    sandbox.create_dispute(
        api="stripe",
        id=dispute,
        intended_submission_method="smart_disputes",
        evidence={"customer_name": "A colleague's"},
    )


def at_api(sandbox: Any, dispute: str = "du_1") -> tuple[str, str]:
    there = sandbox.dispute(dispute)
    return there["evidence"]["customer_name"], there["object"]["intended_submission_method"]


def earlier(record: dict[str, Any]) -> Any:
    return json.loads(evidence_store.get(record["earlier"]) or b"null")


@pytest.mark.parametrize("retries", [1, 0], ids=["the same task", "another run"])
@pytest.mark.parametrize("effect", ["drop-after", "truncate"])
def test_replaced_evidence_is_put_back_after_a_lost_answer_to_staging(
    effect, retries, engine, sandbox, connection, store
):
    colleagues(sandbox)
    sandbox.fault(operation=POST, effect=effect, times=1)
    dag = contest([case()], connection, retries)

    run = engine.run(dag, reject)
    if not retries:
        assert records(engine, run)["du_1"]["state"] == "held"
        run = engine.run(dag, reject)

    staged = records(engine, run)["du_1"]
    assert [(each["name"], each["kind"]) for each in staged["differences"]] == [
        ("customer_name", "overwritten")
    ]
    assert staged["automatic"] == "smart_disputes"
    assert earlier(staged) == {"customer_name": "A colleague's"}
    assert "put back" in records(engine, run, "submit")["du_1"]["reason"]
    assert at_api(sandbox) == ("A colleague's", "smart_disputes")


def test_evidence_written_between_two_tries_is_put_back(engine, sandbox, connection, store):
    colleagues(sandbox)
    sandbox.fault(operation=POST, effect="drop-after", times=1)
    cases = [case(customer_name="Ours", shipping_date="1 May")]
    dag = contest(cases, connection)
    engine.run(dag)
    sandbox.edit_dispute("du_1", evidence={"customer_name": "A third party's"})

    run = engine.run(dag, reject)

    staged = records(engine, run)["du_1"]
    assert {each["name"]: each["kind"] for each in staged["differences"]} == {
        "customer_name": "overwritten",
        "shipping_date": "added",
    }
    assert earlier(staged) == {"customer_name": "A third party's"}
    assert at_api(sandbox) == ("A third party's", "smart_disputes")


def test_our_overwritten_text_is_not_mistaken_for_the_original(engine, sandbox, connection, store):
    sandbox.create_dispute(api="stripe", id="du_1", intended_submission_method="smart_disputes")
    dag = contest([case()], connection, retries=1)
    engine.run(dag, hold)
    sandbox.edit_dispute("du_1", evidence={"customer_name": "A colleague's"})
    sandbox.fault(operation=POST, effect="drop-after", times=1)

    staged = records(engine, engine.run(dag, hold))["du_1"]

    assert [each["kind"] for each in staged["differences"]] == ["overwritten"]
    assert earlier(staged) == {"customer_name": "A colleague's"}


def test_a_replacement_is_reported_after_an_inquiry_has_become_a_chargeback(
    engine, sandbox, connection, store
):
    sandbox.create_dispute(api="stripe", id="du_1", status="warning_needs_response")
    sandbox.edit_dispute("du_1", evidence={"customer_name": "A colleague's"})
    sandbox.fault(operation=POST, effect="drop-after", times=1)
    dag = contest([case()], connection)
    assert records(engine, engine.run(dag))["du_1"]["state"] == "held"
    sandbox.edit_dispute("du_1", reopen=True)

    staged = records(engine, engine.run(dag, hold))["du_1"]

    assert staged["stage"] == "chargeback"
    assert [each["kind"] for each in staged["differences"]] == ["overwritten"]
    assert earlier(staged) == {"customer_name": "A colleague's"}


def test_a_stored_replacement_ends_with_its_staging(engine, sandbox, connection, store):
    colleagues(sandbox)
    sandbox.fault(operation=POST, effect="drop-after", times=1)
    dag = contest([case()], connection, retries=1)
    engine.run(dag, hold)
    again = records(engine, engine.run(dag, hold))["du_1"]
    assert [each["kind"] for each in again["differences"]] == ["same"]
    assert "automatic" not in again


def test_by_default_the_replaced_evidence_is_kept_in_the_ledger(engine, sandbox, connection):
    colleagues(sandbox)
    sandbox.fault(operation=POST, effect="drop-after", times=1)

    run = engine.run(contest([case()], connection, retries=1), reject)

    staged = records(engine, run)["du_1"]
    stored = Path(os.environ["AIRFLOW_HOME"], "dispute_ledger", "evidence", staged["earlier"][:2])
    assert json.loads((stored / staged["earlier"]).read_bytes()) == {"customer_name": "A colleague's"}
    assert at_api(sandbox) == ("A colleague's", "smart_disputes")


def test_without_the_copy_of_what_was_replaced_the_dispute_stays_on_manual(
    engine, sandbox, connection, store
):
    colleagues(sandbox)

    def lose_and_reject(*given: Any) -> Any:
        shutil.rmtree(store)
        return reject(*given)

    run = engine.run(contest([case()], connection), lose_and_reject)

    assert "did not clear customer_name" in records(engine, run, "submit")["du_1"]["reason"]
    assert at_api(sandbox) == ("Ours", "manual")


def test_the_log_of_a_failed_staging_names_the_remedy(engine, sandbox, connection, capfd):
    sandbox.create_dispute(api="stripe", id="du_1")
    sandbox.fault(operation=POST, effect="status", status=500, times=None)

    run = engine.run(contest([case()], connection))

    record = records(engine, run)["du_1"]
    assert record["state"] == "held"
    assert "clear the task; staging continues from what has arrived" in record["reason"]
    assert "do not resend" not in capfd.readouterr().out


@pytest.mark.usefixtures("broken_store")
def test_a_store_that_fails_for_one_dispute_loses_no_other(engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1")
    colleagues(sandbox, "du_2")
    sandbox.create_dispute(api="stripe", id="du_3")

    run = engine.run(contest([case("du_1"), case("du_2"), case("du_3")], connection), hold)

    staged = records(engine, run)
    assert {name: record["state"] for name, record in staged.items()} == {
        "du_1": "staged",
        "du_2": "held",
        "du_3": "staged",
    }
    assert "evidence_store cannot be written" in staged["du_2"]["reason"]
    assert at_api(sandbox, "du_2") == ("A colleague's", "smart_disputes"), (
        "nothing is replaced that is not kept"
    )


@pytest.mark.usefixtures("broken_store")
def test_the_review_reports_a_failing_evidence_store(engine, sandbox, connection):
    theirs = {"receipt": {"filename": "theirs.pdf", "content": pdf().decode("latin-1")}}
    sandbox.create_dispute(api="stripe", id="du_1", evidence=theirs)

    run = engine.run(contest([case("du_1")], connection), hold)

    reviewed = records(engine, run, "review")["du_1"]
    assert reviewed["state"] == "held"
    assert any("cannot be shown (receipt)" in note for note in reviewed["notes"])


def test_a_connection_that_is_gone_when_the_review_opens_holds_its_own_disputes(
    engine, sandbox, connection, connect, monkeypatch
):
    other = connect("stripe", conn_id="stripe_other")
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute)
    with DAG("contest", schedule=None) as dag:
        one = StageEvidenceOperator(task_id="one", cases=[case("du_1")], conn_id=connection)
        two = StageEvidenceOperator(task_id="two", cases=[case("du_2")], conn_id=other)

        from airflow.sdk import task

        @task
        def remove() -> None:
            monkeypatch.delenv("AIRFLOW_CONN_STRIPE_OTHER")

        review = ReviewEvidenceOperator(task_id="review", staged=one.output.concat(two.output))
        [one, two] >> remove() >> review

    run = engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    reviewed = records(engine, run, "review")
    assert {name: record["state"] for name, record in reviewed.items()} == {
        "du_1": "approved",
        "du_2": "held",
    }
    assert "stripe_other" in reviewed["du_2"]["reason"]


class Failing(dict[str, Any]):
    """A state store of an Airflow whose API server is away: it can be read, not written."""

    def set(self, key: str, value: Any, **options: Any) -> None:
        raise ConnectionError("the API server is away")

    def delete(self, key: str) -> None:
        raise ConnectionError("the API server is away")


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_failing_state_store_loses_no_record(kind, sandbox, connect):
    ids = [sandbox.create_dispute(api=kind)["id"] for _ in range(2)]
    text = {"stripe": "customer_name", "moov": "cover-letter"}[kind]
    cases = [{"provider": kind, "dispute": each, "evidence": {text: "Ours"}} for each in ids]
    with DAG("contest", schedule=None):
        operator = StageEvidenceOperator(task_id="stage", cases=cases, conn_id=connect(kind))

    def store_of(_: Any, asset: Any) -> Any:
        # Earlier tasks have noted which ledger this is.
        return ASSETS[asset] if asset.uri == LEDGER.uri else Failing()

    def execute(try_number: int) -> Any:
        instance = SimpleNamespace(task_id="stage", map_index=-1, try_number=try_number, max_tries=1)
        stores = type("Stores", (), {"__getitem__": store_of})()
        context: Any = {
            "ti": instance,
            "dag_run": SimpleNamespace(dag_id="contest", run_id="run"),
            "task_state_store": Failing(),
            "asset_state_store": stores,
        }
        return asyncio.run(operator.aexecute(context))

    with pytest.raises(TryAgainError):
        execute(1)
    # At Moov nothing is uploaded that was not recorded before.
    state = {"stripe": "staged", "moov": "held"}[kind]
    assert [record["state"] for record in execute(2)] == [state] * 2
