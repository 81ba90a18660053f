"""Staging next to a colleague's evidence and earlier versions of a case; conceding; putting back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
import steps
from drivers import Driver
from msgspec.structs import replace
from support import Connect, pass_time

from dispute_provider._apis.memory import NoMemory
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.merging import MergePolicy
from dispute_provider._evidence.record import Record, State
from dispute_provider._workflow.sending import final_call
from dispute_provider._workflow.staging.write_evidence import Rules
from dispute_provider.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("impatient")

PDF = Document("a.pdf", b"%PDF-1.4\n%%EOF")
VERSION = "2026-10-28.endive"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0))
    pass_time(monkeypatch)


class Kept(NoMemory):
    """Keeps what is replaced, as the evidence store does."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        self.kept = dict(evidence)
        return "f" * 64


def put(
    driver: Driver,
    dispute: str,
    evidence: dict[str, Any],
    *,
    api: str = "stripe",
    memory: NoMemory | None = None,
    **rules: Any,
) -> Record:
    case = Case.parse({"provider": api, "dispute": dispute, "evidence": evidence})
    record = Record(api, f"{api}_default", dispute, State.STAGED, "")
    [staged] = driver.run(
        api, lambda an_api: steps.stage(an_api, case, {"a.pdf": PDF}, record, memory, Rules(**rules))
    )
    assert isinstance(staged, Record)
    return staged


def held(sandbox: Sandbox, dispute: str) -> dict[str, Any]:
    return {name: value for name, value in sandbox.dispute(dispute)["evidence"].items() if value}


def kinds(record: Record) -> dict[str, str]:
    return {each.name: each.kind for each in record.differences}


def writes(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [each for each in sandbox.journal() if each["method"] != "GET"]


def test_a_colleagues_text_is_kept_and_named(driver: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(
        api="stripe", evidence={"customer_name": "Theirs", "shipping_date": "May"}
    )
    memory = Kept()
    ours = {"customer_name": "Ours", "uncategorized_text": "Delivered."}
    staged = put(driver, dispute["id"], ours, memory=memory)
    assert staged.state == State.STAGED
    assert held(sandbox, dispute["id"]) == {
        "customer_name": "Theirs",
        "shipping_date": "May",
        "uncategorized_text": "Delivered.",
    }
    assert kinds(staged) == {
        "customer_name": "kept",
        "uncategorized_text": "added",
        "shipping_date": "foreign",
    }
    assert any("Customer's name" in note for note in staged.notes)
    assert memory.kept == {"customer_name": "Ours"}
    assert staged.not_written == "f" * 64


def test_parts_of_a_structure_that_are_not_written_are_kept(driver: Driver, sandbox: Sandbox) -> None:
    theirs, ours = ({"mastercard_compliance": {"fee_acknowledged": each}} for each in (True, False))
    dispute = sandbox.create_dispute(api="stripe", evidence={"enhanced_evidence": theirs})["id"]
    memory = Kept()
    staged = put(driver, dispute, {"customer_name": "Ours", "enhanced_evidence": ours}, memory=memory)
    assert kinds(staged) == {"customer_name": "added", "enhanced_evidence.mastercard_compliance": "kept"}
    assert memory.kept == {"enhanced_evidence": ours}


def test_a_colleagues_text_is_overwritten_only_on_request_and_stored(
    driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api="stripe", evidence={"customer_name": "Theirs"})["id"]
    memory = Kept()
    staged = put(driver, dispute, {"customer_name": "Ours"}, memory=memory, merge=MergePolicy.OVERWRITE)
    assert held(sandbox, dispute) == {"customer_name": "Ours"}
    assert kinds(staged) == {"customer_name": "overwritten"}
    assert memory.kept == {"customer_name": "Theirs"}
    assert staged.earlier == "f" * 64


@pytest.mark.parametrize(
    ("api", "theirs", "ours"),
    [
        ("stripe", {"customer_name": "Theirs"}, {"customer_name": "Ours", "shipping_date": "1 May"}),
        ("moov", {"cover-letter": "Theirs"}, {"cover-letter": "Ours", "generic-evidence": "More."}),
    ],
)
def test_a_colleagues_text_stops_the_staging_if_the_dag_says_so(
    api: str, theirs: dict[str, Any], ours: dict[str, Any], driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api, evidence=theirs)["id"]
    staged = put(driver, dispute, ours, api=api, merge=MergePolicy.FAIL)
    assert staged.state == State.REFUSED
    assert next(iter(theirs)) in staged.reason
    assert not writes(sandbox)


@pytest.mark.parametrize("policy", list(MergePolicy))
def test_a_new_version_of_the_case_replaces_the_earlier_one(
    policy: MergePolicy, driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    memory = NoMemory()
    put(driver, dispute, {"customer_name": "Old", "shipping_date": "1 May"}, memory=memory)
    staged = put(driver, dispute, {"customer_name": "New"}, memory=memory, merge=policy)
    assert held(sandbox, dispute) == {"customer_name": "New"}
    assert kinds(staged) == {"customer_name": "renewed", "shipping_date": "removed"}


def test_items_of_an_earlier_version_are_deleted_a_colleagues_never(driver: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(api="moov", evidence={"receipt": "Theirs"})["id"]
    memory = NoMemory()
    put(driver, dispute, {"receipt": "Old", "cover-letter": "Dear"}, api="moov", memory=memory)
    staged = put(driver, dispute, {"receipt": "New", "cover-letter": "Dear"}, api="moov", memory=memory)
    items = sandbox.dispute(dispute)["evidence"]
    assert sorted((item["evidenceType"], item["text"]) for item in items) == [
        ("cover-letter", "Dear"),
        ("receipt", "New"),
        ("receipt", "Theirs"),
    ]
    assert sorted(each.kind for each in staged.differences) == ["added", "foreign", "removed", "same"]


@pytest.mark.parametrize(
    ("api", "evidence"),
    [
        ("stripe", {"customer_name": "Zoë", "receipt": {"file": "a.pdf"}}),
        ("moov", {"cover-letter": "Dear", "receipt": {"file": "a.pdf"}}),
    ],
)
def test_existing_evidence_is_not_written_again(
    api: str, evidence: dict[str, Any], driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    first = put(driver, dispute, evidence, api=api)
    before = len(writes(sandbox))
    second = put(driver, dispute, evidence, api=api)
    assert len(writes(sandbox)) == before
    assert second.documents == first.documents
    assert second.digest == first.digest


def test_a_file_that_ends_before_the_due_date_is_uploaded_again(driver: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    first = put(driver, dispute, {"receipt": {"file": "a.pdf"}})
    sandbox.edit_dispute(dispute, due_in=400 * 86400.0)
    sandbox.clock(advance=2 * 86400.0)  # the API has forgotten the first upload's key
    second = put(
        driver, dispute, {"receipt": {"file": "a.pdf"}}, memory=NoMemory(), merge=MergePolicy.OVERWRITE
    )
    assert second.state == State.STAGED
    assert set(first.documents) != set(second.documents)


def test_parts_of_a_structure_are_merged_one_by_one(driver: Driver, sandbox: Sandbox) -> None:
    claim = {"disputed_transaction": {"customer_purchase_ip": "203.0.113.7"}}
    dispute = sandbox.create_dispute(
        api="stripe",
        reason="noncompliant",
        brand="mastercard",
        evidence={"enhanced_evidence": {"visa_compelling_evidence_3": claim}},
    )["id"]
    agreement = {"mastercard_compliance": {"fee_acknowledged": True}}
    staged = put(driver, dispute, {"enhanced_evidence": agreement})
    assert kinds(staged) == {
        "enhanced_evidence.mastercard_compliance": "added",
        "enhanced_evidence.visa_compelling_evidence_3": "foreign",
    }
    assert held(sandbox, dispute)["enhanced_evidence"] == {**agreement, "visa_compelling_evidence_3": claim}


@pytest.fixture
def newest(driver: Driver, connect: Connect) -> Driver:
    """On the version that reports how a dispute will be submitted."""
    connect("stripe", extra={"rate_limit": 1000, "api_version": VERSION})
    return driver


@pytest.mark.parametrize("method", ["prefer_manual", "prefer_smart_disputes", "smart_disputes"])
def test_nothing_is_staged_if_the_api_would_submit_it_automatically(
    method: str, newest: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api="stripe", intended_submission_method=method)["id"]
    refused = put(newest, dispute, {"customer_name": "Zoë"})
    assert refused.state == State.REFUSED
    assert method in refused.reason
    assert not writes(sandbox)


def test_a_dispute_is_switched_to_manual_on_request_with_its_first_evidence(
    newest: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api="stripe", intended_submission_method="smart_disputes")["id"]
    staged = put(newest, dispute, {"customer_name": "Zoë"}, switch_to_manual=True)
    assert staged.state == State.STAGED
    [write] = writes(sandbox)
    assert write["body"]["intended_submission_method"] == "manual"
    sandbox.clock(advance=60 * 86400.0)
    assert not sandbox.dispute(dispute)["submissions"]


def test_rejected_evidence_is_put_back_if_the_api_would_submit_it(newest: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(
        api="stripe", intended_submission_method="smart_disputes", evidence={"customer_name": "Theirs"}
    )["id"]
    memory = Kept()
    staged = put(
        newest,
        dispute,
        {"customer_name": "Ours", "shipping_date": "1 May"},
        memory=memory,
        merge=MergePolicy.OVERWRITE,
        switch_to_manual=True,
    )
    rejected = staged.ended(State.REJECTED, "rejected")
    [end] = newest.run("stripe", lambda api: steps.put_back(api, rejected, memory.kept))
    assert end.state == State.REJECTED
    assert "put back" in end.reason
    assert held(sandbox, dispute) == {"customer_name": "Theirs"}
    assert sandbox.dispute(dispute)["object"]["intended_submission_method"] == "smart_disputes"


def test_evidence_that_cannot_be_put_back_is_named_and_the_dispute_stays_on_manual(
    newest: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(
        api="stripe", intended_submission_method="smart_disputes", evidence={"customer_name": "Theirs"}
    )["id"]
    staged = put(
        newest, dispute, {"customer_name": "Ours"}, merge=MergePolicy.OVERWRITE, switch_to_manual=True
    )
    [end] = newest.run("stripe", lambda api: steps.put_back(api, staged.ended(State.REJECTED, "no"), None))
    assert "customer_name" in end.reason
    assert sandbox.dispute(dispute)["object"]["intended_submission_method"] == "manual"


def test_evidence_that_a_colleague_edited_is_not_put_back(newest: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(api="stripe", intended_submission_method="smart_disputes")["id"]
    staged = put(newest, dispute, {"customer_name": "Ours"}, switch_to_manual=True)
    sandbox.edit_dispute(dispute, evidence={"customer_name": "Theirs"})
    sandbox.clear_journal()
    [end] = newest.run("stripe", lambda api: steps.put_back(api, staged.ended(State.REJECTED, "no"), {}))
    assert "changed since it was staged" in end.reason
    assert not writes(sandbox)


@pytest.mark.parametrize("api", ["stripe", "moov"])
class TestConceding:
    EVIDENCE = {"stripe": {"customer_name": "Zoë"}, "moov": {"cover-letter": "Dear"}}  # noqa: RUF012  # constant
    ENDS = {"stripe": "lost", "moov": "accepted"}  # noqa: RUF012  # constant

    def staged(self, api: str, driver: Driver, sandbox: Sandbox, **fields: Any) -> Record:
        dispute = sandbox.create_dispute(api=api, **fields)["id"]
        return put(driver, dispute, self.EVIDENCE[api], api=api)

    def test_a_dispute_is_conceded_once(self, api: str, driver: Driver, sandbox: Sandbox) -> None:
        staged = self.staged(api, driver, sandbox)
        before = len(writes(sandbox))
        ends = [
            *driver.run(api, lambda an_api: steps.concede(an_api, staged, "a task")),
            *driver.run(api, lambda an_api: steps.concede(an_api, staged, "a task")),
        ]
        assert [end.state for end in ends] == [State.CONCEDED, State.CONCEDED]
        assert len(writes(sandbox)) == before + 1
        assert sandbox.dispute(staged.dispute)["status"] == self.ENDS[api]

    @pytest.mark.parametrize("effect", ["drop-after", "truncate", "wrong-json"])
    def test_a_lost_answer_to_a_concession_is_resolved_by_reading(
        self, effect: str, api: str, driver: Driver, sandbox: Sandbox
    ) -> None:
        staged = self.staged(api, driver, sandbox)
        operation = {"stripe": "PostDisputesDisputeClose", "moov": "acceptDispute"}[api]
        sandbox.fault(operation=operation, effect=effect, times=1)
        [end] = driver.run(api, lambda an_api: steps.concede(an_api, staged))
        assert end.state == State.CONCEDED

    def test_a_concession_without_permission_is_held(
        self, api: str, driver: Driver, sandbox: Sandbox
    ) -> None:
        staged = self.staged(api, driver, sandbox)
        operation = {"stripe": "PostDisputesDisputeClose", "moov": "acceptDispute"}[api]
        sandbox.fault(operation=operation, effect="status", status=403, times=5)
        [end] = driver.run(api, lambda an_api: steps.concede(an_api, staged))
        assert end.state == State.HELD

    def test_an_inquiry_is_never_conceded(self, api: str, driver: Driver, sandbox: Sandbox) -> None:
        inquiry = {"stripe": {"status": "warning_needs_response"}, "moov": {"phase": "inquiry"}}[api]
        staged = self.staged(api, driver, sandbox, **inquiry)
        before = len(writes(sandbox))
        [end] = driver.run(api, lambda an_api: steps.concede(an_api, staged))
        assert end.state == State.REFUSED
        assert "refund" in end.reason
        assert len(writes(sandbox)) == before

    def test_changed_evidence_needs_a_new_review(self, api: str, driver: Driver, sandbox: Sandbox) -> None:
        staged = replace(self.staged(api, driver, sandbox), digest="0" * 64)
        [end] = driver.run(api, lambda an_api: steps.concede(an_api, staged))
        assert end.state == State.REFUSED
        assert "review it again" in end.reason


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_a_reviewer_is_shown_a_colleagues_document_too(api: str, driver: Driver, sandbox: Sandbox) -> None:
    theirs = {"receipt": {"filename": "theirs.pdf", "content": "%PDF-1.4 theirs"}}
    dispute = sandbox.create_dispute(api=api, evidence=theirs)["id"]
    ours = {"stripe": {"customer_name": "Zoë"}, "moov": {"cover-letter": "Dear"}}[api]
    staged = put(driver, dispute, ours, api=api)
    kept: list[bytes] = []

    def keep(content: bytes) -> str:
        kept.append(content)
        return ""

    [(record, snapshot)] = driver.run(api, lambda an_api: steps.read_for_review(an_api, staged, keep))
    assert kept == [b"%PDF-1.4 theirs"]
    assert list(record.documents.values()) == [hashlib.sha256(kept[0]).hexdigest()]
    assert snapshot.digest(record.documents) == record.digest != staged.digest
    # What was approved in this way is what is recognised when it is submitted.
    approved = replace(record, state=State.APPROVED)
    [end] = driver.run(api, lambda an_api: steps.submit(an_api, approved))
    assert end.state == State.SUBMITTED


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_a_document_that_cannot_be_shown_is_named(api: str, driver: Driver, sandbox: Sandbox) -> None:
    theirs = {"receipt": {"filename": "theirs.pdf", "content": "%PDF-1.4 theirs"}}
    dispute = sandbox.create_dispute(api=api, evidence=theirs)["id"]
    ours = {"stripe": {"customer_name": "Zoë"}, "moov": {"cover-letter": "Dear"}}[api]
    staged = put(driver, dispute, ours, api=api)
    operation = {"stripe": "GetFilesFileContents", "moov": "getDisputeEvidenceData"}[api]
    sandbox.fault(operation=operation, effect="status", status=403, times=9)
    [(record, _)] = driver.run(
        api, lambda an_api: steps.read_for_review(an_api, staged, lambda content: None)
    )
    assert any("cannot be shown (receipt)" in note for note in record.notes)


@pytest.mark.parametrize("policy", list(MergePolicy))
@pytest.mark.parametrize("moment", ["before the review", "after the review"])
@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_an_edit_by_a_colleague_on_the_way(
    api: str, moment: str, policy: MergePolicy, driver: Driver, sandbox: Sandbox
) -> None:
    name = {"stripe": "customer_name", "moov": "cover-letter"}[api]
    dispute = sandbox.create_dispute(api=api)["id"]
    memory = Kept()

    def run(work: Any) -> Any:
        return driver.run(api, work)[0]

    def reviewed(record: Record) -> Record:
        return run(lambda an_api: steps.read_for_review(an_api, record, None))[0]

    staged = put(driver, dispute, {name: "Ours"}, api=api, memory=memory, merge=policy)
    if moment == "after the review":
        staged = reviewed(staged)
    sandbox.edit_dispute(dispute, evidence={name: "Theirs"})

    # The staged evidence is no longer sent; a review opened now shows the edit, with a note.
    assert run(lambda an_api: steps.submit(an_api, staged)).state == State.REFUSED
    shown = reviewed(staged)
    assert shown.digest != staged.digest
    assert any("changed since staging" in note for note in shown.notes)

    # Evidence that is staged again follows the policy, and exactly that is submitted.
    again = put(driver, dispute, {name: "Ours"}, api=api, memory=memory, merge=policy)
    if policy == MergePolicy.FAIL:
        assert again.state == State.REFUSED
        assert not sandbox.dispute(dispute)["submissions"]
        return
    approved = reviewed(again)
    assert run(lambda an_api: steps.submit(an_api, approved)).state == State.SUBMITTED
    texts = {
        "stripe": {MergePolicy.KEEP: ["Theirs"], MergePolicy.OVERWRITE: ["Ours"]},
        "moov": {MergePolicy.KEEP: ["Ours", "Theirs"], MergePolicy.OVERWRITE: ["Ours", "Theirs"]},
    }
    evidence = sandbox.dispute(dispute)["evidence"]
    sent = [evidence[name]] if api == "stripe" else sorted(item["text"] for item in evidence)
    assert sent == texts[api][policy]
