"""A text that its API does not take becomes a document, is reviewed, and is sent as it was reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from dispute_provider._evidence.record import Record
from dispute_provider._state import evidence_store
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

MOOV = "04c2664e-e55c-545c-8673-a0a201003253"
LETTER = "The lamp was delivered on 12 November and signed for by the customer. " * 12
TEMPLATE = """
provider: moov
evidence:
  cover-letter: "{{ letter }}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "shop.yaml").write_text(TEMPLATE)
    (tmp_path / "mail.eml").write_text(
        "From: jane@example.com\nTo: shop@example.com\n\nIt is here, thank you.\n"
    )
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    return str(tmp_path)


def contest(folder: str, api: str, **given: Any) -> DAG:
    dispute = "du_1" if api == "stripe" else MOOV
    with DAG("contest_long_texts", schedule=None) as dag:
        staged = StageEvidenceOperator(
            task_id="stage",
            cases=[{"provider": api, "dispute": dispute, **given}],
            conn_id=f"{api}_default",
            folder=folder,
        )
        review = ReviewEvidenceOperator(task_id="review", staged=staged.output)
        SubmitEvidenceOperator(task_id="submit", approved=review.output)
    return dag


def submit(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {}}


CASES = {
    "moov": ("moov", {"evidence": {"cover-letter": LETTER}}, "cover-letter has 840 characters", LETTER),
    "template": (
        "moov",
        {"template": "shop", "facts": {"letter": LETTER}},
        "cover-letter has 839 characters",
        LETTER.strip(),
    ),
    "stripe": (
        "stripe",
        {"evidence": {"access_activity_log": LETTER * 30, "customer_name": "Jane"}},
        "access_activity_log has 25,200 characters",
        LETTER * 30,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("switch", ["case", "configuration"])
def test_it_is_reviewed_and_submitted(
    name: str,
    switch: str,
    engine: Any,
    sandbox: Any,
    stripe_connection: Any,
    moov_connection: Any,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, given, said, text = CASES[name]
    sandbox.create_dispute(api=api, id="du_1" if api == "stripe" else MOOV)
    if switch == "configuration":
        monkeypatch.setenv("AIRFLOW__DISPUTE__PREPARE", "convert")
    else:
        given = {**given, "prepare": ["convert"]}
    run = engine.run(contest(folder, api, **given), submit)
    [form] = engine.forms
    body = form["body"].replace("\\", "")
    assert said in body
    assert "was prepared: converted from plain text to PDF" in body
    [record] = map(Record.from_dict, engine.result(run, "submit"))
    assert record.state == "submitted"
    [sent] = record.documents.values()
    assert (evidence_store.get(sent) or b"").startswith(b"%PDF")
    assert (evidence_store.get(record.originals[sent]) or b"").decode("utf-8-sig") == text
    assert not any(each.startswith("Access activity log") for each in record.missing)


def test_without_the_switch_it_is_refused(
    engine: Any, sandbox: Any, moov_connection: Any, folder: str
) -> None:
    sandbox.create_dispute(api="moov", id=MOOV)
    [record] = engine.result(engine.run(contest(folder, "moov", evidence={"cover-letter": LETTER})), "stage")
    assert record["state"] == "refused"
    assert "has 840 characters; at most 750 are allowed: shorten it, or switch it on" in record["reason"]
    assert "prepare: [convert]" in record["reason"]


@pytest.mark.parametrize("provider", ["stripe", "moov"])
def test_an_email_is_reviewed_and_submitted(
    provider: str, engine: Any, sandbox: Any, stripe_connection: Any, moov_connection: Any, folder: str
) -> None:
    sandbox.create_dispute(api=provider, id="du_1" if provider == "stripe" else MOOV)
    field = "customer_communication" if provider == "stripe" else "customer-communication"
    given = {"evidence": {field: {"file": "mail.eml"}}, "prepare": ["convert"]}
    run = engine.run(contest(folder, provider, **given), submit)
    [form] = engine.forms
    assert "mail.eml was prepared: converted from e-mail to PDF" in form["body"].replace("\\", "")
    [record] = map(Record.from_dict, engine.result(run, "submit"))
    assert record.state == "submitted"
    assert (
        evidence_store.get(next(iter(record.originals.values()))) == (Path(folder) / "mail.eml").read_bytes()
    )
