"""Stripe's operators send the right bytes, and the API holds the right data afterwards.

The expected bytes were written by hand, from the API's own description.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from running import only, run
from support import Connect

from dispute_provider.exceptions import ConflictError
from dispute_provider.operators.stripe import (
    StripeCloseDisputeOperator,
    StripeGetChargeOperator,
    StripeGetDisputeOperator,
    StripeListDisputesOperator,
    StripeUpdateDisputeOperator,
    StripeUploadFileOperator,
)
from dispute_provider.sandbox import Sandbox

FILE = "file_1MvBaG4k"
VERSION = "2026-09-30.endive"
PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n"

TEXTS = {
    "access_activity_log": ("11-01 10:00 login\n11-02 download", "11-01+10%3A00+login%0A11-02+download"),
    "billing_address": ("Rue de l'Église 5, 75001 Paris", "Rue+de+l%27%C3%89glise+5%2C+75001+Paris"),
    "cancellation_policy_disclosure": ("Shown at checkout, box ticked.", "Shown+at+checkout%2C+box+ticked."),
    "cancellation_rebuttal": ("No request reached us; see log.", "No+request+reached+us%3B+see+log."),
    "customer_email_address": ("zoe+shop@example.com", "zoe%2Bshop%40example.com"),
    "customer_name": ("Zoë & Søn", "Zo%C3%AB+%26+S%C3%B8n"),
    "customer_purchase_ip": ("2001:db8::1", "2001%3Adb8%3A%3A1"),
    "duplicate_charge_explanation": ("Two orders = two parcels", "Two+orders+%3D+two+parcels"),
    "duplicate_charge_id": ("ch_3MvBaG4k", "ch_3MvBaG4k"),
    "product_description": ("{{ conn.x }} & 100% wool", "%7B%7B+conn.x+%7D%7D+%26+100%25+wool"),
    "refund_policy_disclosure": ("Linked in the footer?", "Linked+in+the+footer%3F"),
    "refund_refusal_explanation": ("§ 4: worn goods 😀", "%C2%A7+4%3A+worn+goods+%F0%9F%98%80"),
    "service_date": ("2026-11-02", "2026-11-02"),
    "shipping_address": ("1 Main St, #4", "1+Main+St%2C+%234"),
    "shipping_carrier": ("UPS,DHL", "UPS%2CDHL"),
    "shipping_date": ("3/22/2026", "3%2F22%2F2026"),
    "shipping_tracking_number": ("1Z999AA10123456784", "1Z999AA10123456784"),
    "uncategorized_text": ("a[b]=c&d", "a%5Bb%5D%3Dc%26d"),
}  # fmt: skip
DOCUMENTS = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)
CE3 = "evidence[enhanced_evidence][visa_compelling_evidence_3]"
ENHANCED: dict[str, Any] = {
    "visa_compelling_evidence_3": {
        "disputed_transaction": {
            "customer_purchase_ip": "10.0.0.1",
            "merchandise_or_services": "merchandise",
            "shipping_address": {"city": "Kraków", "country": "PL"},
        },
        "prior_undisputed_transactions": [
            {"charge": "ch_1"},
            {"charge": "ch_2", "customer_account_id": "zoe"},
        ],
    },
    "mastercard_compliance": {"fee_acknowledged": False},
}  # fmt: skip
ENHANCED_BYTES = (
    f"{CE3}[disputed_transaction][customer_purchase_ip]=10.0.0.1"
    f"&{CE3}[disputed_transaction][merchandise_or_services]=merchandise"
    f"&{CE3}[disputed_transaction][shipping_address][city]=Krak%C3%B3w"
    f"&{CE3}[disputed_transaction][shipping_address][country]=PL"
    f"&{CE3}[prior_undisputed_transactions][0][charge]=ch_1"
    f"&{CE3}[prior_undisputed_transactions][1][charge]=ch_2"
    f"&{CE3}[prior_undisputed_transactions][1][customer_account_id]=zoe"
    "&evidence[enhanced_evidence][mastercard_compliance][fee_acknowledged]=false"
)
EVIDENCE = [
    *((name, text, f"evidence[{name}]={encoded}") for name, (text, encoded) in TEXTS.items()),
    *((name, FILE, f"evidence[{name}]={FILE}") for name in DOCUMENTS),
    ("enhanced_evidence", ENHANCED, ENHANCED_BYTES),
]


@pytest.fixture
def dispute(sandbox: Sandbox, connect: Connect) -> str:
    """An open dispute with a name, a document and two keys of metadata."""
    connect("stripe", extra={"api_version": VERSION})
    made = sandbox.create_dispute(
        api="stripe",
        evidence={"customer_name": "Before", "uncategorized_file": {"id": FILE, "filename": "a.pdf"}},
        metadata={"order": "10432", "shop": "north"},
    )
    return str(made["id"])


def test_all_28_fields_are_covered() -> None:
    assert len({name for name, _, _ in EVIDENCE}) == 28


@pytest.mark.parametrize(("name", "value", "expected"), EVIDENCE, ids=[name for name, _, _ in EVIDENCE])
def test_each_field_of_evidence(name: str, value: Any, expected: str, sandbox: Sandbox, dispute: str) -> None:
    run(StripeUpdateDisputeOperator(task_id="update", dispute=dispute, evidence={name: value}))

    sent = only(sandbox, "PostDisputesDispute")
    assert sent["raw_body"] == f"{expected}&submit=false"
    assert (sent["method"], sent["path"]) == ("POST", f"/v1/disputes/{dispute}")
    assert sent["content_type"] == "application/x-www-form-urlencoded"
    assert sent["headers"]["stripe-version"] == VERSION
    found = sandbox.dispute(dispute)
    if name != "enhanced_evidence":
        assert found["evidence"][name] == value
    else:
        held = found["evidence"][name]["visa_compelling_evidence_3"]
        assert [each["charge"] for each in held["prior_undisputed_transactions"]] == ["ch_1", "ch_2"]
    assert found["status"] == "needs_response"


@pytest.mark.parametrize(
    ("given", "expected", "status"),
    [
        ({}, "submit=false", "needs_response"),
        ({"submit": False}, "submit=false", "needs_response"),
        ({"submit": True}, "submit=true", "under_review"),
        (
            {"submit": True, "evidence": {"customer_name": "Zoë"}},
            "evidence[customer_name]=Zo%C3%AB&submit=true",
            "under_review",
        ),
    ],
    ids=["left out", "false", "true", "true with evidence"],
)
def test_submit_is_always_said(
    given: dict[str, Any], expected: str, status: str, sandbox: Sandbox, dispute: str
) -> None:
    run(StripeUpdateDisputeOperator(task_id="update", dispute=dispute, **given))

    assert only(sandbox, "PostDisputesDispute")["raw_body"] == expected
    found = sandbox.dispute(dispute)
    assert found["status"] == status
    assert len(found["submissions"]) == (status == "under_review")


@pytest.mark.parametrize(
    ("metadata", "expected", "left"),
    [
        ({"order": ""}, "metadata[order]=", {"shop": "north"}),
        ("", "metadata=", {}),
        ({"shop": "süd 1"}, "metadata[shop]=s%C3%BCd+1", {"order": "10432", "shop": "süd 1"}),
    ],
    ids=["one key unset", "all unset", "one key set"],
)
def test_metadata_is_set_and_unset(
    metadata: Any, expected: str, left: dict[str, str], sandbox: Sandbox, dispute: str
) -> None:
    run(StripeUpdateDisputeOperator(task_id="update", dispute=dispute, metadata=metadata))

    assert only(sandbox, "PostDisputesDispute")["raw_body"] == f"submit=false&{expected}"
    assert sandbox.dispute(dispute)["object"]["metadata"] == left


def test_evidence_is_unset_by_an_empty_text(sandbox: Sandbox, dispute: str) -> None:
    evidence = {"customer_name": "", "enhanced_evidence": ""}
    run(StripeUpdateDisputeOperator(task_id="update", dispute=dispute, evidence=evidence))

    sent = only(sandbox, "PostDisputesDispute")
    assert sent["raw_body"] == "evidence[customer_name]=&evidence[enhanced_evidence]=&submit=false"
    assert "customer_name" not in sandbox.dispute(dispute)["evidence"]


def test_what_is_expanded_in_an_update(sandbox: Sandbox, dispute: str) -> None:
    operator = StripeUpdateDisputeOperator(
        task_id="update", dispute=dispute, expand=["charge", "evidence.uncategorized_file"]
    )
    answer = run(operator)

    sent = only(sandbox, "PostDisputesDispute")
    assert sent["raw_body"] == "submit=false&expand[0]=charge&expand[1]=evidence.uncategorized_file"
    assert answer["charge"]["object"] == "charge"
    assert answer["evidence"]["uncategorized_file"]["filename"] == "a.pdf"


def test_what_is_expanded_in_a_read(sandbox: Sandbox, dispute: str) -> None:
    run(StripeGetDisputeOperator(task_id="read", dispute=dispute, expand=["charge", "payment_intent"]))

    sent = only(sandbox, "GetDisputesDispute")
    assert sent["query"] == "expand[0]=charge&expand[1]=payment_intent"
    assert (sent["method"], sent["raw_body"]) == ("GET", "")


def test_filters_of_a_list(sandbox: Sandbox, dispute: str) -> None:
    run(StripeListDisputesOperator(task_id="list", created={"gte": 1, "lt": 2_000_000_000}, limit=5))

    sent = only(sandbox, "GetDisputes")
    assert sent["query"] == "created[gte]=1&created[lt]=2000000000&limit=5"


def test_an_account_is_acted_for(sandbox: Sandbox, dispute: str) -> None:
    sandbox.add_account(api="stripe", id="acct_north", keys={})
    run(StripeListDisputesOperator(task_id="list", account="acct_north"))

    assert only(sandbox, "GetDisputes")["headers"]["stripe-account"] == "acct_north"


@pytest.mark.parametrize("return_evidence", [False, True])
def test_a_charge_is_read(return_evidence: bool, sandbox: Sandbox, dispute: str) -> None:
    sandbox.create_charge(id="ch_1", amount=1200, created=1_760_000_000)
    answer = run(StripeGetChargeOperator(task_id="read", charge="ch_1", return_evidence=return_evidence))

    sent = only(sandbox, "GetChargesCharge")
    assert (sent["method"], sent["path"], sent["query"]) == ("GET", "/v1/charges/ch_1", "")
    assert (answer["amount"], answer["created"], answer["disputed"]) == (1200, 1_760_000_000, False)
    assert answer["payment_method_details"]["card"]["fingerprint"]
    # Who paid is no news to the workflow, and stays out of XCom.
    assert ("jo@example.com" in str(answer), "Jo Doe" in str(answer)) == (return_evidence, return_evidence)


def test_concede(sandbox: Sandbox, dispute: str) -> None:
    run(StripeCloseDisputeOperator(task_id="close", dispute=dispute))

    sent = only(sandbox, "PostDisputesDisputeClose")
    assert (sent["path"], sent["raw_body"]) == (f"/v1/disputes/{dispute}/close", "")
    assert sent["headers"]["idempotency-key"]
    assert sandbox.dispute(dispute)["status"] == "lost"


def test_a_document_is_uploaded_and_used(sandbox: Sandbox, dispute: str, tmp_path: Path) -> None:
    (tmp_path / "quittung.pdf").write_bytes(PDF)
    uploads = [
        run(StripeUploadFileOperator(task_id="upload", file=str(tmp_path / "quittung.pdf"))) for _ in range(2)
    ]

    sent = sandbox.journal(operation="PostFiles")[0]
    assert sent["content_type"].startswith("multipart/form-data; boundary=")
    assert sent["body"]["purpose"] == "dispute_evidence"
    assert (sent["body"]["file"]["filename"], sent["body"]["file"]["length"]) == ("quittung.pdf", len(PDF))
    assert sent["body"]["file"]["content_type"] == "application/pdf"
    # The second upload carried the same key, and got the file that the first one made.
    assert uploads[0]["id"] == uploads[1]["id"]
    run(StripeUpdateDisputeOperator(task_id="use", dispute=dispute, evidence={"receipt": uploads[0]["id"]}))
    assert sandbox.dispute(dispute)["evidence"]["receipt"] == uploads[0]["id"]


class TestSubmittedOnce:
    def test_staging_has_no_key(self, sandbox: Sandbox, dispute: str) -> None:
        for name in ("A", "B", "A"):
            evidence = {"customer_name": name}
            run(StripeUpdateDisputeOperator(task_id="stage", dispute=dispute, evidence=evidence))
        assert sandbox.dispute(dispute)["evidence"]["customer_name"] == "A"
        calls = sandbox.journal(operation="PostDisputesDispute")
        assert not any("idempotency-key" in call["headers"] for call in calls)

    def test_the_same_submission_has_the_same_key(self, sandbox: Sandbox, dispute: str) -> None:
        sandbox.settings(permissive=True)
        for try_number in (1, 2):
            operator = StripeUpdateDisputeOperator(
                task_id="submit", dispute=dispute, evidence={"customer_name": "Zoë"}, submit=True
            )
            assert run(operator, try_number, run_id="one")["status"] == "under_review"
        assert len(sandbox.dispute(dispute)["submissions"]) == 1

    @pytest.mark.parametrize(
        "other",
        [{"evidence": {"customer_name": "Zoe"}}, {"metadata": {"a": "b"}}, {"idempotency_key": "mine"}],
    )
    def test_another_submission_has_another_key(
        self, other: dict[str, Any], sandbox: Sandbox, dispute: str
    ) -> None:
        sandbox.settings(permissive=True)
        for given in ({"evidence": {"customer_name": "Zoë"}}, other):
            run(StripeUpdateDisputeOperator(task_id="submit", dispute=dispute, submit=True, **given))
            sandbox.edit_dispute(dispute, reopen=True)
        keys = [
            call["headers"]["idempotency-key"] for call in sandbox.journal(operation="PostDisputesDispute")
        ]
        assert len(set(keys)) == 2

    def test_each_stage_has_a_key_of_its_own(self, sandbox: Sandbox, dispute: str) -> None:
        """The inquiry was answered with the same evidence as the chargeback that follows."""

        def submit() -> Any:
            return run(StripeUpdateDisputeOperator(task_id="submit", dispute=dispute, submit=True))

        sandbox.edit_dispute(dispute, case_type="inquiry", status="warning_needs_response")
        assert submit()["status"] == "warning_under_review"
        sandbox.edit_dispute(dispute, case_type="chargeback", status="needs_response")
        assert submit()["status"] == "under_review"
        assert len(sandbox.dispute(dispute)["submissions"]) == 2

    def test_a_key_that_is_given_twice_passes_for_no_success(self, sandbox: Sandbox, dispute: str) -> None:
        def submit() -> Any:
            operator = StripeUpdateDisputeOperator(
                task_id="submit", dispute=dispute, submit=True, idempotency_key="mine"
            )
            return run(operator)

        sandbox.edit_dispute(dispute, case_type="inquiry", status="warning_needs_response")
        submit()
        sandbox.edit_dispute(dispute, case_type="chargeback", status="needs_response")
        with pytest.raises(ConflictError, match="new idempotency_key for each stage") as refused:
            submit()
        assert refused.value.request_id
        assert len(sandbox.dispute(dispute)["submissions"]) == 1
