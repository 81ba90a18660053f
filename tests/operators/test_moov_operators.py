"""Moov's operators: what they put on the wire, and what each answer to a submission leads to."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from running import only, run
from support import Connect, pass_time

from dispute_provider._ledger import timing
from dispute_provider._transport import timeouts
from dispute_provider._transport.client import Client
from dispute_provider._workflow.sending import final_call
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
)
from dispute_provider.operators.moov import (
    MoovAcceptDisputeOperator,
    MoovDeleteDisputeEvidenceFileOperator,
    MoovGetAccountOperator,
    MoovGetDisputeEvidenceDataOperator,
    MoovGetDisputeEvidenceOperator,
    MoovGetDisputeOperator,
    MoovListDisputeEvidenceOperator,
    MoovListDisputesOperator,
    MoovPingOperator,
    MoovSubmitDisputeEvidenceOperator,
    MoovUpdateDisputeEvidenceOperator,
    MoovUploadDisputeEvidenceFileOperator,
    MoovUploadDisputeEvidenceTextOperator,
)
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

SUBMIT = "submitDisputeEvidence"
TEXT = "Delivered – “signed” {{ by }}\nZoë"
OTHER = "5a4db0c5-0000-4000-8000-00000000dead"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


@pytest.fixture
def dispute(sandbox: Sandbox, moov_connection: str) -> str:
    """An open dispute with a text."""
    return str(sandbox.create_dispute(api="moov", evidence={"cover-letter": "Hello"})["id"])


@pytest.fixture
def submit(dispute: str) -> MoovSubmitDisputeEvidenceOperator:
    return MoovSubmitDisputeEvidenceOperator(task_id="submit", dispute_id=dispute)


def test_submission_on_the_wire(
    sandbox: Sandbox, dispute: str, submit: MoovSubmitDisputeEvidenceOperator
) -> None:
    answer = run(submit)

    sent = only(sandbox, SUBMIT)
    assert sent["method"] == "POST"
    assert sent["path"] == f"/accounts/{MOOV_ACCOUNT}/disputes/{dispute}/evidence/submit"
    assert (sent["raw_body"], sent["content_type"]) == ("", None)
    assert sent["headers"]["x-moov-version"] == "v2024.01.00"
    assert answer["status"] == sandbox.dispute(dispute)["status"] == "under-review"


def test_version_of_the_connection(sandbox: Sandbox, connect: Connect, dispute: str) -> None:
    connect("moov", "newer", extra={"account": MOOV_ACCOUNT, "api_version": "v2026.07.00"})
    run(MoovGetDisputeOperator(task_id="read", conn_id="newer", dispute_id=dispute))
    assert only(sandbox, "getDispute")["headers"]["x-moov-version"] == "v2026.07.00"


# Each status that the operation documents in addition to 200, where nothing was done.
STATUSES: list[tuple[int, type[ApiError], dict[str, Any], str]] = [
    (400, InvalidRequestError, {"body": {"error": "not understood"}}, "response-needed"),
    (401, AuthenticationError, {}, "response-needed"),
    (403, PermissionDeniedError, {}, "response-needed"),
    (404, NotFoundError, {}, "response-needed"),
    (409, ConflictError, {"body": {"error": "not now"}}, "response-needed"),
    (429, RateLimitedError, {"headers": {"Retry-After": "0"}, "times": None}, "response-needed"),
    (500, AmbiguousError, {}, "response-needed"),
    (504, AmbiguousError, {}, "response-needed"),
]


@pytest.mark.parametrize(("status", "kind", "fault", "state"), STATUSES, ids=lambda value: str(value)[:40])
def test_refused_submission(
    status: int,
    kind: type[ApiError],
    fault: dict[str, Any],
    state: str,
    sandbox: Sandbox,
    dispute: str,
    submit: MoovSubmitDisputeEvidenceOperator,
) -> None:
    sandbox.fault(effect="status", operation=SUBMIT, status=status, **fault)

    with pytest.raises(kind) as failed:
        run(submit)

    assert type(failed.value) is kind
    sent = sandbox.journal(operation=SUBMIT)
    # After a 429 it is sent again, each time after a reading.
    assert len(sent) == (4 if status == 429 else 1)
    assert failed.value.status == status
    assert failed.value.request_id == sent[-1]["request_id"]
    assert sent[-1]["request_id"] in str(failed.value)
    assert sandbox.dispute(dispute)["status"] == state
    assert sandbox.dispute(dispute)["submissions"] == []


class TestRefusedByTheApiItself:
    def refused(self, sandbox: Sandbox, dispute: str, **given: Any) -> ApiError:
        with pytest.raises(ApiError) as failed:
            run(MoovSubmitDisputeEvidenceOperator(task_id="submit", dispute_id=dispute, **given))
        assert failed.value.request_id in {entry["request_id"] for entry in sandbox.journal()}
        return failed.value

    def test_without_evidence(self, sandbox: Sandbox, moov_connection: str) -> None:
        empty = sandbox.create_dispute(api="moov")["id"]
        assert self.refused(sandbox, empty).status == 400
        assert sandbox.dispute(empty)["status"] == "response-needed"

    def test_with_unknown_keys(self, sandbox: Sandbox, connect: Connect, dispute: str) -> None:
        connect("moov", "stranger", password="wrong")
        assert self.refused(sandbox, dispute, conn_id="stranger").status == 401

    def test_for_another_account(self, sandbox: Sandbox, dispute: str) -> None:
        assert self.refused(sandbox, dispute, account_id=OTHER).status == 403

    def test_of_an_unknown_dispute(self, sandbox: Sandbox, dispute: str) -> None:
        assert self.refused(sandbox, OTHER).status == 404

    def test_of_an_accepted_dispute(self, sandbox: Sandbox, dispute: str) -> None:
        run(MoovAcceptDisputeOperator(task_id="accept", dispute_id=dispute))
        assert isinstance(self.refused(sandbox, dispute), ConflictError)
        assert sandbox.journal(operation=SUBMIT) == []
        assert sandbox.dispute(dispute)["status"] == "accepted"

    def test_too_often(self, sandbox: Sandbox, dispute: str) -> None:
        sandbox.fault(
            effect="status", operation=SUBMIT, status=429, times=None, headers={"Retry-After": "3600"}
        )
        error = self.refused(sandbox, dispute)
        assert (error.status, error.retry_after) == (429, 3600)
        assert len(sandbox.journal(operation=SUBMIT)) == 1


class TestRetried:
    """The second try of a task knows nothing of the first, which may have been killed after it sent."""

    @pytest.fixture(autouse=True)
    def settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timeouts, "SETTLED_AFTER", 1.0)
        monkeypatch.setattr(timing, "TAKEOVER_AFTER", 1.0)
        monkeypatch.setattr(Client, "sleep", staticmethod(asyncio.sleep))

    def test_it_is_still_in_flight(
        self, sandbox: Sandbox, dispute: str, submit: MoovSubmitDisputeEvidenceOperator
    ) -> None:
        sandbox.settings(permissive=True)
        sandbox.fault(effect="delay", operation=SUBMIT, seconds=0.6)
        first = threading.Thread(target=run, args=(submit,), daemon=True)
        first.start()
        time.sleep(0.3)
        run(submit, try_number=2)
        first.join(5)
        assert len(sandbox.dispute(dispute)["submissions"]) == 1

    def test_it_was_sent(
        self, sandbox: Sandbox, dispute: str, submit: MoovSubmitDisputeEvidenceOperator
    ) -> None:
        sandbox.settings(permissive=True)
        sandbox.fault(effect="drop-after", operation=SUBMIT)
        assert run(submit)["status"] == "under-review"

        assert run(submit, try_number=2)["status"] == "under-review"
        assert len(sandbox.dispute(dispute)["submissions"]) == 1

    def test_it_was_not_sent(
        self, sandbox: Sandbox, dispute: str, submit: MoovSubmitDisputeEvidenceOperator
    ) -> None:
        sandbox.fault(effect="drop-before", operation=SUBMIT)
        with pytest.raises(AmbiguousError):
            run(submit)

        assert run(submit, try_number=2)["status"] == "under-review"
        assert len(sandbox.dispute(dispute)["submissions"]) == 1

    def test_nobody_can_tell(
        self, sandbox: Sandbox, dispute: str, submit: MoovSubmitDisputeEvidenceOperator
    ) -> None:
        run(submit)
        sandbox.edit_dispute(dispute, status="response-needed")
        with pytest.raises(AmbiguousError, match="this try sent nothing"):
            run(submit, try_number=2)
        assert len(sandbox.journal(operation=SUBMIT)) == 1

    def test_accepted_before(self, sandbox: Sandbox, dispute: str) -> None:
        accept = MoovAcceptDisputeOperator(task_id="accept", dispute_id=dispute)
        run(accept)
        assert run(accept, try_number=2)["status"] == "accepted"
        assert len(sandbox.journal(operation="acceptDispute")) == 1


def test_a_text_arrives_as_it_is(sandbox: Sandbox, dispute: str) -> None:
    operator = MoovUploadDisputeEvidenceTextOperator(
        task_id="text", dispute_id=dispute, text=TEXT, evidence_type="other"
    )
    answer = run(operator)

    sent = only(sandbox, "uploadDisputeEvidenceText")
    expected = '{"evidenceType":"other","text":"Delivered – “signed” {{ by }}\\nZoë"}'
    assert (sent["raw_body"], sent["content_type"]) == (expected, "application/json")
    assert sandbox.dispute(dispute)["evidence"][-1]["text"] == TEXT
    assert answer["text"] == f"[redacted: {len(TEXT)} characters]"
    assert TEXT not in json.dumps(answer)


def test_an_item_is_changed_read_and_deleted(sandbox: Sandbox, dispute: str) -> None:
    item = sandbox.dispute(dispute)["evidence"][0]["evidenceID"]
    ids = {"dispute_id": dispute, "evidence_id": item}
    run(MoovUpdateDisputeEvidenceOperator(task_id="change", **ids, text="New"))
    assert only(sandbox, "updateDisputeEvidence")["raw_body"] == '{"text":"New"}'
    assert only(sandbox, "updateDisputeEvidence")["method"] == "PATCH"
    assert sandbox.dispute(dispute)["evidence"][0]["text"] == "New"
    read = MoovGetDisputeEvidenceOperator(task_id="read", **ids, return_evidence=True)
    assert run(read)["text"] == "New"
    assert [
        each["text"] for each in run(MoovListDisputeEvidenceOperator(task_id="l", dispute_id=dispute))
    ] == ["[redacted: 3 characters]"]
    assert run(MoovDeleteDisputeEvidenceFileOperator(task_id="delete", **ids)) is None
    assert sandbox.dispute(dispute)["evidence"] == []


def test_a_document_goes_up_and_comes_back(sandbox: Sandbox, dispute: str, tmp_path: Path) -> None:
    content = b"\xff\xd8\xff\xe0 a photograph"
    (tmp_path / "photo of door.bin").write_bytes(content)
    upload = MoovUploadDisputeEvidenceFileOperator(
        task_id="up", dispute_id=dispute, file=f"file://{tmp_path}/photo of door.bin", evidence_type="receipt"
    )
    item = run(upload)["evidenceID"]

    sent = only(sandbox, "uploadDisputeEvidenceFile")["body"]
    assert sent["evidenceType"] == "receipt"
    assert sent["file"]["content_type"] == "image/jpeg"
    download = MoovGetDisputeEvidenceDataOperator(
        task_id="down", dispute_id=dispute, evidence_id=item, save_to=str(tmp_path / "back.jpg")
    )
    found = run(download)
    assert (tmp_path / "back.jpg").read_bytes() == content
    assert found == {
        "sha256": sent["file"]["sha256"],
        "size": len(content),
        "content_type": "image/jpeg",
        "path": str(tmp_path / "back.jpg"),
    }


def test_lists_and_filters(sandbox: Sandbox, dispute: str) -> None:
    found = run(
        MoovListDisputesOperator(
            task_id="list", status="response-needed", dispute_ids=[dispute, OTHER], count=5, skip=0
        )
    )
    assert [each["disputeID"] for each in found] == [dispute]
    sent = only(sandbox, "listDisputes")
    assert sent["query"] == f"status=response-needed&disputeIDs={dispute}%2C{OTHER}&count=5&skip=0"


def test_account_and_ping(moov_connection: str) -> None:
    assert run(MoovGetAccountOperator(task_id="account"))["mode"] == "sandbox"
    assert run(MoovPingOperator(task_id="ping")) is None


def test_oauth(sandbox: Sandbox, connect: Connect, dispute: str) -> None:
    connect("moov", "tokens", extra={"account": MOOV_ACCOUNT, "auth": "oauth2"})
    run(MoovSubmitDisputeEvidenceOperator(task_id="submit", conn_id="tokens", dispute_id=dispute))
    assert only(sandbox, SUBMIT)["headers"]["authorization"].startswith("Bearer ")


def test_production_is_chosen_by_name(sandbox: Sandbox, connect: Connect, dispute: str) -> None:
    """Keys of a production account on a connection in sandbox mode change nothing."""
    sandbox.add_account(api="moov", id=OTHER, livemode=True, keys={"live_public": "live_secret"})
    connect("moov", "mixed", login="live_public", password="live_secret", extra={"account": OTHER})
    with pytest.raises(Exception, match="production mode"):
        run(MoovSubmitDisputeEvidenceOperator(task_id="submit", conn_id="mixed", dispute_id=dispute))
    assert sandbox.journal(operation=SUBMIT) == []
