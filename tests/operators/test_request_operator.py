"""The operator behind the forms for single requests: what it shows, sends, and keeps to itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from running import run
from support import Connect

from dispute_provider._contracts import contract
from dispute_provider.exceptions import InvalidRequestError, NotFoundError
from dispute_provider.operators.request import RequestOperator, form
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_SECRET_KEY, Sandbox

TEXT = "It's a \"mug\"\nof Zoë's"


def request(operation_id: str, **typed: Any) -> Any:
    """Return the result of a run whose form has its defaults except for the given values."""
    api = next(api for api in ("stripe", "moov") if operation_id in contract.load(api).operations)
    params = {name: param.value for name, param in form(contract.load(api)[operation_id]).items()} | typed
    operator = RequestOperator(
        task_id="request", api=api, operation_id=operation_id, operator="a.module.Class"
    )
    return run(operator, params=params)


@pytest.mark.parametrize(
    ("api", "operation_id"),
    [(api, name) for api in ("stripe", "moov") for name in contract.load(api).operations],
)
def test_the_form_as_it_stands_can_be_sent(
    api: str, operation_id: str, sandbox: Sandbox, connect: Connect
) -> None:
    """What the examples fill in breaks no limit, and nothing goes out."""
    connect(api)
    shown = request(operation_id)
    assert shown["violations"] == []
    assert shown["sent"] is False
    assert sandbox.journal() == []


class TestShown:
    def test_every_violation(self, sandbox: Sandbox, stripe_connection: str) -> None:
        shown = request(
            "PostDisputesDispute",
            **{"dispute": "a/b", "evidence.customer_name": "x" * 5001, "metadata": {"k": "v" * 501}},
        )
        assert [violation.partition(":")[0] for violation in shown["violations"]] == [
            "/dispute",
            "/evidence/customer_name",
            "/metadata/k",
        ]
        assert (shown["curl"], shown["body"]) == ("", [])

    def test_texts_only_where_they_are_asked_for(
        self, stripe_connection: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        typed = {"evidence.product_description": TEXT}
        masked = request("PostDisputesDispute", **typed)
        assert "mug" not in capsys.readouterr().out
        shown = request("PostDisputesDispute", **typed, show_texts=True)
        log = capsys.readouterr().out
        assert """evidence[product_description]=It's a "mug"\\nof Zoë's""" in log
        assert """'product_description': 'It\\'s a "mug"\\nof Zoë\\'s'""" in log
        # The XCom is the same either way.
        assert shown == masked
        assert "mug" not in json.dumps(shown)

    def test_the_calls_to_paste(self, moov_connection: str) -> None:
        shown = request("updateDisputeEvidence", evidenceType="cover-letter", accountID=MOOV_ACCOUNT)
        assert shown["python"].splitlines() == [
            "from a.module import Class",
            "",
            "Class(",
            "    task_id='update_an_item_of_evidence',",
            "    conn_id='moov_default',",
            f"    account_id='{MOOV_ACCOUNT}',",
            "    dispute_id='c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10',",
            "    evidence_id='0d3c3b52-91a4-4a5e-b7c1-7f2c9d1e4a33',",
            "    evidence_type='cover-letter',",
            ")",
        ]
        compile(shown["python"], "pasted", "exec")
        assert shown["curl"].endswith("""--data-raw '{"evidenceType":"cover-letter"}'""")
        assert '-u "$MOOV_PUBLIC_KEY:$MOOV_SECRET_KEY"' in shown["curl"]

    def test_without_a_connection(self, sandbox: Sandbox) -> None:
        shown = request("GetDisputes", conn_id="missing")
        assert shown["url"] == "https://api.stripe.com/v1/disputes"
        assert shown["violations"][0].startswith("/conn_id: ")

    def test_a_key_that_a_minted_token_replaces(self, sandbox: Sandbox, connect: Connect) -> None:
        connect("moov", extra={"account": MOOV_ACCOUNT, "auth": "oauth2"})
        assert request("getAccount")["headers"]["Authorization"] == "Bearer [redacted: a secret]"
        assert request("createAccessToken")["headers"]["Authorization"] == "Basic [redacted: a secret]"
        assert sandbox.journal() == []


class TestDocuments:
    def test_a_blank_page(self, sandbox: Sandbox, moov_connection: str) -> None:
        dispute = sandbox.create_dispute(api="moov")["id"]
        result = request("uploadDisputeEvidenceFile", dry_run=False, disputeID=dispute)
        assert (result["status"], result["answer"]["filename"]) == (201, "blank.pdf")

    def test_one_of_ones_own(
        self, sandbox: Sandbox, stripe_connection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
        path = tmp_path / "label.pdf"
        path.write_bytes(b"%PDF-1.4\n%%EOF\n")
        assert request("PostFiles", dry_run=False, file=str(path))["answer"]["filename"] == "label.pdf"

    @pytest.mark.parametrize("path", ["/etc/passwd", "{root}/../outside.pdf", "{root}/missing.pdf"])
    def test_no_other_file_of_the_worker(
        self,
        path: str,
        sandbox: Sandbox,
        stripe_connection: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        root = tmp_path / "cases"
        root.mkdir()
        (tmp_path / "outside.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
        monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(root))
        path = path.format(root=root)
        with pytest.raises(InvalidRequestError):
            request("PostFiles", dry_run=False, file=path)
        (violation,) = request("PostFiles", file=path)["violations"]
        assert violation.startswith("/file: ")
        assert sandbox.journal() == []

    def test_a_download(self, sandbox: Sandbox, stripe_connection: str) -> None:
        file = request("PostFiles", dry_run=False)["answer"]["id"]
        found = request("GetFilesFileContents", dry_run=False, file=file)["answer"]
        assert found.keys() == {"sha256", "size", "content_type"}


class TestRefused:
    def test_the_log_names_the_reference(
        self, stripe_connection: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/ops/")
        for dispute, error in (("dp_nowhere", NotFoundError), ("a/b", InvalidRequestError)):
            with pytest.raises(error):
                request("GetDisputesDispute", dry_run=False, dispute=dispute)
            page = "/plugin/disputes/dispute-evidence/desk#explorer/stripe/GetDisputesDispute"
            assert (
                f"Reference of GetDisputesDispute: https://airflow.example/ops{page}"
                in capsys.readouterr().out
            )


class TestTokens:
    def test_what_is_given_stays_here(
        self, sandbox: Sandbox, connect: Connect, capsys: pytest.CaptureFixture[str]
    ) -> None:
        connect("moov", extra={"account": MOOV_ACCOUNT, "auth": "oauth2"})
        scope = f"/accounts/{MOOV_ACCOUNT}/transfers.read"
        result = request("createAccessToken", dry_run=False, scope=scope)
        assert (result["status"], result["answer"]["scope"]) == (200, scope)
        assert result["answer"]["access_token"] == result["answer"]["refresh_token"] == "[redacted: a secret]"
        (sent,) = sandbox.journal(operation="createAccessToken")
        assert sent["headers"]["authorization"].startswith("Basic ")
        assert MOOV_SECRET_KEY not in json.dumps(result) + capsys.readouterr().out

    def test_one_is_made_to_be_revoked(self, sandbox: Sandbox, moov_connection: str) -> None:
        assert request("revokeAccessToken", dry_run=False)["status"] == 204
        (revoked,) = sandbox.journal(operation="revokeAccessToken")
        assert revoked["changed"] is True

    def test_no_form_asks_for_a_secret(self) -> None:
        for api in ("stripe", "moov"):
            for operation in contract.load(api).operations.values():
                assert not {"client_secret", "refresh_token", "token"} & form(operation).keys()


class TestConfirmed:
    def test_staging_needs_none(self, sandbox: Sandbox, stripe_connection: str) -> None:
        dispute = sandbox.create_dispute(api="stripe")["id"]
        typed = {"dry_run": False, "dispute": dispute, "evidence.customer_name": "Jane Roe"}
        assert request("PostDisputesDispute", **typed)["status"] == 200
        with pytest.raises(InvalidRequestError, match="/confirm"):
            request("PostDisputesDispute", **typed, submit=True)
        assert sandbox.dispute(dispute)["status"] == "needs_response"
        request("PostDisputesDispute", **typed, submit=True, confirm=dispute)
        assert sandbox.dispute(dispute)["status"] == "under_review"

    @pytest.mark.parametrize("operation_id", ["PostDisputesDisputeClose", "acceptDispute"])
    def test_conceding(self, operation_id: str, stripe_connection: str, moov_connection: str) -> None:
        with pytest.raises(InvalidRequestError, match="/confirm"):
            request(operation_id, dry_run=False)
        named = {"dispute": "dp_nowhere", "confirm": "dp_nowhere"}
        if operation_id == "PostDisputesDisputeClose":
            with pytest.raises(NotFoundError):
                request(operation_id, dry_run=False, **named)
