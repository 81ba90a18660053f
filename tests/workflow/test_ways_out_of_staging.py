"""Rows of *While staging* in ``docs/faults.md``: cause each fault, check its reason, and take the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import running
from contesting import Contest
from faults_page import rows
from intercepting import Authority, Interceptor, hide_names
from papers import pdf, seconds_to_draw, slow_to_draw
from state_stores import AssetStores
from support import Connect, memory_store

from dispute_provider._documents import renderer
from dispute_provider.exceptions import ConnectionConfigError
from dispute_provider.operators.evidence import StageEvidenceOperator
from dispute_provider.sandbox import Sandbox

ROWS = rows()
OPTIONS = {name: f"AIRFLOW__DISPUTE__{name.upper()}" for name in ("case_roots", "evidence_store")}
pytestmark = pytest.mark.usefixtures("impatient", "stripe_connection")


@pytest.fixture(autouse=True)
def _own_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ASSETS", AssetStores())


@pytest.fixture(autouse=True)
def _dispute(sandbox: Sandbox) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")


def row(start: str) -> Any:
    """Return the one row whose title begins so."""
    [found] = [row for title, row in ROWS.items() if title.startswith(start) and " … " not in title]
    return found


def case(dispute: str = "du_1", **evidence: Any) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": evidence or {"customer_name": "Zoë"}}


def stage(*cases: Any, **options: Any) -> list[dict[str, Any]]:
    operator = StageEvidenceOperator(task_id="stage", cases=list(cases), conn_id="stripe_default", **options)
    return [dict(record) for record in running.run(operator)]


def staged(*cases: Any, **options: Any) -> bool:
    return [record["state"] for record in stage(*cases, **options)] == ["staged"] * len(cases)


def test_one_of_two_cases_is_kept():
    both = stage(case(), case(customer_name="Ana"))
    for record in both:
        assert "2 cases of this task are for the same dispute: case 1 of the list" in record["reason"]
        assert "To do: keep one of them" in record["reason"]
        row("Two cases of one task").check(record, "2 cases of this task are for the same dispute")
    assert staged(case())


def test_a_page_that_cannot_be_drawn_is_printed_again(cases, monkeypatch):
    monkeypatch.setattr(renderer, "SECONDS", seconds_to_draw(1.0))
    (cases / "slow.pdf").write_bytes(slow_to_draw())
    given = case(receipt={"file": "slow.pdf"})
    [record] = stage(given, folder=str(cases))
    row("A page of a document cannot be drawn").check(record, "so the reviewer could not see it")
    problem = f"its page 1 cannot be drawn: it takes more than {renderer.SECONDS:g} seconds"
    assert f"slow.pdf: {problem}" in record["reason"]
    (cases / "slow.pdf").write_bytes(pdf())
    assert staged(given, folder=str(cases))


def test_a_wrong_case_is_corrected(sandbox):
    sandbox.create_dispute(api="stripe", id="du_2")
    wrong = case(customer_name="x" * 200_000, custommer_email="a@example.com")
    bad, good = stage(wrong, case("du_2"))
    row("One case of a batch is invalid")
    assert (bad["state"], good["state"]) == ("refused", "staged")
    assert "custommer_email" in bad["reason"]
    assert "/evidence/customer_name: has 200,000 characters" in bad["reason"]
    assert staged(case())


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [("a.json", b'{"provider": "stripe",\n', "line"), ("a.yaml", b"\xff", "UTF-8")],
)
def test_a_file_that_cannot_be_read_is_corrected(name, content, where, cases):
    path = cases / name
    path.write_bytes(content)
    [record] = stage(str(path))
    assert record["state"] == "refused"
    assert name in record["dispute"]
    assert where in record["reason"]
    path.write_text(json.dumps(case()))
    assert staged(str(path))


def test_a_case_outside_of_the_roots_gets_its_folder_added(cases, tmp_path_factory, monkeypatch):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.json").write_text(json.dumps(case()))
    [record] = stage(str(outside / "a.json"))
    row("A case, a folder or a document is outside").check(record)
    monkeypatch.setenv(OPTIONS["case_roots"], f"{cases},{outside}")
    assert staged(str(outside / "a.json"))


def test_a_link_to_a_document_is_replaced_by_the_file(cases, tmp_path_factory):
    other = tmp_path_factory.mktemp("outside") / "receipt.pdf"
    other.write_bytes(pdf())
    (cases / "receipt.pdf").symlink_to(other)
    given = case(receipt={"file": "receipt.pdf"})
    [record] = stage(given, folder=str(cases))
    assert record["state"] == "refused"
    assert "receipt.pdf: it is outside the case's folder" in record["reason"]
    (cases / "receipt.pdf").unlink()
    (cases / "receipt.pdf").write_bytes(other.read_bytes())
    assert staged(given, folder=str(cases))


def test_an_ambiguous_path_is_replaced_by_the_plain_one(monkeypatch):
    from airflow.sdk import ObjectStoragePath

    root = memory_store("ways")
    monkeypatch.setenv(OPTIONS["case_roots"], root)
    ObjectStoragePath(f"{root}/a.json").write_text(json.dumps(case()))
    [record] = stage(f"{root}/x::file:///etc/passwd")
    row("An object-store path is ambiguous").check(record)
    assert staged(f"{root}/a.json")


def test_a_wrong_api_key_is_corrected(connect):
    connect("stripe", password="sk_test_" + "w" * 24)
    [record] = stage(case())
    assert record["state"] == "held"
    connect("stripe")
    assert staged(case())


def test_a_connection_that_cannot_be_used_is_corrected(connect):
    connect("stripe", extra={"rate_limit": "many"})
    with pytest.raises(ConnectionConfigError, match="rate_limit"):
        stage(case())
    connect("stripe")
    assert staged(case())


@pytest.mark.parametrize("way_out", ["in the Dashboard", "by the DAG"])
def test_a_dispute_that_the_api_would_submit_is_switched_to_manual(way_out, sandbox):
    sandbox.edit_dispute("du_1", intended_submission_method="smart_disputes")
    [record] = stage(case())
    row("Stripe would submit staged evidence automatically").check(record)
    if way_out == "by the DAG":
        assert staged(case(), switch_to_manual=True)
        return
    sandbox.edit_dispute("du_1", intended_submission_method="manual")
    assert staged(case())


def test_a_store_that_cannot_be_written_is_fixed(sandbox, tmp_path, monkeypatch):
    sandbox.create_dispute(api="stripe", id="du_2")
    sandbox.edit_dispute("du_1", evidence={"customer_name": "A colleague's"})
    (tmp_path / "store").touch()
    monkeypatch.setenv(OPTIONS["evidence_store"], str(tmp_path / "store"))
    held, other = stage(case(), case("du_2"), merge="overwrite")
    row("`evidence_store` cannot be written").check(held)
    assert other["state"] == "staged"
    (tmp_path / "store").unlink()
    assert staged(case(), merge="overwrite")


@pytest.mark.parametrize("key", ["", "a signing key that has at least 32 characters"])
def test_a_connection_that_was_deleted_before_the_review_is_created_again(key, sandbox, connect, monkeypatch):
    title = (
        "A connection is invalid: no key, a key of the other mode, an unknown extra, or an unusable "
        "certificate file or proxy address … or it was deleted before a review opens"
    )
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", key)
    run = Contest("stripe", "du_1")
    prepared = run.stage()
    monkeypatch.delenv("AIRFLOW_CONN_STRIPE_DEFAULT")
    held = run.review(prepared)
    ROWS[title].check(held)
    assert held["reason"].startswith("not reviewed: ") == bool(key), held["reason"]
    connect("stripe")
    again = Contest("stripe", "du_1")
    assert again.submit(again.approve())["state"] == "submitted"


def test_a_submission_method_that_is_no_longer_reported_is_checked(sandbox):
    without_method = dict(sandbox.dispute("du_1")["object"])
    del without_method["intended_submission_method"]
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=200, body=without_method)
    [record] = stage(case())
    ROWS["Stripe does not report whether it would … or no longer reports it after staging"].check(record)
    # A person looks at the dispute in the Dashboard, and stages it again.
    assert staged(case())


def test_without_smart_disputes_the_method_is_not_set(sandbox):
    title = "The account has no Smart Disputes, and a call sets the submission method"
    sandbox.edit_dispute("du_1", intended_submission_method="smart_disputes")
    body = {"error": {"type": "invalid_request_error", "code": "smart_disputes_not_available"}}
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=400, body=body)
    [record] = stage(case(), switch_to_manual=True)
    ROWS[title].check(record)
    sandbox.edit_dispute("du_1", intended_submission_method=None)
    assert staged(case())


@pytest.mark.parametrize("way_out", ["manual in the Dashboard", "an answer in time"])
def test_a_colleague_switches_a_staged_dispute_to_automatic(way_out, sandbox):
    run = Contest("stripe", "du_1")
    prepared = run.stage()
    sandbox.edit_dispute("du_1", intended_submission_method="smart_disputes")
    approved = run.ask(prepared)
    title = "A colleague switches the dispute to automatic submission after staging"
    assert ROWS[title].quotes(run.form["body"])
    if way_out == "manual in the Dashboard":
        sandbox.edit_dispute("du_1", intended_submission_method="manual")
    assert run.submit(approved)["state"] == "submitted"


@pytest.mark.parametrize(
    ("title", "edit"),
    [
        ("An answer lacks a required field", {"remove": ["/respondBy"]}),
        ("An item of evidence cannot be read", {"remove": ["/evidenceType"]}),
    ],
)
def test_a_dispute_that_cannot_be_read_is_answered_in_the_dashboard(title, edit, sandbox, moov_connection):
    made = sandbox.create_dispute(api="moov", evidence={"receipt": "Paid."})
    item = made["evidence"][0]["evidenceID"]
    sandbox.odd(of=item if "evidence" in title else made["id"], **edit)
    run = Contest("moov", made["id"])
    row(title).check(run.stage())
    sandbox.clear_oddities()
    sandbox.edit_dispute(made["id"], submit=True)
    assert run.stage()["state"] == "already-submitted"


def test_a_field_that_is_not_needed_costs_a_warning(sandbox, moov_connection, caplog):
    dispute = sandbox.create_dispute(api="moov")["id"]
    sandbox.odd(of=dispute, set={"/networkReasonCode": None})
    run = Contest("moov", dispute)
    approved = run.approve(asking=True)
    assert row("An answer has fields that are null").quotes(caplog.text)
    assert run.submit(approved)["state"] == "submitted"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class TestBehindAProxy:
    """The API is reached through a proxy alone."""

    @pytest.fixture(autouse=True)
    def _closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

    def connect(self, connect: Connect, authority: Authority, address: str, bundle: str | None = "") -> None:
        trusted = {"ca_bundle": bundle or str(authority.bundle)} if bundle is not None else {}
        connect("stripe", host=None, extra={"proxy": f"http://{address}", **trusted})

    @pytest.mark.parametrize(
        ("title", "status", "login", "words"),
        [
            ("The proxy is down", 503, "ana:secret@", "cannot connect to"),
            ("The proxy requires a user and password", 200, "", "requires a valid user and password"),
            ("The proxy requires a user and password", 403, "ana:secret@", "refuses connections to"),
        ],
    )
    def test_it_is_mended(self, title, status, login, words, sandbox, connect, authority):
        certificate = authority.issue("good")
        with Interceptor(sandbox.url, certificate, user_password="ana:secret", status=status) as broken:
            self.connect(connect, authority, f"{login}{broken.address}")
            [record] = stage(case())
        row(title).check(record, words)
        with Interceptor(sandbox.url, certificate, user_password="ana:secret") as mended:
            self.connect(connect, authority, f"ana:secret@{mended.address}")
            assert staged(case())

    def test_its_authority_is_named(self, sandbox, connect, authority):
        with Interceptor(sandbox.url, authority.issue("good")) as proxy:
            self.connect(connect, authority, proxy.address, None)
            [record] = stage(case())
            row("A certificate is rejected").check(record)
            self.connect(connect, authority, proxy.address)
            assert staged(case())

    def test_a_name_that_cannot_be_resolved_is_left_to_the_proxy(
        self, sandbox, connect, authority, monkeypatch
    ):
        hide_names(monkeypatch)
        connect("stripe", host=None)
        [record] = stage(case())
        row("The API's host name cannot be resolved").check(record)
        with Interceptor(sandbox.url, authority.issue("good")) as proxy:
            self.connect(connect, authority, proxy.address)
            assert staged(case())
