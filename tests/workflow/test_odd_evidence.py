"""Odd evidence in answers: unknown kinds, files without details, items that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from flows import VERDICTS, contest
from papers import pdf

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider.operators.evidence import StageEvidenceOperator

ANY_SUM = ApprovalPolicy("any sum", {"usd": 10_000}, verdicts=VERDICTS)
FIELD = {"stripe": "uncategorized_text", "moov": "cover-letter"}


def submit_all(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {}}


def ends(engine: Any, conn_id: str, kind: str, disputes: list[str]) -> list[tuple[str, str]]:
    """State and reason of each dispute after staging, approval and submission.

    A policy approves it; a reviewer approves what has documents from outside the case.
    """
    cases = [{"provider": kind, "dispute": each, "evidence": {FIELD[kind]: "Sent."}} for each in disputes]
    run = engine.run(contest(cases, conn_id, policy=ANY_SUM), submit_all)
    records = engine.result(run, "submit")
    records = json.loads(records) if isinstance(records, str) else records
    by_id = {each["dispute"]: (each["state"], each["reason"]) for each in records}
    return [by_id[each] for each in disputes]


def test_new_fields_in_stripes_evidence_are_accepted(engine, sandbox, stripe_connection):
    edits: list[dict[str, Any]] = [
        *({"/evidence/new_kind": value} for value in (5, True, ["a", {"b": 1}], {"a": [1]}, "text", 1e300)),
        {"/evidence/enhanced_evidence": {"new_programme": {"statement": "Ours."}}},
        {"/evidence/enhanced_evidence": {"visa_compliance": {"fee_acknowledged": None}}},
        {"/evidence_details/enhanced_eligibility": {"new_programme": "x", "other": {"status": 5}}},
        {
            "/evidence_details/enhanced_eligibility": {
                "visa_compelling_evidence_3": {"status": "not_yet_known"}
            }
        },
        {"/payment_method_details": None},
        {"/payment_method_details": {"type": "new_wallet", "new_wallet": [1]}},
    ]
    disputes = [sandbox.create_dispute(api="stripe", amount=100)["id"] for _ in edits]
    for dispute, edit in zip(disputes, edits, strict=True):
        sandbox.odd(of=dispute, set=edit)
    found = ends(engine, stripe_connection, "stripe", disputes)
    assert [(edit, end) for edit, end in zip(edits, found, strict=True) if end[0] != "submitted"] == []


def test_an_expanded_file_needs_only_its_id(engine, sandbox, stripe_connection):
    made = [
        sandbox.create_dispute(api="stripe", amount=100, evidence={"receipt": {"filename": "r.pdf"}})
        for _ in range(4)
    ]
    deleted, bare, absent, nameless = made
    file = {each["id"]: each["evidence"]["receipt"] for each in made}
    sandbox.odd(of=file[deleted["id"]], set={"": {"id": file[deleted["id"]], "deleted": True}})
    sandbox.odd(
        of=file[bare["id"]], set={"/size": "large", "/expires_at": "never", "/type": 7}, remove=["/url"]
    )
    sandbox.odd(of=absent["id"], set={"/evidence/receipt": None})
    sandbox.odd(of=file[nameless["id"]], remove=["/id"])
    found = ends(engine, stripe_connection, "stripe", [each["id"] for each in made])
    assert [state for state, _ in found] == ["submitted", "submitted", "submitted", "held"]
    assert "/evidence/receipt/id is missing" in found[3][1]


def test_an_odd_item_of_moovs_evidence_stops_only_its_dispute(engine, sandbox, moov_connection):
    fine: list[dict[str, Any]] = [
        {"set": {"/createdOn": None, "/updatedOn": 5, "/submittedOn": None, "/size": None}},
        {"remove": ["/createdOn", "/updatedOn", "/disputeID"]},
        {"set": {"/evidenceType": "of-a-later-version", "/mimeType": 7, "/filename": [1]}},
        {"set": {"/text": None}},
    ]
    unusable: dict[str, dict[str, Any]] = {
        "/0/evidenceType is missing": {"remove": ["/evidenceType"]},
        "/0/evidenceID": {"set": {"/evidenceID": "no uuid"}},
        "/0/text": {"set": {"/text": {"said": "Paid."}}},
        "/0 is empty": {"set": {"": None}},
    }
    disputes = []
    for edit in (*fine, *unusable.values()):
        made = sandbox.create_dispute(api="moov", amount=100, evidence={"receipt": "Paid."})
        sandbox.odd(of=made["evidence"][0]["evidenceID"], **edit)
        disputes.append(made["id"])
    found = ends(engine, moov_connection, "moov", disputes)
    assert [state for state, _ in found] == ["submitted"] * len(fine) + ["held"] * len(unusable)
    for (_, reason), pointer in zip(found[len(fine) :], unusable, strict=True):
        assert pointer in reason


@pytest.mark.parametrize("spelling", ["filename", "fileName"])
def test_a_document_at_moov_is_recognised_by_either_spelling_of_its_name(
    spelling, engine, sandbox, moov_connection, cases
):
    (Path(cases) / "receipt.pdf").write_bytes(pdf())
    dispute = sandbox.create_dispute(api="moov", amount=100)["id"]
    case = {"provider": "moov", "dispute": dispute, "evidence": {"receipt": {"file": "receipt.pdf"}}}

    def stage() -> None:
        with DAG("stage_only", schedule=None) as dag:
            StageEvidenceOperator(task_id="stage", cases=[case], conn_id=moov_connection, folder=str(cases))
        assert engine.run(dag).state == "success"

    stage()
    [item] = sandbox.dispute(dispute)["evidence"]
    if spelling == "fileName":
        edit = {"remove": ["/filename"], "set": {"/fileName": item["filename"]}}
        sandbox.odd(of=item["evidenceID"], **edit)
    stage()
    assert len(sandbox.journal(operation="uploadDisputeEvidenceFile")) == 1
