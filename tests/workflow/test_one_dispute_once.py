"""One dispute in several cases: within one staging, and of several stagings in one review."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from faults_page import rows
from flows import SMALL

from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

MOOV = "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"
TEXT = {"stripe": "uncategorized_text", "moov": "cover-letter"}


def case(dispute: str, text: str = "Delivered.", provider: str = "stripe") -> dict[str, Any]:
    return {"provider": provider, "dispute": dispute, "evidence": {TEXT[provider]: text}}


def records(engine: Any, run: Any, task_id: str) -> list[dict[str, Any]]:
    value = engine.result(run, task_id)
    return json.loads(value) if isinstance(value, str) else value


def writes(sandbox: Any) -> list[str]:
    return [entry["dispute"] for entry in sandbox.journal() if entry["method"] != "GET"]


class Given:
    """Makes cases in each form, with the name of the case in a refusal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def dict(self, case: Any) -> tuple[Any, str]:
        return case, "case {} of the list"

    def file(self, case: Any, name: str = "a.json") -> tuple[Any, str]:
        path = self.folder / name
        path.write_text(json.dumps(case))
        return str(path), f"case {{}} of the list ({path})"

    def lines(self, case: Any, name: str = "all.jsonl") -> tuple[Any, str]:
        path = self.folder / name
        path.write_text("\n".join(["{broken", "", json.dumps(case)]))
        return str(path), f"item {{}} (line 3 of {path})"


def stage(cases: list[Any], conn_id: str) -> DAG:
    with DAG("stage", schedule=None) as dag:
        stage = StageEvidenceOperator(task_id="stage", cases=cases, conn_id=conn_id)
        ReportOutcomeOperator(task_id="outcome", results=stage.output)
    return dag


@pytest.mark.parametrize("second", ["dict", "file", "lines"])
@pytest.mark.parametrize("first", ["dict", "file", "lines"])
def test_two_cases_for_one_dispute_are_both_refused_and_named(
    first, second, engine, sandbox, stripe_connection, cases
):
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute)
    one, where = getattr(Given(cases), first)(case("du_1"))
    (cases / "other").mkdir()
    two, elsewhere = getattr(Given(cases / "other"), second)(case("du_1", "Another text."))

    run = engine.run(stage([one, case("du_2"), two], stripe_connection))

    refused = [r for r in records(engine, run, "stage") if r["dispute"] == "du_1"]
    assert [record["state"] for record in refused] == ["refused"] * 2
    for record in refused:
        assert where.format(1) in record["reason"]
        assert elsewhere.format(3) in record["reason"]
    assert run.state == "failed"
    assert writes(sandbox) == ["du_2"]


@pytest.mark.parametrize("form", ["file", "lines"])
def test_a_file_that_is_listed_twice_is_not_staged(form, engine, sandbox, stripe_connection, cases):
    sandbox.create_dispute(api="stripe", id="du_1")
    path, where = getattr(Given(cases), form)(case("du_1"))
    run = engine.run(stage([path, path], stripe_connection))
    refused = [record for record in records(engine, run, "stage") if record["dispute"] == "du_1"]
    assert [record["state"] for record in refused] == ["refused"] * 2
    assert all(where.format(1) in r["reason"] and where.format(2) in r["reason"] for r in refused)
    assert writes(sandbox) == []


def test_a_uuid_in_other_letters_is_the_same_dispute(engine, sandbox, moov_connection):
    sandbox.create_dispute(api="moov", id=MOOV)
    both = [case(MOOV, provider="moov"), case(MOOV.upper(), "Another text.", provider="moov")]
    run = engine.run(stage(both, moov_connection))
    assert [record["state"] for record in records(engine, run, "stage")] == ["refused"] * 2
    assert writes(sandbox) == []


def test_a_refused_case_still_counts_for_its_dispute(engine, sandbox, stripe_connection, cases):
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute)
    (cases / "broken.json").write_text('{"provider": "stripe", "dispute": "du_2", ')
    given = [
        {"provider": "stripe", "dispute": "du_1", "evidence": {"no_such_field": "x"}},
        case("du_1"),
        case("du_2"),
        str(cases / "broken.json"),
        {"provider": "stripe", "dispute": ["du_2"]},
        {**case("du_2"), "provider": "moov"},
    ]
    run = engine.run(stage(given, stripe_connection))
    states = [record["state"] for record in records(engine, run, "stage")]
    assert states == ["refused", "refused", "staged", "refused", "refused", "refused"]
    assert writes(sandbox) == ["du_2"]


@pytest.fixture
def two_stagings(engine: Any, sandbox: Any, cases: Path) -> Callable[..., Any]:
    """Two tasks that stage different cases of one dispute, one after the other, and one review of both."""

    def run(kind: str, conn_id: str, answer: Any = None, **review: Any) -> Any:
        dispute = sandbox.create_dispute(api=kind, amount=100, currency="usd")["id"]
        paths = []
        for name, text in (("old", "The first text."), ("new", "The second text.")):
            (cases / name).mkdir(exist_ok=True)
            path = cases / name / "case.json"
            path.write_text(json.dumps(case(dispute, text, kind)))
            paths.append(str(path))
        with DAG("contest", schedule=None) as dag:
            old, new = (
                StageEvidenceOperator(task_id=name, cases=[path], conn_id=conn_id, merge="overwrite")
                for name, path in zip(("old", "new"), paths, strict=True)
            )
            old >> new
            ask = ReviewEvidenceOperator(task_id="review", staged=old.output.concat(new.output), **review)
            submit = SubmitEvidenceOperator(task_id="submit", approved=ask.output)
            ReportOutcomeOperator(task_id="outcome", results=submit.output)
        return engine.run(dag, answer)

    return run


def yes(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {}}


@pytest.mark.parametrize("by", ["a person", "a policy"])
@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_two_records_of_one_dispute_get_one_question_and_one_submission(
    kind, by, two_stagings, engine, sandbox, connect
):
    decide = {"answer": yes} if by == "a person" else {"policy": SMALL}

    run = two_stagings(kind, connect(kind), **decide)

    ended = {Path(r["case"]).parent.name: r for r in records(engine, run, "submit")}
    assert {name: record["state"] for name, record in ended.items()} == {
        "old": "refused",
        "new": "submitted",
    }, "the new one is what the API holds"
    rows()["One review gets two staged records of the same dispute"].check(ended["old"])
    assert "/new/case.json" in ended["old"]["reason"]
    assert "/old/case.json" in ended["old"]["reason"]
    assert run.state == "failed"
    assert [entry["submitted"] for entry in sandbox.journal()].count(True) == 1


def test_a_duplicate_record_is_reviewed_once(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1")
    with DAG("contest", schedule=None) as dag:
        stage = StageEvidenceOperator(task_id="stage", cases=[case("du_1")], conn_id=stripe_connection)
        ask = ReviewEvidenceOperator(task_id="review", staged=stage.output.concat(stage.output))
        submit = SubmitEvidenceOperator(task_id="submit", approved=ask.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)

    run = engine.run(dag, yes)

    assert [record["state"] for record in records(engine, run, "submit")] == ["submitted"]
    assert run.state == "success"
