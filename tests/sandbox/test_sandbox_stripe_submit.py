from __future__ import annotations

import threading

import httpx
import pytest
from stripe_calls import PNG, dispute_of, refusal, upload

from dispute_provider.sandbox import Sandbox

# --- submitting


def test_a_missing_submit_submits(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(sandbox)
    shown = stripe.post(f"/disputes/{identifier}", data={"evidence[customer_name]": "Jo"}).json()
    assert shown["status"] == "under_review"
    assert shown["evidence_details"]["submission_count"] == 1
    [submission] = sandbox.dispute(identifier)["submissions"]
    assert submission["evidence"] == {"customer_name": "Jo"}
    assert sandbox.journal()[-1]["submitted"] is True


def test_a_stage_is_submitted_once(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(sandbox, evidence={"customer_name": "Jo"}, status="warning_needs_response")
    path, submit = f"/disputes/{identifier}", {"submit": "true"}
    assert stripe.post(path, data=submit).json()["status"] == "warning_under_review"
    refusal(stripe.post(path, data=submit))
    refusal(stripe.post(path, data={"evidence[customer_name]": "Al", "submit": "false"}))
    assert stripe.post(path, data={"metadata[a]": "b"}).status_code == 200
    sandbox.edit_dispute(identifier, reopen=True)
    again = stripe.post(path, data=submit).json()
    assert (again["status"], again["evidence_details"]["submission_count"]) == ("under_review", 2)
    assert [item["stage"] for item in sandbox.dispute(identifier)["submissions"]] == ["inquiry", "chargeback"]


def test_an_appeal_is_a_stage(sandbox: Sandbox, stripe: httpx.Client) -> None:
    appeal = {"card": {"reason_for_filing": "Signed for."}}
    identifier = dispute_of(sandbox, evidence={"appeal": appeal}, status="appeal_needs_response")
    answer = stripe.post(f"/disputes/{identifier}", data={"submit": "true"})
    assert answer.json()["status"] == "appeal_under_review"


@pytest.mark.parametrize("setting", ["permissive", "unguarded"])
def test_a_second_submission_can_be_allowed(sandbox: Sandbox, stripe: httpx.Client, setting: str) -> None:
    sandbox.settings(**{setting: True})
    path = f"/disputes/{dispute_of(sandbox, evidence={'customer_name': 'Jo'})}"
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        shown = stripe.post(path, data={"submit": "true"}, headers=headers).json()
    assert shown["evidence_details"]["submission_count"] == (2 if setting == "unguarded" else 1)
    assert stripe.post(path, data={"submit": "true"}).status_code == 200


@pytest.mark.parametrize("status", ["won", "lost", "warning_closed", "prevented"])
def test_a_closed_dispute_refuses(sandbox: Sandbox, stripe: httpx.Client, status: str) -> None:
    path = f"/disputes/{dispute_of(sandbox, status=status)}"
    for call in (path, path + "/close"):
        error = refusal(stripe.post(call))
        assert error["message"] == "This dispute is already closed"
        assert "code" not in error


def test_nothing_is_accepted_after_the_due_date(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(sandbox, due_in=60, evidence={"customer_name": "Jo"})
    path = f"/disputes/{identifier}"
    sandbox.clock(advance=61)
    assert stripe.get(path).json()["evidence_details"]["past_due"] is True
    refusal(stripe.post(path, data={"submit": "true"}))
    refusal(stripe.post(path, data={"evidence[customer_name]": "Al", "submit": "false"}))
    sandbox.clock(advance=86400)
    assert stripe.get(path).json()["status"] == "lost"
    refusal(
        stripe.post(f"/disputes/{dispute_of(sandbox, due_by=None)}", data={"evidence[customer_name]": "Al"})
    )


def test_a_submission_without_evidence_is_refused(sandbox: Sandbox, stripe: httpx.Client) -> None:
    refusal(stripe.post(f"/disputes/{dispute_of(sandbox)}", data={"submit": "true"}))


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("winning_evidence", "needs_response", "won"),
        ("losing_evidence", "needs_response", "lost"),
        ("winning_evidence", "warning_needs_response", "warning_closed"),
        ("escalate_inquiry_evidence", "warning_needs_response", "needs_response"),
        ("my evidence", "needs_response", "under_review"),
    ],
)
def test_magic_texts_decide(
    sandbox: Sandbox, stripe: httpx.Client, text: str, before: str, after: str
) -> None:
    path = f"/disputes/{dispute_of(sandbox, status=before, due_in=60)}"
    due = stripe.get(path).json()["evidence_details"]["due_by"]
    stripe.post(path, data={"evidence[uncategorized_text]": text})
    sandbox.clock(advance=2.5)
    assert "under_review" in stripe.get(path).json()["status"]
    sandbox.clock(advance=1)
    shown = stripe.get(path).json()
    assert shown["status"] == after
    if text.startswith("escalate"):
        assert shown["evidence_details"]["due_by"] > due
        assert shown["payment_method_details"]["card"]["case_type"] == "chargeback"
        assert stripe.post(path, data={"submit": "true"}).json()["evidence_details"]["submission_count"] == 2


def test_an_outcome_can_be_set(sandbox: Sandbox, stripe: httpx.Client) -> None:
    sandbox.settings(settle_after=10)
    identifier = dispute_of(sandbox, outcome="won", evidence={"customer_name": "Jo"})
    stripe.post(f"/disputes/{identifier}", data={"submit": "true"})
    sandbox.clock(advance=10)
    shown = stripe.get(f"/disputes/{identifier}").json()
    assert shown["status"] == "won"
    assert [item["amount"] for item in shown["balance_transactions"]] == [-2500, 2500]
    other = dispute_of(sandbox, evidence={"customer_name": "Jo"})
    stripe.post(f"/disputes/{other}", data={"submit": "true"})
    sandbox.clock(advance=100)
    assert sandbox.edit_dispute(other, outcome="lost")["status"] == "under_review"
    sandbox.clock(advance=10)
    assert sandbox.dispute(other)["status"] == "lost"


@pytest.mark.parametrize("method", ["prefer_manual", "prefer_smart_disputes", "smart_disputes"])
def test_smart_disputes_submit_automatically(method: str, sandbox: Sandbox, stripe: httpx.Client) -> None:
    fields = {"intended_submission_method": method, "due_in": 60}
    identifier = dispute_of(sandbox, evidence={"customer_name": "Jo"}, **fields)
    sandbox.clock(advance=60)
    assert stripe.get(f"/disputes/{identifier}").json()["status"] == "under_review"
    assert sandbox.dispute(identifier)["submissions"][0]["method"] == "smart_disputes"


def test_conceding(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}/close"
    assert refusal(stripe.post(path, data={"submit": "true"}))["code"] == "parameter_unknown"
    assert stripe.post(path).json()["status"] == "lost"
    refusal(stripe.post(path))
    refusal(stripe.post(f"/disputes/{dispute_of(sandbox, status='under_review')}/close"))


# --- idempotency


def test_the_first_answer_is_replayed(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, evidence={'customer_name': 'Jo'})}"
    headers = {"Idempotency-Key": "k1"}
    first = stripe.post(path, data={"submit": "true"}, headers=headers)
    again = stripe.post(path, data={"submit": "true"}, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert [entry["submitted"] for entry in sandbox.journal()] == [True, False]
    error = refusal(stripe.post(path, data={"metadata[a]": "b"}, headers=headers))
    assert error["type"] == "idempotency_error"
    # A refusal by state is stored as well, under the key of the calling account.
    late = {"Idempotency-Key": "k2"}
    refusal(stripe.post(path, data={"submit": "true"}, headers=late))
    assert stripe.post(path, data={"submit": "true"}, headers=late).headers["idempotent-replayed"] == "true"
    other = f"/disputes/{dispute_of(sandbox, account='acct_other')}"
    answer = stripe.post(other, data={}, headers={**headers, "Stripe-Account": "acct_other"})
    assert answer.status_code == 200


def test_failed_validation_is_not_stored(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    headers = {"Idempotency-Key": "k1"}
    refusal(stripe.post(path, data={"submit": "perhaps"}, headers=headers))
    assert stripe.post(path, data={"metadata[a]": "b"}, headers=headers).status_code == 200
    for key in ("", "k" * 256):
        refusal(stripe.post(path, headers={"Idempotency-Key": key}))


def test_a_file_is_the_same_with_any_multipart_boundary(stripe: httpx.Client) -> None:
    first = upload(stripe, headers={"Idempotency-Key": "f"}).json()
    assert upload(stripe, headers={"Idempotency-Key": "f"}).json() == first
    assert refusal(upload(stripe, PNG, headers={"Idempotency-Key": "f"}))["type"] == "idempotency_error"


def test_a_stored_500_stays(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, evidence={'customer_name': 'Jo'})}"
    sandbox.fault(effect="stored-500", operation="PostDisputesDispute")
    for replayed in (None, "true"):
        answer = stripe.post(path, data={"submit": "true"}, headers={"Idempotency-Key": "k"})
        assert refusal(answer, 500)["type"] == "api_error"
        assert answer.headers.get("idempotent-replayed") == replayed
    assert stripe.get(path).json()["status"] == "needs_response"
    assert stripe.post(path, data={"submit": "true"}, headers={"Idempotency-Key": "l"}).status_code == 200


def test_a_concurrent_request_under_the_key_is_409(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, evidence={'customer_name': 'Jo'})}"
    sandbox.fault(effect="delay", seconds=0.3)
    statuses: list[int] = []

    def submit() -> None:
        headers = {"Idempotency-Key": "k"}
        statuses.append(stripe.post(path, data={"submit": "true"}, headers=headers).status_code)

    first = threading.Thread(target=submit)
    first.start()
    while not sandbox.faults()[0]["spoilt"]:
        pass
    submit()
    first.join()
    submit()
    assert statuses == [409, 200, 200]
    assert [entry["submitted"] for entry in sandbox.journal()] == [False, True, False]


def test_an_escaped_slash_stays_in_the_id(sandbox: Sandbox, stripe: httpx.Client) -> None:
    assert refusal(stripe.get("/disputes/x%2Fclose"), 404)["code"] == "resource_missing"
    assert sandbox.journal()[-1]["dispute"] == "x/close"
    refusal(stripe.get("/disputes/x/y/z"), 404)
    refusal(stripe.delete("/disputes/x"), 404)


def test_the_appeal_stage_accepts_only_an_appeal(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, status='appeal_needs_response')}"
    other = {"evidence[customer_name]": "Jo", "evidence[appeal][card][reason_for_filing]": "Signed for."}
    refused = refusal(stripe.post(path, data=other | {"submit": "false"}))
    assert refused["param"] == "evidence[customer_name]"
    assert not any(stripe.get(path).json()["evidence"].values())
    appeal = {"evidence[appeal][card][reason_for_filing]": "Signed for.", "submit": "false"}
    assert stripe.post(path, data=appeal).json()["evidence"]["appeal"]["card"] == {
        "reason_for_filing": "Signed for."
    }


@pytest.mark.parametrize("status", ["needs_response", "warning_needs_response"])
@pytest.mark.parametrize("submit", ["true", "false"])
def test_the_other_stages_do_not_accept_an_appeal(
    sandbox: Sandbox, stripe: httpx.Client, status: str, submit: str
) -> None:
    path = f"/disputes/{dispute_of(sandbox, status=status, evidence={'customer_name': 'Jo'})}"
    before = stripe.get(path).json()
    for appeal in ({"evidence[appeal][card][reason_for_filing]": "Signed for."}, {"evidence[appeal]": ""}):
        refused = refusal(stripe.post(path, data={**appeal, "submit": submit}))
        assert refused["param"] == "evidence[appeal]"
    assert stripe.get(path).json() == before


def test_the_evidence_of_earlier_stages_does_not_count_as_an_appeal(
    sandbox: Sandbox, stripe: httpx.Client
) -> None:
    identifier = dispute_of(sandbox, evidence={"customer_name": "Jo"}, status="appeal_needs_response")
    path = f"/disputes/{identifier}"
    assert "no evidence to submit" in refusal(stripe.post(path, data={"submit": "true"}))["message"]
    reason = "evidence[appeal][card][reason_for_filing]"
    stripe.post(path, data={reason: "Signed for.", "submit": "false"})
    stripe.post(path, data={reason: "", "submit": "false"})
    refusal(stripe.post(path, data={"submit": "true"}))
    stripe.post(path, data={reason: "Signed for.", "submit": "true"})
    [submission] = sandbox.dispute(identifier)["submissions"]
    assert submission["evidence"] == {"appeal": {"card": {"reason_for_filing": "Signed for."}}}


def test_the_limits_of_files_apply_to_an_appeal(sandbox: Sandbox, stripe: httpx.Client) -> None:
    pages = {"filename": "long.pdf", "content": "%PDF-1.4\n" + "<</Type /Page >>\n" * 50}
    named = sandbox.create_dispute(api="stripe", evidence={"receipt": pages})["object"]["evidence"]["receipt"]
    path = f"/disputes/{dispute_of(sandbox, status='appeal_needs_response')}"
    data = {"evidence[appeal][card][supporting_files][0]": named, "submit": "false"}
    assert refusal(stripe.post(path, data=data))["code"] == "dispute_evidence_page_limit_exceeded"
