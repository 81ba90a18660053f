from __future__ import annotations

import json

import httpx
import pytest
from moov_calls import (
    JPEG,
    PDF,
    PNG,
    TIFF,
    dispute_of,
    file,
    keeps_contract,
    text,
)

from dispute_provider.sandbox import Sandbox

# --- evidence


def test_evidence_is_stored_changed_read_and_deleted(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    written = text(moov, path, "Ö\n")
    keeps_contract(written, "/{disputeID}/evidence-text", "post")
    sent = file(moov, path, TIFF, "image/tiff", "other")
    keeps_contract(sent, "/{disputeID}/evidence-file", "post")
    assert (written.status_code, sent.status_code) == (201, 201)
    assert (sent.json()["filename"], sent.json()["size"], sent.json()["mimeType"]) == (
        "r.pdf",
        24,
        "image/tiff",
    )
    one, other = (f"{path}/evidence/{item.json()['evidenceID']}" for item in (written, sent))
    sandbox.clock(advance=10)
    changed = moov.patch(one, json={"text": "Ü", "evidenceType": "cover-letter"})
    keeps_contract(changed, "/{disputeID}/evidence/{evidenceID}", "patch")
    assert changed.json()["updatedOn"] > changed.json()["createdOn"]
    keeps_contract(moov.get(one), "/{disputeID}/evidence/{evidenceID}", "get")
    listed = moov.get(f"{path}/evidence")
    keeps_contract(listed, "/{disputeID}/evidence", "get")
    assert [item.get("text") for item in listed.json()] == ["Ü", None]
    data = moov.get(f"{other}/data")
    assert (data.content, data.headers["content-type"]) == (TIFF, "image/tiff")
    assert moov.get(f"{one}/data").status_code == 404
    assert moov.patch(other, json={"text": "x"}).status_code == 400
    gone = moov.delete(one)
    assert (gone.status_code, gone.content) == (204, b"")
    keeps_contract(gone, "/{disputeID}/evidence/{evidenceID}", "delete")
    assert moov.get(one).status_code == moov.delete(one).status_code == 404


@pytest.mark.parametrize(
    ("content", "mime", "kind", "wrong"),
    [
        (PDF, "application/pdf", "cancellation-policy", {"evidenceType"}),
        (PDF, "application/octet-stream", "receipt", {"file"}),
        (PDF, "image/jpeg", "receipt", {"file"}),
        (PNG, "image/png", "receipt", {"file"}),
        (PNG, "image/jpeg", "x", {"file", "evidenceType"}),
        (b"", "application/pdf", "receipt", {"file"}),
        (PDF + bytes(4_000_001 - len(PDF)), "application/pdf", "receipt", {"file"}),
    ],
)
def test_a_bad_file_is_422(
    sandbox: Sandbox, moov: httpx.Client, content: bytes, mime: str, kind: str, wrong: set[str]
) -> None:
    path = dispute_of(sandbox)
    answer = file(moov, path, content, mime, kind)
    assert (answer.status_code, set(answer.json())) == (422, wrong)
    keeps_contract(answer, "/{disputeID}/evidence-file", "post")
    assert moov.get(f"{path}/evidence").json() == []


def test_accepted_files(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    assert file(moov, path, JPEG, "image/jpeg").status_code == 201
    assert file(moov, path, PDF + bytes(4_000_000 - len(PDF))).status_code == 201
    parts = {"file": ("r.pdf", PDF, "application/pdf")}
    data = {"evidenceType": "receipt", "colour": "red"}
    assert moov.post(f"{path}/evidence-file", data=data, files=parts).status_code == 400
    assert moov.post(f"{path}/evidence-file", json={}).status_code == 400
    assert moov.post(f"{path}/evidence-file", files=parts).status_code == 422
    assert moov.post(f"{path}/evidence-file", data={"evidenceType": "receipt"}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"[]",
        b"{}",
        b'{"text":"x"}',
        b'{"text":"","evidenceType":"receipt"}',
        b'{"text":1,"evidenceType":"receipt"}',
        b'{"text":"x","evidenceType":"png"}',
        b'{"text":"x","evidenceType":"receipt","colour":"red"}',
        json.dumps({"text": "😀" * 375 + "x", "evidenceType": "receipt"}).encode(),
    ],
)
def test_a_bad_text_is_400(sandbox: Sandbox, moov: httpx.Client, body: bytes) -> None:
    path = dispute_of(sandbox)
    headers = {"Content-Type": "application/json"}
    answer = moov.post(f"{path}/evidence-text", content=body, headers=headers)
    assert answer.status_code == 400
    keeps_contract(answer, "/{disputeID}/evidence-text", "post")


def test_limits_of_a_text(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    assert text(moov, path, "😀" * 375).status_code == 201
    assert text(moov, path, "x" * 751).status_code == 400
    item = f"{path}/evidence/{moov.get(f'{path}/evidence').json()[0]['evidenceID']}"
    assert moov.patch(item, json={"text": "x" * 751}).status_code == 400
    assert moov.patch(item, json={"evidenceType": "x"}).status_code == 400
    assert moov.patch(item, json={}).status_code == 400


def test_a_bad_multipart_is_400(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=b"):
        answer = moov.post(f"{path}/evidence-file", content=b"x", headers={"Content-Type": kind})
        assert answer.status_code == 400


# --- submitting


def test_submit_once(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    submit = f"{path}/evidence/submit"
    nothing = moov.post(submit)
    assert (nothing.status_code, list(nothing.json())) == (400, ["error"])
    item = text(moov, path).json()["evidenceID"]
    assert moov.post(submit, json={}).status_code == 400
    assert moov.get(path).json()["status"] == "response-needed"
    done = moov.post(submit)
    keeps_contract(done, "/{disputeID}/evidence/submit", "post")
    assert (done.json()["status"], "submittedOn" in done.json()) == ("under-review", True)
    assert moov.get(f"{path}/evidence/{item}").json()["submittedOn"] == done.json()["submittedOn"]
    for refused in (moov.post(submit), text(moov, path), file(moov, path), moov.post(f"{path}/accept")):
        assert (refused.status_code, list(refused.json())) == (409, ["error"])
    assert moov.delete(f"{path}/evidence/{item}").status_code == 409
    assert moov.patch(f"{path}/evidence/{item}", json={"text": "x"}).status_code == 400
    assert len(sandbox.dispute(path[10:])["submissions"]) == 1
    assert [entry["submitted"] for entry in sandbox.journal(operation="submitDisputeEvidence")] == [
        False, False, True, False,
    ]  # fmt: skip


def test_a_new_stage_is_submitted_again(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox, phase="inquiry", evidence={"cover-letter": "We sent it."})
    first = moov.post(f"{path}/evidence/submit").json()
    sandbox.clock(advance=3600)
    sandbox.edit_dispute(path[10:], reopen=True)
    opened = moov.get(path).json()
    assert (opened["status"], opened["phase"]) == ("response-needed", "chargeback")
    assert opened["submittedOn"] == first["submittedOn"]
    assert opened["respondBy"] > first["respondBy"]
    assert moov.post(f"{path}/evidence/submit").json()["submittedOn"] > first["submittedOn"]
    stages = [item["stage"] for item in sandbox.dispute(path[10:])["submissions"]]
    assert stages == ["inquiry", "chargeback"]


def test_settings_of_submit(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox, evidence={"receipt": {"filename": "r.pdf"}})
    sandbox.settings(stale_submit=True, permissive=True)
    assert moov.post(f"{path}/evidence/submit").json()["status"] == "response-needed"
    assert moov.get(path).json()["status"] == "under-review"
    assert moov.post(f"{path}/evidence/submit").status_code == 200
    assert len(sandbox.dispute(path[10:])["submissions"]) == 2


@pytest.mark.parametrize("status", ["accepted", "expired", "closed", "resolved", "won", "lost"])
def test_terminal_is_409(sandbox: Sandbox, moov: httpx.Client, status: str) -> None:
    sandbox.settings(permissive=True)
    path = dispute_of(sandbox, status=status, evidence={"receipt": "x"})
    for answer in (moov.post(f"{path}/evidence/submit"), moov.post(f"{path}/accept"), text(moov, path)):
        assert answer.status_code == 409


def test_accept_expiry_and_outcome(sandbox: Sandbox, moov: httpx.Client) -> None:
    accepted, late, decided = (
        dispute_of(sandbox, due_in=60, outcome="won", evidence={"receipt": "x"}) for _ in range(3)
    )
    assert moov.post(f"{accepted}/accept", json={}).status_code == 400
    done = moov.post(f"{accepted}/accept")
    keeps_contract(done, "/{disputeID}/accept", "post")
    assert done.json()["status"] == "accepted"
    moov.post(f"{decided}/evidence/submit")
    sandbox.clock(advance=60)
    assert moov.get(late).json()["status"] == "expired"
    assert moov.get(decided).json()["status"] == "won"
    assert moov.post(f"{late}/evidence/submit").status_code == 409
