"""Every submission, concession and rejection leaves a receipt, in the ledger and as a file."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flows import SMALL, contest
from running import run
from support import chains_of, pass_time

from dispute_provider._ledger.stores import FolderStore
from dispute_provider.operators.moov import MoovAcceptDisputeOperator
from dispute_provider.operators.stripe import StripeCloseDisputeOperator, StripeUpdateDisputeOperator
from dispute_provider.sandbox import Sandbox

TEXT = {"stripe": "uncategorized_text", "moov": "cover-letter"}
NOTE = "Ask Ben about the blue parcel."
CHOICE = {"submitted": "Submit", "conceded": "Concede", "rejected": "Reject"}
KIND = {"submitted": "submit", "conceded": "concede", "rejected": "reject"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    pass_time(monkeypatch)


@pytest.fixture
def receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path / "receipts"))
    return tmp_path / "receipts"


def ends(sandbox: Sandbox, dispute: str) -> list[dict[str, Any]]:
    """The signed ends of a dispute's links, in the ledger at its default place."""
    paths = sorted(chains_of(sandbox).glob(f"*/{dispute}/*/*"))
    files = [json.loads(path.read_bytes())["signed"] for path in paths]
    return [signed for signed in files if signed["what"] == "end" and signed["kind"] != "stage"]


def records(engine: Any, finished: Any) -> list[dict[str, Any]]:
    value = engine.result(finished, "submit")
    return json.loads(value) if isinstance(value, str) else value


def answer(dispute: str, state: str) -> Any:
    def fill_in(form: dict[str, Any]) -> dict[str, Any]:
        [option] = [option for option in form["options"] if option.startswith(CHOICE[state])]
        fields = {"note": NOTE, **({"concede_confirm": dispute} if state == "conceded" else {})}
        return {"chosen_options": [option], "params_input": fields}

    return fill_in


@pytest.mark.parametrize("state", ["submitted", "conceded", "rejected"])
@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_each_decision_of_a_reviewer_has_a_receipt(kind, state, engine, sandbox, connect, receipts):
    dispute = sandbox.create_dispute(api=kind)["id"]
    case = {"provider": kind, "dispute": dispute, "evidence": {TEXT[kind]: "Signed for."}}

    finished = engine.run(contest([case], connect(kind)), answer(dispute, state))

    [record] = records(engine, finished)
    assert record["state"] == state
    [file] = receipts.rglob("*.json")
    [end] = ends(sandbox, dispute)
    assert (end["kind"], end["state"], end["is_settled"]) == (KIND[state], state, True)
    for receipt in (json.loads(file.read_text()), end["record"]):
        assert receipt["approval"]["responder"] == "ana (ana)"
        assert (receipt["digest"], receipt["state"]) == (record["digest"], state)
        # A receipt has the decision, without the reviewer's words.
        assert NOTE not in json.dumps(receipt)


def test_a_policys_submission_has_a_receipt(engine, sandbox, stripe_connection, receipts):
    sandbox.create_dispute(api="stripe", id="du_1", amount=1200)
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Signed for."}}
    engine.run(contest([case], stripe_connection, policy=SMALL))
    [end] = ends(sandbox, "du_1")
    assert end["record"]["approval"]["responder"] == "policy small sums"


def test_the_receipt_of_a_rejection_reports_the_evidence_put_back(
    engine, sandbox, stripe_connection, receipts, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    sandbox.create_dispute(api="stripe", id="du_1", intended_submission_method="smart_disputes")
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Signed for."}}
    dag = contest([case], stripe_connection)
    dag.get_task("stage").switch_to_manual = True
    engine.run(dag, answer("du_1", "rejected"))
    [put_back, rejected] = ends(sandbox, "du_1")
    assert [each["kind"] for each in (put_back, rejected)] == ["put back", "reject"]
    assert rejected["record"]["reason"] == "rejected; its earlier evidence was put back"


def test_a_ledger_that_cannot_be_written_does_not_undo_a_rejection(
    engine, sandbox, moov_connection, receipts, monkeypatch
):
    dispute = sandbox.create_dispute(api="moov")["id"]
    case = {"provider": "moov", "dispute": dispute, "evidence": {"cover-letter": "Signed for."}}
    create = FolderStore.create

    def fail(self: FolderStore, path: str, content: bytes) -> bool:
        if b'"kind":"reject"' in content:
            raise OSError("the disk is full")
        return create(self, path, content)

    monkeypatch.setattr(FolderStore, "create", fail)
    finished = engine.run(contest([case], moov_connection), answer(dispute, "rejected"))
    [record] = records(engine, finished)
    assert record["state"] == "rejected"
    assert "its rejection is not in the ledger" in record["notes"][-1]
    assert len([*receipts.rglob("*.json")]) == 1


def test_a_retried_rejection_has_one_receipt(engine, sandbox, stripe_connection, receipts, monkeypatch):
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute)

    def fill_in(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.fault(operation="GetDisputesDispute", dispute="du_2", effect="status", status=503, times=None)
        chosen = [option for option in form["options"] if "du_2" in option]
        return {"chosen_options": chosen, "params_input": {"reject": ["du_1"]}}

    cases = [
        {"provider": "stripe", "dispute": dispute, "evidence": {"uncategorized_text": "Signed for."}}
        for dispute in ("du_1", "du_2")
    ]
    dag = contest(cases, stripe_connection)
    dag.get_task("submit").retries, dag.get_task("submit").retry_delay = 1, timedelta(0)
    finished = engine.run(dag, fill_in)
    assert {record["state"] for record in records(engine, finished)} == {"rejected", "held"}
    assert [end["kind"] for end in ends(sandbox, "du_1")] == ["reject"]
    assert len([*receipts.rglob("*.json")]) == 1


SINGLE = {
    "conceded": ("stripe", lambda dispute: StripeCloseDisputeOperator(task_id="single", dispute=dispute)),
    "submitted": (
        "stripe",
        lambda dispute: StripeUpdateDisputeOperator(task_id="single", dispute=dispute, submit=True),
    ),
    "accepted": ("moov", lambda dispute: MoovAcceptDisputeOperator(task_id="single", dispute_id=dispute)),
}


@pytest.mark.parametrize("call", SINGLE)
def test_single_operators_write_receipts_to_the_ledger(call, sandbox, connect):
    kind, make = SINGLE[call]
    connect(kind)
    evidence = {"customer_name": "Zoë"} if kind == "stripe" else {"cover-letter": "We sent it."}
    dispute = sandbox.create_dispute(api=kind, evidence=evidence)["id"]
    run(make(dispute))
    [end] = ends(sandbox, dispute)
    assert end["state"] == ("submitted" if call == "submitted" else "conceded")
    assert end["record"]["dispute"] == dispute
    assert end["request_id"]
