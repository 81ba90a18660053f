"""Records that are edited between tasks: in an XCom, or in the configuration of a review's run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, task
from msgspec import to_builtins
from msgspec.structs import replace
from sweeping import load

from dispute_provider import records_of
from dispute_provider._tasks.signing import STAGED, Signer
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

Record = dict[str, Any]
Edit = Callable[[Record], Any]


def added(name: str) -> Record:
    return {"name": name, "kind": "added"}


EDITS: dict[str, Edit] = {
    "a field to clear": lambda r: r["differences"].append(added("customer_name")),
    "automatic submission": lambda r: r.update(automatic="smart_disputes"),
    "both": lambda r: r.update(
        automatic="smart_disputes", differences=[*r["differences"], added("customer_name")]
    ),
    "what was there before": lambda r: r.update(automatic="prefer_smart_disputes", earlier="0" * 64),
    "no documents": lambda r: r.update(automatic="smart_disputes", documents={"file_1": "0" * 64}),
}


@pytest.fixture
def connection(connect: Any) -> str:
    return connect("stripe")


def untouched(record: Record) -> None:
    """Leave a record unchanged."""


def contest(conn_id: str, edit: Edit) -> DAG:
    """Stage, review, edit what the review returned, submit, outcome."""
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Delivered."}}
    with DAG("contest", schedule=None) as dag:
        stage = StageEvidenceOperator(
            task_id="stage", cases=[case], conn_id=conn_id, switch_to_manual=True, merge="overwrite"
        )
        review = ReviewEvidenceOperator(task_id="review", staged=stage.output)

        @task(show_return_value_in_logs=False)
        def edited(records: list[Record]) -> list[Record]:
            records = list(records)
            for record in records:
                edit(record)
            return records

        submit = SubmitEvidenceOperator(task_id="submit", approved=edited(review.output))
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag


def staged(engine: Any, conn_id: str) -> list[Record]:
    """What staging hands on, as the sweep puts it into the configuration of a review's run."""
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Delivered."}}
    with DAG("stage", schedule=None) as dag:
        StageEvidenceOperator(
            task_id="stage", cases=[case], conn_id=conn_id, switch_to_manual=True, merge="overwrite"
        )
    return records(engine, engine.run(dag), "stage")


def records(engine: Any, run: Any, task_id: str = "submit") -> list[Record]:
    value = engine.result(run, task_id)
    return json.loads(value) if isinstance(value, str) else value


def choose(start: str) -> Callable[[Any], Any]:
    def answer(form: dict[str, Any]) -> dict[str, Any]:
        return {"chosen_options": [o for o in form["options"] if o.startswith(start)], "params_input": {}}

    return answer


def writes(sandbox: Any) -> list[Any]:
    return [entry["body"] for entry in sandbox.journal() if entry["method"] != "GET"]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_rejection_changes_nothing_at_the_api(edit, engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1", evidence={"customer_name": "A colleague's"})

    run = engine.run(contest(connection, EDITS[edit]), choose("Reject"))

    [record] = records(engine, run)
    assert record["state"] == "refused"
    assert "edited after it was signed" in record["reason"]
    assert "review it again" in record["reason"]
    assert run.state == "failed", "a person must check it"
    assert len(writes(sandbox)) == 1, "but for the staging"
    assert sandbox.dispute("du_1")["evidence"]["customer_name"] == "A colleague's"


def test_an_edited_held_record_puts_nothing_back(engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1", intended_submission_method="smart_disputes")
    promote = contest(connection, lambda record: record.update(state="rejected"))

    run = engine.run(promote, choose("Hold"))

    assert [record["state"] for record in records(engine, run)] == ["refused"]
    assert len(writes(sandbox)) == 1, "but for the staging"
    assert sandbox.dispute("du_1")["object"]["intended_submission_method"] == "manual"


def test_an_unedited_rejection_is_put_back(engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1", intended_submission_method="smart_disputes")

    run = engine.run(contest(connection, untouched), choose("Reject"))

    [record] = records(engine, run)
    assert record["state"] == "rejected"
    assert "put back" in record["reason"]
    assert run.state == "success"
    assert sandbox.dispute("du_1")["object"]["intended_submission_method"] == "smart_disputes"
    assert not sandbox.dispute("du_1")["evidence"].get("uncategorized_text")


@pytest.mark.parametrize("edit", [*EDITS, "who prepared it", "the verdict"])
def test_a_review_refuses_records_that_were_edited_in_its_configuration(edit, engine, sandbox, connection):
    edits = {
        **EDITS,
        "who prepared it": lambda r: r.update(prepared_by="another user"),
        "the verdict": lambda r: r.update(verdict="ready", missing=[]),
    }
    sandbox.create_dispute(api="stripe", id="du_1", evidence={"customer_name": "A colleague's"})
    given = staged(engine, connection)
    edits[edit](given[0])
    sandbox.clear_journal()

    run = engine.run(load("dispute_review"), choose("Reject"), conf={"staged": given})

    [record] = records(engine, run)
    assert record["state"] == "refused"
    assert "edited after it was signed" in record["reason"]
    assert "stage it again" in record["reason"]
    assert run.state == "failed"
    assert not engine.forms, "no review opens"
    assert writes(sandbox) == []


@pytest.mark.parametrize("state", ["approved", "rejected"])
def test_a_run_cannot_be_started_with_forged_answers(state, engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1", evidence={"customer_name": "A colleague's"})
    given = staged(engine, connection)
    answer = {"action": "submit", "responder": "ana (1)", "responded_at": "now", "review": "review/-1/1"}
    EDITS["both"](given[0])
    given[0].update(state=state, approval=answer)
    sandbox.clear_journal()

    run = engine.run(load("dispute_review"), choose("Submit"), conf={"staged": given})

    assert [record["state"] for record in records(engine, run)] == ["refused"]
    assert run.state == "failed"
    assert writes(sandbox) == []


def test_records_of_an_earlier_version_are_staged_again(engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1")
    given = staged(engine, connection)
    for field in ("signature", "staged_as"):
        del given[0][field]

    run = engine.run(load("dispute_review"), choose("Submit"), conf={"staged": given})

    [record] = records(engine, run)
    assert record["state"] == "refused"
    assert "an earlier version made it" in record["reason"]
    assert "stage it again" in record["reason"]


def test_a_rejection_keeps_what_a_colleague_wrote_before_the_review(engine, sandbox, connection):
    sandbox.create_dispute(api="stripe", id="du_1", intended_submission_method="smart_disputes")
    given = staged(engine, connection)
    sandbox.edit_dispute("du_1", evidence={"uncategorized_text": "A colleague's"})

    run = engine.run(load("dispute_review"), choose("Reject"), conf={"staged": given})

    [record] = records(engine, run)
    assert record["state"] == "rejected"
    assert "was not put back, because it has changed since it was staged" in record["reason"]
    assert sandbox.dispute("du_1")["evidence"]["uncategorized_text"] == "A colleague's"
    assert sandbox.dispute("du_1")["object"]["intended_submission_method"] == "manual"


def test_the_review_names_foreign_evidence_in_a_record_of_an_earlier_version(engine, sandbox, connection):
    """Earlier versions called this kind of difference ``theirs``; their signatures remain valid."""
    sandbox.create_dispute(api="stripe", id="du_1", evidence={"customer_name": "A colleague's"})
    [current] = records_of(staged(engine, connection))
    former = replace(current, differences=tuple(replace(each, kind="theirs") for each in current.differences))
    signed = Signer(STAGED).sign(former)
    forms = []

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        forms.append(form)
        return choose("Submit")(form)

    run = engine.run(load("dispute_review"), answer, conf={"staged": [to_builtins(signed)]})

    assert "existing evidence, not from the case" in json.dumps(forms, default=str)
    assert records(engine, run)[0]["state"] == "submitted"
