"""Batches whose records are too many for XCom: from a file of cases to the outcome, by reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from flows import SMALL, contest
from sweeping import load, write_case

from dispute_provider._evidence.record import Record
from dispute_provider._state.stores import PROGRESS
from dispute_provider._tasks import progress as batch_progress
from dispute_provider._tasks import record_lists
from dispute_provider._tasks.record_lists import records_of
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

FEW = 3


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An evidence store, into which goes what is more than a few records."""
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(folder))
    monkeypatch.setattr(record_lists, "LARGEST_LIST", FEW)
    return folder


def case(dispute: str) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": {"uncategorized_text": f"Of {dispute}."}}


def write_lines(path: Path, *lines: Any) -> str:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return str(path)


def result(engine: Any, run: Any, task: str) -> Any:
    value = engine.result(run, task)
    return json.loads(value) if isinstance(value, str) else value


def by_dispute(value: Any) -> dict[str, Record]:
    assert isinstance(value, dict), "a reference"
    assert len(json.dumps(value)) < 250
    records = list(records_of(value))
    assert value["count"] == len(records)
    return {record.dispute: record for record in records}


def test_a_file_of_cases_is_processed_by_reference_and_loses_no_dispute(
    engine, sandbox, stripe_connection, cases, store
):
    small = [f"du_small_{number}" for number in range(9)]
    large = ["du_large_1", "du_large_2"]
    for dispute in small:
        sandbox.create_dispute(api="stripe", id=dispute, amount=1200, currency="usd")
    for dispute in large:
        sandbox.create_dispute(api="stripe", id=dispute, amount=9900, currency="usd")
    path = write_lines(cases / "all.jsonl", *map(case, small), {"no": "case"}, *map(case, large))

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        chosen = [option for option in form["options"] if "du_large_1" in option]
        return {"chosen_options": chosen, "params_input": {"reject": ["du_large_2"]}}

    run = engine.run(contest([path], stripe_connection, policy=SMALL), answer)

    assert run.state == "failed", "the line that is no case needs a person"
    states = {
        dispute: str(record.state) for dispute, record in by_dispute(result(engine, run, "submit")).items()
    }
    bad = f"line 10 of {path}"[:200]
    assert states == {
        **dict.fromkeys(small, "submitted"),
        "du_large_1": "submitted",
        "du_large_2": "rejected",
        bad: "refused",
    }
    [form] = engine.forms
    assert len(form["options"]) == 2 + len(large)
    sent = [entry["dispute"] for entry in sandbox.journal() if entry["submitted"]]
    assert sorted(sent) == sorted([*small, "du_large_1"])
    staged = result(engine, run, "stage")
    assert staged["states"] == {"staged": 11, "refused": 1}
    assert {str(r.state) for r in by_dispute(result(engine, run, "review")).values()} == {
        "approved",
        "rejected",
        "refused",
    }


def test_the_state_of_a_waiting_review_is_small_too(engine, sandbox, stripe_connection, cases, store):
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    names = [f"du_{number}" for number in range(12)]
    for number, dispute in enumerate(names):
        sandbox.create_dispute(api="stripe", id=dispute, amount=9900 if number == 4 else 100, currency="usd")
    kept: list[Any] = []

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        task = form["task_instance"]
        instance = (TaskInstance.run_id == task["dag_run_id"], TaskInstance.task_id == task["task_id"])
        with create_session(scoped=False) as session:
            kept.append(session.scalar(select(TaskInstance.next_kwargs).where(*instance)))
        return {"chosen_options": form["options"][:1], "params_input": {}}

    run = engine.run(contest(list(map(case, names)), stripe_connection, policy=SMALL), answer)

    assert run.state == "success"
    [kwargs] = kept
    [shown] = kwargs["shown"]["records"]
    assert shown["dispute"] == "du_4"
    assert kwargs["shown"]["others"]["states"] == {"approved": 11}
    assert {str(r.state) for r in by_dispute(result(engine, run, "submit")).values()} == {"submitted"}


def test_a_review_with_too_many_disputes_shows_those_due_first(
    engine, sandbox, stripe_connection, cases, store, monkeypatch
):
    from dispute_provider._workflow.reviewing import review

    monkeypatch.setattr(review, "LARGEST_REVIEW", 2)
    names = [f"du_{number}" for number in range(5)]
    for number, dispute in enumerate(names):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=(9 - number) * 86_400)

    run = engine.run(
        contest(list(map(case, names)), stripe_connection),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
    )

    [form] = engine.forms
    assert "Of du_3." in form["body"] and "Of du_4." in form["body"]
    states = {name: str(record.state) for name, record in by_dispute(result(engine, run, "submit")).items()}
    assert states == {**dict.fromkeys(names[:3], "held"), **dict.fromkeys(names[3:], "submitted")}


def test_a_lost_list_of_records_sends_nothing(engine, sandbox, stripe_connection, cases, store):
    for number in range(6):
        sandbox.create_dispute(api="stripe", id=f"du_{number}", amount=100, currency="usd")
    with DAG("contest", schedule=None) as dag:
        stage = StageEvidenceOperator(
            task_id="stage", cases=[case(f"du_{number}") for number in range(6)], conn_id=stripe_connection
        )
        ask = ReviewEvidenceOperator(task_id="review", staged=stage.output, policy=SMALL)
        from airflow.sdk import task

        @task
        def spoil() -> None:
            for file in store.rglob("*"):
                if file.is_file():
                    file.write_bytes(file.read_bytes() + b"\n")

        submit = SubmitEvidenceOperator(task_id="submit", approved=ask.output)
        ask >> spoil() >> submit

    run = engine.run(dag)

    assert run.state == "failed"
    assert not any(entry["submitted"] for entry in sandbox.journal())


def test_staging_a_file_again_writes_nothing_for_staged_disputes(
    engine, sandbox, stripe_connection, cases, store
):
    names = [f"du_{number}" for number in range(8)]
    for dispute in names:
        sandbox.create_dispute(api="stripe", id=dispute)
    path = cases / "all.jsonl"
    with DAG("contest", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=[str(path)], conn_id=stripe_connection)

    write_lines(path, *map(case, names[:5]))
    assert result(engine, engine.run(dag), "stage")["states"] == {"staged": 5}
    write_lines(path, *map(case, names))
    assert result(engine, engine.run(dag), "stage")["states"] == {"staged": 8}

    written = [entry["dispute"] for entry in sandbox.journal(operation="PostDisputesDispute")]
    assert sorted(written) == names


def test_a_sweep_with_many_disputes_reviews_and_remembers_them(sweep, engine, sandbox, cases, store):
    names = [f"du_{number}" for number in range(FEW + 2)]
    for dispute in [*names, *(f"du_without_{number}" for number in range(FEW + 1))]:
        sandbox.create_dispute(api="stripe", id=dispute)
    for dispute in names:
        write_case(cases, dispute)

    run = sweep.run()

    assert run.state == "success"
    runs = engine.api.get("/api/v2/dags/dispute_review/dagRuns").json()["dag_runs"]
    [review] = [each for each in runs if each["conf"].get("staged")]
    assert sorted(by_dispute(review["conf"]["staged"])) == names
    assert sweep.run().state == "success"
    assert len(engine.api.get("/api/v2/dags/dispute_review/dagRuns").json()["dag_runs"]) == len(runs)

    ended = engine.run(
        load("dispute_review"),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
        conf=review["conf"],
    )
    assert ended.state == "success"
    assert sorted(by_dispute(result(engine, ended, "submit"))) == names


def test_a_running_task_shows_its_progress(engine, sandbox, stripe_connection, cases, store, monkeypatch):
    monkeypatch.setattr(batch_progress, "INTERVAL", 0.05)
    names = [f"du_{number}" for number in range(4)]
    for dispute in names:
        sandbox.create_dispute(api="stripe", id=dispute, amount=100, currency="usd")
    sandbox.fault(effect="delay", seconds=0.5, dispute="du_3", times=1)
    path = write_lines(cases / "all.jsonl", *map(case, names))

    run = engine.run(contest([path], stripe_connection, policy=SMALL))

    assert run.state == "success"
    place = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/stage/state-store"
    shown = engine.api.get(place).json()["task_state_store"]
    [line] = [entry["value"] for entry in shown if entry["key"] == PROGRESS.name()]
    assert line.startswith("staging: 4 done, 0 left, ")
