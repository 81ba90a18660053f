"""A document whose drawing lacks characters goes out only if the review names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from papers import without_its_font

from dispute_provider._evidence.record import Record
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

PROBLEM = "on page 1, its drawing does not show 3 characters (STSong-Light, not embedded in the file)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "signed.pdf").write_bytes(without_its_font())
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    return str(tmp_path)


def contest(folder: str, **options: Any) -> DAG:
    evidence = {"customer_name": "Zoë", "receipt": {"file": "signed.pdf"}}
    cases = [{"provider": "stripe", "dispute": "du_1", "evidence": evidence}]
    with DAG("contest_unseen", schedule=None) as dag:
        staged = StageEvidenceOperator(
            task_id="stage", cases=cases, conn_id="stripe_default", folder=folder, **options
        )
        review = ReviewEvidenceOperator(task_id="review", staged=staged.output)
        SubmitEvidenceOperator(task_id="submit", approved=review.output)
    return dag


def test_a_document_with_characters_that_are_not_drawn_is_refused_with_the_page(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: str
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    [record] = engine.result(engine.run(contest(folder)), "stage")
    assert record["state"] == "refused"
    assert f"signed.pdf: {PROBLEM}" in record["reason"]
    assert "save it with its fonts embedded" in record["reason"]
    assert not sandbox.dispute("du_1")["evidence"].get("receipt")


def test_with_allow_undrawn_the_review_names_what_it_does_not_show(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: str
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        named = [option for option in form["options"] if "NO PREVIEW: signed.pdf" in option]
        return {"chosen_options": named[:1], "params_input": {}}

    run = engine.run(contest(folder, allow_undrawn=True), answer)
    [form] = engine.forms
    assert f"Reviewers cannot see signed.pdf: {PROBLEM}" in form["body"].replace("\\", "")
    [record] = map(Record.from_dict, engine.result(run, "submit"))
    assert record.state == "submitted"
    # What can be drawn is shown.
    assert set(record.drawings) == set(record.documents.values())
