"""Rows of ``docs/faults.md`` about staging and reviewing that no other module drives."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import running
from contesting import READ, TEXT, Contest, case
from faults_page import rows
from papers import pdf
from state_stores import AssetStores, StateStore

from dispute_provider._ledger import timing
from dispute_provider._state.stores import PROGRESS
from dispute_provider._tasks import progress
from dispute_provider._transport.client import Client
from dispute_provider._transport.http import HttpTransport
from dispute_provider._transport.transport import HttpRequest, HttpResponse
from dispute_provider._workflow.reviewing.four_eyes import ANONYMOUS
from dispute_provider.operators.evidence import StageEvidenceOperator

ROWS = rows()
UNREACHABLE = "The API cannot be reached, answers 429, or a read fails with 5xx"


@pytest.fixture(autouse=True)
def _own_stores(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    """What a test leaves half done is no other's."""
    monkeypatch.setattr(running, "ASSETS", AssetStores())


@pytest.mark.parametrize("status", [429, 503])
def test_a_failed_read_is_retried(status, run, sandbox):
    sandbox.fault(operation=READ[run.kind], effect="status", status=status, times=None)
    held = run.stage()
    ROWS[UNREACHABLE].check(held, "not staged")
    assert held["retry_after"] == 0.0, "Airflow tries again"
    sandbox.clear_faults()
    assert run.stage()["state"] == "staged"


@pytest.mark.parametrize("kind", ["stripe"])
def test_what_a_colleague_writes_during_long_uploads_is_not_overwritten(run, sandbox, cases, monkeypatch):
    (Path(cases) / "receipt.pdf").write_bytes(pdf())
    evidence = {"receipt": {"file": "receipt.pdf"}, "customer_name": "Ours"}
    staging = StageEvidenceOperator(
        task_id="stage",
        cases=[{"provider": "stripe", "dispute": run.dispute, "evidence": evidence}],
        conn_id="stripe_default",
        folder=str(cases),
    )
    passed = [0.0]

    class Slow(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            if request.url.endswith("/v1/files"):
                passed[0] += 21
                sandbox.edit_dispute(run.dispute, evidence={"customer_name": "Theirs"})
            return await super().send(request)

    monkeypatch.setattr(Client, "transport", Slow)
    monkeypatch.setattr(Client, "clock", staticmethod(lambda: passed[0]))
    [held] = running.run(staging)
    title = (
        "A colleague edits a dispute at Stripe while the uploads of its documents take longer than 20 seconds"
    )
    ROWS[title].check(held)
    assert held["retry_after"] == 0.0, "Airflow tries again"
    monkeypatch.setattr(Client, "transport", HttpTransport)
    [staged] = running.run(staging)
    assert staged["state"] == "staged", staged["reason"]
    assert sandbox.dispute(run.dispute)["evidence"]["customer_name"] == "Theirs"


@pytest.mark.parametrize("kind", ["stripe"])
@pytest.mark.parametrize("failures", [1, 3])
def test_a_stored_500_on_an_upload_is_got_past(failures, run, sandbox, cases):
    (Path(cases) / "receipt.pdf").write_bytes(pdf())
    evidence = {"receipt": {"file": "receipt.pdf"}}
    staging = StageEvidenceOperator(
        task_id="stage",
        cases=[{"provider": "stripe", "dispute": run.dispute, "evidence": evidence}],
        conn_id="stripe_default",
        folder=str(cases),
    )
    title = (
        "The connection breaks, times out or 5xx arrives while *staging*, or the worker is killed "
        "… and Stripe repeats the 500 for the key of an upload for 24 hours"
    )
    for _ in range(failures):
        sandbox.fault(operation="PostFiles", effect="stored-500", times=None)
        [held] = running.run(staging)
        ROWS[title].check(held)
        sandbox.clear_faults()
    [staged] = running.run(staging)
    assert staged["state"] == "staged", staged["reason"]


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_review_that_cannot_read_its_dispute_is_cleared(status, run, sandbox):
    staged = run.stage()
    sandbox.fault(operation=READ[run.kind], effect="status", status=status, times=None)
    held = run.review(staged)
    ROWS[f"{UNREACHABLE} … when a review opens"].check(held)
    sandbox.clear_faults()
    approved = run.review(staged)
    assert run.submit(approved)["state"] == "submitted"


@pytest.mark.parametrize("status", [400, 402, 404, 422])
def test_a_case_that_the_api_refuses_can_be_corrected_and_staged_again(status, run, sandbox):
    sandbox.fault(operation=READ[run.kind], effect="status", status=status, times=None)
    ROWS["The API refuses a request (400, 402, 404, 422)"].check(run.stage(), "not staged")
    sandbox.clear_faults()
    assert run.stage()["state"] == "staged"


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_without_permission_is_corrected(status, run, sandbox):
    sandbox.fault(operation=READ[run.kind], effect="status", status=status, times=None)
    held = run.stage()
    ROWS["An API key is wrong, revoked or lacks a permission (401, 403)"].check(held, "not staged")
    assert "retry_after" not in held, "Airflow does not try again"
    sandbox.clear_faults()
    assert run.stage()["state"] == "staged"


def test_a_dispute_that_becomes_automatic_again_is_refused(sandbox, connect, monkeypatch):
    connect("stripe")
    dispute = sandbox.create_dispute(api="stripe", intended_submission_method="smart_disputes")["id"]

    class Ignored(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            response = await super().send(request)
            return replace(response, body=response.body.replace(b'"manual"', b'"smart_disputes"'))

    def stage() -> dict[str, Any]:
        case = {"provider": "stripe", "dispute": dispute, "evidence": {TEXT["stripe"]: "Delivered."}}
        operator = StageEvidenceOperator(
            task_id="stage", cases=[case], conn_id="stripe_default", switch_to_manual=True
        )
        [record] = running.run(operator)
        return dict(record)

    with monkeypatch.context() as patch:
        patch.setattr(Client, "transport", Ignored)
        end = stage()
    title = "A dispute is automatic again although staging has switched it to manual"
    ROWS[title].check(end)
    sandbox.edit_dispute(dispute, intended_submission_method="manual")
    assert stage()["state"] == "staged"


@pytest.mark.parametrize("kind", ["moov"])
def test_a_try_that_loses_its_claim_before_its_first_write_is_repeated_at_once(run, monkeypatch, waited):
    other = Contest(run.kind, run.dispute)
    others: list[Any] = []

    class Overtaken(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            response = await super().send(request)
            if request.method == "GET" and "evidence" in request.url and not others:
                others.append(None)
                others[0] = await asyncio.get_running_loop().run_in_executor(None, other.stage)
            return response

    with monkeypatch.context() as patch:
        patch.setattr(Client, "transport", Overtaken)
        lost = run.stage()
    assert others[0]["state"] == "staged"
    assert lost["state"] == "held"
    assert "another task has just claimed this dispute" in lost["reason"]
    assert run.stage()["state"] == "staged"
    assert sum(waited) < 5


@pytest.mark.parametrize("kind", ["moov"])
@pytest.mark.parametrize("looks", [True, False])
def test_an_upload_that_may_still_arrive_is_waited_for(looks, run, sandbox, waited):
    """The try after it waits, also if looking for the upload was refused."""
    sandbox.fault(operation="uploadDisputeEvidenceText", effect="drop-before", times=None)
    if not looks:
        sandbox.fault(operation="listDisputeEvidence", effect="status", status=429, nth=2, times=None)
    assert run.stage()["state"] == "held"
    sandbox.clear_faults()
    before = sum(waited)
    assert run.stage()["state"] == "staged"
    assert sum(waited) - before > timing.TAKEOVER_AFTER - 5


def test_a_state_store_that_fails_for_a_dispute_holds_it(run, sandbox, monkeypatch):
    sandbox.edit_dispute(run.dispute, evidence={TEXT[run.kind]: "A colleague's."})
    get = StateStore.get

    def fail(self: StateStore, key: str, default: Any = None) -> Any:
        if key.startswith("ours"):
            raise ConnectionError("the API server is away")
        return get(self, key, default)

    with monkeypatch.context() as patch:
        patch.setattr(StateStore, "get", fail)
        held = run.stage()
    ROWS["Airflow's state store fails for one dispute"].check(held)
    assert run.stage()["state"] == "staged"


def test_a_second_copy_of_a_document_is_removed_after_the_state_store_was_purged(
    sandbox, connect, cases, monkeypatch
):
    connect("moov")
    (Path(cases) / "receipt.pdf").write_bytes(pdf())
    dispute = sandbox.create_dispute(api="moov")["id"]
    evidence = {"receipt": {"file": "receipt.pdf"}, "cover-letter": "Delivered."}
    case = {"provider": "moov", "dispute": dispute, "evidence": evidence}

    def stage() -> dict[str, Any]:
        operator = StageEvidenceOperator(
            task_id="stage", cases=[case], conn_id="moov_default", folder=str(cases)
        )
        [record] = running.run(operator)
        return dict(record)

    for operation in ("uploadDisputeEvidenceFile", "uploadDisputeEvidenceText"):
        sandbox.fault(operation=operation, effect="repeat", copies=1, times=1)
    sandbox.fault(operation="deleteDisputeEvidenceFile", effect="status", status=429, times=None)
    assert stage()["state"] == "held"
    assert len(sandbox.dispute(dispute)["evidence"]) == 4
    sandbox.clear_faults()
    monkeypatch.setattr(running, "ASSETS", AssetStores())

    record = stage()

    assert record["state"] == "staged"
    held = Counter(item["evidenceType"] for item in sandbox.dispute(dispute)["evidence"])
    # Of two equal texts nothing shows who wrote which: the review names the second one.
    assert held == {"receipt": 1, "cover-letter": 2}
    kinds = {(each["name"], each["kind"]) for each in record["differences"]}
    assert {("receipt", "removed"), ("cover-letter", "foreign")} <= kinds


@pytest.mark.parametrize("merge", ["keep", "fail"])
def test_a_second_copy_of_a_text_is_ours_and_is_removed(merge, sandbox, moov_connection):
    dispute = sandbox.create_dispute(api="moov")["id"]
    operator = StageEvidenceOperator(
        task_id="stage", cases=[case("moov", dispute)], conn_id=moov_connection, merge=merge
    )
    sandbox.fault(operation="uploadDisputeEvidenceText", effect="repeat", copies=1, times=1)
    sandbox.fault(operation="deleteDisputeEvidenceFile", effect="status", status=429, times=None)
    assert [record["state"] for record in running.run(operator)] == ["held"]
    assert len(sandbox.dispute(dispute)["evidence"]) == 2
    sandbox.clear_faults()

    [record] = running.run(operator, 2)

    assert (record["state"], record["reason"]) == ("staged", "1 pieces of evidence staged, not submitted")
    assert sorted(each["kind"] for each in record["differences"]) == ["removed", "same"]
    assert len(sandbox.dispute(dispute)["evidence"]) == 1


@pytest.mark.parametrize("kind", ["stripe"])
def test_progress_that_cannot_be_stored_fails_no_review(run, sandbox, monkeypatch, caplog):
    monkeypatch.setattr(progress, "INTERVAL", 0.1)
    staged, write, failed = run.stage(), StateStore.set, []

    def fail(self: StateStore, key: str, value: Any, **options: Any) -> None:
        if key == PROGRESS.name():
            failed.append(value)
            raise ConnectionError("the API server is away")
        write(self, key, value, **options)

    monkeypatch.setattr(StateStore, "set", fail)
    sandbox.fault(operation=READ[run.kind], effect="delay", seconds=0.3)

    assert run.review(staged)["state"] == "approved"
    assert len(failed) == 1, "a call that fails blocks the batch for half a minute"
    assert "cannot show the progress in the UI: ConnectionError" in caplog.text


def test_a_failure_to_record_our_marks_is_logged(run, monkeypatch, capfd):
    row = ROWS["What was staged cannot be recorded as ours"]
    write = StateStore.set

    def fail(self: StateStore, key: str, value: Any, **options: Any) -> None:
        if key.startswith("ours"):
            raise ConnectionError("the API server is away")
        write(self, key, value, **options)

    with monkeypatch.context() as patch:
        patch.setattr(StateStore, "set", fail)
        assert run.stage()["state"] == "staged"
    assert row.quotes(capfd.readouterr().out)
    # Clearing the task records it.
    assert run.stage()["state"] == "staged"
    assert not row.quotes(capfd.readouterr().out)


def test_an_answer_without_a_login_is_void_and_a_new_review_counts(run, sandbox):
    title = "An answer has no login, belongs to an older form, or contradicts itself"
    staged = run.stage()
    held = run.ask(staged, responded_by_user={"id": ANONYMOUS, "name": ANONYMOUS})
    ROWS[title].check(held, "answered without a login; ")
    assert run.submit(run.ask(staged))["state"] == "submitted"


@pytest.mark.parametrize("what", ["an older form", "contradicts itself"])
def test_a_void_answer_can_be_given_again(what, run):
    title = "An answer has no login, belongs to an older form, or contradicts itself"
    staged = run.stage()
    if what == "an older form":
        held = run.ask(staged, chosen_options=["Approve it"])
    else:
        held = run.ask(staged, params_input={"concede_confirm": run.dispute})
    ROWS[title].check(held)
    assert run.submit(run.ask(staged))["state"] == "submitted"


@pytest.mark.parametrize("kind", ["stripe"])
def test_a_colleagues_text_is_reported_although_another_task_stages_meanwhile(run, sandbox, monkeypatch):
    """The first task's write is in flight while another has read the dispute and is about to write."""
    sandbox.edit_dispute(run.dispute, evidence={TEXT["stripe"]: "A colleague's."})

    def stage(text: str, run_id: str, try_number: int = 1) -> dict[str, Any]:
        evidence = [case("stripe", run.dispute, text)]
        operator = StageEvidenceOperator(
            task_id="stage", cases=evidence, conn_id="stripe_default", merge="overwrite"
        )
        [record] = running.run(operator, try_number, run_id)
        return dict(record)

    class Overtaken(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            response = await super().send(request)
            if not first:
                first.append({})
                with ThreadPoolExecutor(1) as thread:
                    first[0] = thread.submit(stage, "Ours.", "first").result()
            return response

    first: list[dict[str, Any]] = []
    sandbox.fault(operation="PostDisputesDispute", effect="drop-after", times=None)
    with monkeypatch.context() as patch:
        patch.setattr(Client, "transport", Overtaken)
        late = stage("Another's.", "second")
    assert [first[0]["state"], late["state"]] == ["held", "held"]
    assert "another task has just claimed this dispute" in late["reason"]
    sandbox.clear_faults()
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=400, times=None)
    assert stage("Another's.", "second", 2)["state"] == "refused"
    sandbox.clear_faults()
    staged = stage("Ours.", "first", 2)
    assert staged["state"] == "staged", staged["reason"]
    assert [each["kind"] for each in staged["differences"]] == ["overwritten"]
