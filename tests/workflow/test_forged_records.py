"""Records edited in each of their fields, or copied from elsewhere, at every handover between tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import DAG, task
from flows import SMALL
from forging import CONTROLS, Data, expected, fields_without_a_forgery, forged, refused
from sweeping import load

from dispute_provider._state import evidence_store
from dispute_provider._state.sweep_store import REMINDED, REVIEWED
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)
from dispute_provider.operators.remind import RemindOperator
from dispute_provider.operators.sweep import OpenReviewOperator, RememberReviewOperator

CASE = {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Delivered."}}


@pytest.fixture(autouse=True)
def _dispute(sandbox: Any) -> None:
    sandbox.create_dispute(api="stripe", id="du_1", amount=100)


def result(engine: Any, run: Any, task_id: str) -> Any:
    value = engine.result(run, task_id)
    return json.loads(value) if isinstance(value, str) else value


@pytest.fixture
def staged(engine: Any, stripe_connection: str) -> Data:
    """A record as staging hands it on."""
    with DAG("stage", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[CASE], conn_id=stripe_connection)
    [record] = result(engine, engine.run(dag), "stage")
    return dict(record)


def contest(given: Any, conn_id: str = "", after: str = "") -> DAG:
    """Review, submit, outcome; what the task ``after`` returns is replaced by forgeries of it."""

    @task(show_return_value_in_logs=False)
    def edited(records: list[Data]) -> list[Data]:
        [record] = records
        return [data for _, data in forged(dict(record))]

    with DAG("contest", schedule=None) as dag:
        if conn_id:
            given = StageEvidenceOperator(task_id="stage", cases=[CASE], conn_id=conn_id).output
        given = edited(given) if after == "stage" else given
        review = ReviewEvidenceOperator(task_id="review", staged=given, policy=SMALL).output
        answers = edited(review) if after == "review" else review
        ends = SubmitEvidenceOperator(task_id="submit", approved=answers).output
        ReportOutcomeOperator(task_id="outcome", results=edited(ends) if after == "submit" else ends)
    return dag


def writes(sandbox: Any) -> list[Any]:
    return [entry for entry in sandbox.journal() if entry["method"] != "GET"]


def test_forgeries_know_every_field_of_a_record() -> None:
    assert fields_without_a_forgery() == set()


@pytest.mark.parametrize("way", ["records", "a reference"])
def test_a_run_configuration(way, engine, sandbox, staged, tmp_path, monkeypatch):
    edits = dict(forged(staged))
    given: Any = list(edits.values())
    if way == "a reference":
        monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path))
        lines = b"".join(json.dumps(data).encode() + b"\n" for data in given)
        given = {"records": evidence_store.put(lines), "count": len(edits), "states": {"staged": 10**30}}
    sandbox.clear_journal()

    run = engine.run(load("dispute_review"), conf={"staged": given})

    refused(edits, result(engine, run, "submit"))
    assert run.state == "failed"
    assert not engine.forms, "no review opens"
    assert sandbox.journal() == [], "nothing is read that a forged record names"


@pytest.mark.parametrize("after", ["stage", "review"])
def test_an_xcom(after, engine, sandbox, stripe_connection):
    run = engine.run(contest(None, stripe_connection, after))

    [honest] = result(engine, run, after)
    refused(dict(forged(honest)), result(engine, run, "submit"))
    assert run.state == "failed"
    assert len(writes(sandbox)) == 1, "but for the staging"


def test_the_xcom_that_the_outcome_reports(engine, sandbox, stripe_connection, capfd):
    run = engine.run(contest(None, stripe_connection, "submit"))

    [honest] = result(engine, run, "submit")
    assert honest["state"] == "submitted"
    edits = dict(forged(honest))
    assert run.state == "failed"
    log = capfd.readouterr().out
    assert f"{len(edits)} of {len(edits)} disputes need a person" in log
    assert "ERROR: state=submitted" not in {line.strip() for line in log.splitlines()}
    assert not CONTROLS & set(log) - {"\r", "\x1b"}, "Airflow colours its own lines"


def test_a_sweep_ignores_forged_records(engine, sandbox, stripe_connection, staged):
    class Watched(OpenReviewOperator):
        def execute(self, context: Any) -> None:
            stores = context["asset_state_store"]
            # Other tests sweep this connection as well.
            stores[REVIEWED].delete("stripe_default")
            try:
                super().execute(context)
            finally:
                before.append(stores[REVIEWED].get("stripe_default"))

    before: list[Any] = []
    edits = dict(forged(staged))
    with DAG("swept", schedule=None) as dag:
        opened = Watched(task_id="open_review", staged=list(edits.values()), conn_id=stripe_connection)
        remember = RememberReviewOperator(
            task_id="remember",
            staged=list(edits.values()),
            review=opened.output["review"],
            still_open=["du_1"],
            conn_id=stripe_connection,
            trigger_rule="none_failed",
        )
        remind = RemindOperator(
            task_id="remind",
            disputes=list(edits.values()),
            staged=[],
            conn_id=stripe_connection,
            trigger_rule="all_done",
        )
        opened >> remember >> remind
    runs = engine.api.get("/api/v2/dags/dispute_review/dagRuns").json().get("total_entries", 0)

    run = engine.run(dag)

    assert run.state == "success"
    assert engine.api.get("/api/v2/dags/dispute_review/dagRuns").json().get("total_entries", 0) == runs
    assert result(engine, run, "remind") == 0
    assert REMINDED.name and before == [None]


def test_a_forged_record_stops_no_other(engine, sandbox, stripe_connection, staged):
    edits = dict(forged(staged))

    run = engine.run(contest([*edits.values(), staged]))

    *others, honest = result(engine, run, "submit")
    assert (honest["dispute"], honest["state"]) == ("du_1", "submitted")
    refused(edits, others)


def test_records_of_another_run_are_refused(engine, sandbox, stripe_connection, staged):
    with DAG("another", schedule=None) as dag:
        review = ReviewEvidenceOperator(task_id="review", staged=[staged], policy=SMALL)
        SubmitEvidenceOperator(task_id="submit", approved=review.output)
    earlier = engine.run(dag)
    [approved], [submitted] = result(engine, earlier, "review"), result(engine, earlier, "submit")
    assert (approved["state"], submitted["state"]) == ("approved", "submitted")
    sandbox.clear_journal()

    run = engine.run(contest([approved, submitted]))

    for end in result(engine, run, "submit"):
        assert end["state"] == "refused"
        assert end["reason"].startswith("its record belongs to another run")
    assert run.state == "failed"
    assert sandbox.journal() == []


def test_a_record_of_an_earlier_step_is_no_end(engine, sandbox, stripe_connection, staged):
    with DAG("contest", schedule=None) as dag:
        review = ReviewEvidenceOperator(task_id="review", staged=[staged], policy=SMALL)
        ReportOutcomeOperator(task_id="outcome", results=review.output)
    run = engine.run(dag)
    assert [record["state"] for record in result(engine, run, "review")] == ["approved"]
    assert run.state == "failed", "approved is not sent"


def test_expected_reasons_are_distinct() -> None:
    assert len({expected(edit) for edit in ("signature: gone", "connection: another", "amount: gone")}) == 3
