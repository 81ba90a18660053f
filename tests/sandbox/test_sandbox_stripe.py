from __future__ import annotations

from typing import Any

import httpx
import pytest
from stripe_calls import dispute_of, keeps_contract, refusal, upload

from dispute_provider.sandbox import STRIPE_READONLY_KEY, Sandbox, SandboxError

# --- authentication


@pytest.mark.parametrize("header", ["", "Bearer sk_test_other", "Basic !", "Bearer sk_live_sandbox"])
def test_an_unknown_key_is_401(stripe: httpx.Client, header: str) -> None:
    answer = stripe.get("/disputes", headers={"Authorization": header})
    assert refusal(answer, 401)["type"] == "invalid_request_error"
    assert answer.headers["request-id"].startswith("req_")


def test_a_key_works_as_basic_user(sandbox: Sandbox, stripe: httpx.Client) -> None:
    assert httpx.get(f"{sandbox.url}/v1/account", auth=("sk_test_sandbox", "")).json()["id"] == "acct_sandbox"


def test_a_restricted_key_reads_but_does_not_write(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    headers = {"Authorization": f"Bearer {STRIPE_READONLY_KEY}"}
    assert stripe.get(path, headers=headers).status_code == 200
    refusal(stripe.post(path, headers=headers), 403)
    refusal(upload(stripe, headers=headers), 403)


def test_accounts_are_separate(sandbox: Sandbox, stripe: httpx.Client) -> None:
    theirs = dispute_of(sandbox, account="acct_other")
    header = {"Stripe-Account": "acct_other"}
    assert refusal(stripe.get(f"/disputes/{theirs}"), 404)["code"] == "resource_missing"
    assert stripe.get(f"/disputes/{theirs}", headers=header).status_code == 200
    assert stripe.get("/disputes").json()["data"] == []
    refusal(stripe.get("/disputes", headers={"Stripe-Account": "acct_unknown"}), 403)
    file = upload(stripe).json()["id"]
    body = {"evidence[receipt]": file, "submit": "false"}
    assert (
        refusal(stripe.post(f"/disputes/{theirs}", data=body, headers=header))["code"] == "resource_missing"
    )


def test_live_mode_needs_a_registered_live_key(sandbox: Sandbox, stripe: httpx.Client) -> None:
    live = dispute_of(sandbox, livemode=True)
    refusal(stripe.get(f"/disputes/{live}"), 404)
    sandbox.add_account(api="stripe", id="acct_sandbox", keys={"sk_live_known": "write"})
    answer = stripe.get(f"/disputes/{live}", headers={"Authorization": "Bearer sk_live_known"})
    assert answer.json()["livemode"] is True


def test_the_version_is_echoed_and_hides_no_newer_field(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    answer = stripe.get(path)
    assert answer.headers["stripe-version"] == "2026-10-28.endive"
    older = stripe.get(path, headers={"Stripe-Version": "2022-11-15"})
    assert older.headers["stripe-version"] == "2022-11-15"
    assert answer.json().keys() < older.json().keys()
    assert older.json()["balance_transaction"] == older.json()["balance_transactions"][0]["id"]
    oldest = stripe.get(path, headers={"Stripe-Version": "2014-11-20"})
    assert isinstance(oldest.json()["evidence"], str)
    refusal(stripe.get(path, headers={"Stripe-Version": "latest"}))


@pytest.mark.parametrize("method", ["manual", "prefer_manual", "prefer_smart_disputes", "smart_disputes"])
def test_the_submission_method_of_a_dispute(method: str, sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, intended_submission_method='smart_disputes')}"
    body = {"intended_submission_method": method, "submit": "false"}
    assert stripe.post(path, data=body).json()["intended_submission_method"] == method
    assert stripe.get(path).json()["intended_submission_method"] == method


def test_an_account_without_smart_disputes(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(
        sandbox, intended_submission_method=None, evidence={"customer_name": "Jo"}, due_in=60
    )
    path = f"/disputes/{identifier}"
    shown = stripe.get(path).json()
    assert shown["intended_submission_method"] is None
    refused = refusal(stripe.post(path, data={"intended_submission_method": "manual", "submit": "false"}))
    assert (refused["code"], refused["param"]) == (
        "smart_disputes_not_available",
        "intended_submission_method",
    )
    sandbox.clock(advance=61)
    assert sandbox.dispute(identifier)["submissions"] == []


def test_a_dispute_that_does_not_show_its_submission_method(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(
        sandbox,
        intended_submission_method="smart_disputes",
        shows_submission_method=False,
        evidence={"customer_name": "Jo"},
        due_in=60,
    )
    assert "intended_submission_method" not in stripe.get(f"/disputes/{identifier}").json()
    sandbox.clock(advance=61)
    assert sandbox.dispute(identifier)["submissions"]


def test_an_unknown_submission_method_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="unknown intended_submission_method sometimes"):
        dispute_of(sandbox, intended_submission_method="sometimes")


def test_an_organizations_key_needs_a_context_and_a_version(sandbox: Sandbox, stripe: httpx.Client) -> None:
    sandbox.add_account(api="stripe", id="acct_shop", keys={"sk_org_test_many": "write"})
    path = f"/disputes/{dispute_of(sandbox, account='acct_shop')}"
    key = {"Authorization": "Bearer sk_org_test_many"}
    context, version = {"Stripe-Context": "acct_hq/acct_shop"}, {"Stripe-Version": "2026-10-28.endive"}
    for headers in (key, key | context, key | version):
        assert "organization's key needs the header" in refusal(stripe.get(path, headers=headers))["message"]
    assert stripe.get(path, headers=key | context | version).status_code == 200


def test_a_wrong_key_is_quoted_with_its_last_characters(stripe: httpx.Client) -> None:
    refused = refusal(stripe.get("/account", headers={"Authorization": "Bearer sk_test_51Wrongabcd"}), 401)
    assert refused["message"] == "Invalid API Key provided: sk_test_************abcd"


# --- the object


@pytest.mark.parametrize("status", ["needs_response", "warning_needs_response"])
def test_the_object_matches_the_contract(sandbox: Sandbox, stripe: httpx.Client, status: str) -> None:
    shown = stripe.get(f"/disputes/{dispute_of(sandbox, status=status)}").json()
    keeps_contract(shown, "/v1/disputes/{dispute}", "get")
    keeps_contract(stripe.get("/disputes").json(), "/v1/disputes", "get")
    keeps_contract(upload(stripe).json(), "/v1/files", "post")
    keeps_contract(stripe.get("/account").json(), "/v1/account", "get")
    assert len(shown["evidence"]) == 28
    assert shown["evidence"].pop("enhanced_evidence") == {}
    assert set(shown["evidence"].values()) == {None}
    inquiry = status.startswith("warning")
    assert shown["payment_method_details"]["card"]["case_type"] == ("inquiry" if inquiry else "chargeback")
    assert shown["is_charge_refundable"] is inquiry
    assert bool(shown["balance_transactions"]) is not inquiry


def test_expand(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(sandbox, evidence={"receipt": {"filename": "r.pdf"}})
    query = "expand[0]=charge&expand[1]=payment_intent&expand[2]=evidence.receipt"
    shown = stripe.get(f"/disputes/{identifier}?{query}").json()
    assert [shown["charge"]["object"], shown["payment_intent"]["object"]] == ["charge", "payment_intent"]
    assert shown["evidence"]["receipt"]["purpose"] == "dispute_evidence"
    listed = stripe.get("/disputes?expand[]=data.charge").json()["data"]
    assert listed[0]["charge"]["id"] == shown["charge"]["id"]
    for path, name in ((f"/disputes/{identifier}", "customer"), ("/disputes", "charge")):
        assert refusal(stripe.get(path, params={"expand[]": name}))["param"] == "expand"


# --- staging


def test_staging_merges_per_key_and_clears(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, evidence={'customer_name': 'Jo', 'billing_address': 'A'})}"
    body = {"evidence[customer_name]": "Jó\n {{ x }}", "evidence[billing_address]": "", "submit": "false"}
    shown = stripe.post(path, data=body).json()
    assert shown["status"] == "needs_response"
    assert shown["evidence"]["customer_name"] == "Jó\n {{ x }}"
    assert shown["evidence"]["billing_address"] is None
    assert shown["evidence_details"]["has_evidence"] is True
    shown = stripe.post(path, data={"evidence[customer_name]": "", "submit": "false"}).json()
    assert shown["evidence_details"]["has_evidence"] is False


def test_enhanced_evidence(sandbox: Sandbox, stripe: httpx.Client) -> None:
    fields: dict[str, Any] = {"enhanced_eligibility_types": ["visa_compelling_evidence_3", "visa_compliance"]}
    path = f"/disputes/{dispute_of(sandbox, **fields)}"
    at = "evidence[enhanced_evidence][visa_compelling_evidence_3]"
    body = {
        "submit": "false",
        f"{at}[disputed_transaction][customer_purchase_ip]": "192.0.2.1",
        f"{at}[disputed_transaction][product_description]": "Socks",
        f"{at}[disputed_transaction][merchandise_or_services]": "merchandise",
        f"{at}[disputed_transaction][customer_device_id]": "short",
        f"{at}[prior_undisputed_transactions][0][charge]": "ch_1",
        f"{at}[prior_undisputed_transactions][0][product_description]": "Socks",
        "evidence[enhanced_evidence][visa_compliance][fee_acknowledged]": "true",
    }
    shown = stripe.post(path, data=body).json()
    eligibility = shown["evidence_details"]["enhanced_eligibility"]
    assert eligibility["visa_compliance"]["status"] == "fee_acknowledged"
    assert (
        "missing_prior_undisputed_transactions"
        in eligibility["visa_compelling_evidence_3"]["required_actions"]
    )
    assert "prior_undisputed" in refusal(stripe.post(path, data={"submit": "true"}))["param"]
    prior = f"{at}[prior_undisputed_transactions]"
    both = {f"{prior}[{n}][charge]": f"ch_{n}" for n in (0, 1)}
    both |= {f"{prior}[{n}][product_description]": "Socks" for n in (0, 1)}
    assert "customer_device_id" in refusal(stripe.post(path, data={**both, "submit": "true"}))["param"]
    both[f"{at}[disputed_transaction][customer_device_id]"] = ""
    shown = stripe.post(path, data={**both, "submit": "false"}).json()
    eligibility = shown["evidence_details"]["enhanced_eligibility"]
    assert eligibility["visa_compelling_evidence_3"] == {"required_actions": [], "status": "qualified"}
    assert shown["evidence"]["enhanced_evidence"]["visa_compliance"] == {"fee_acknowledged": True}
    assert stripe.post(path, data={"submit": "true"}).json()["status"] == "under_review"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ("colour=red", "colour", "parameter_unknown"),
        ("evidence[colour]=red", "evidence[colour]", "parameter_unknown"),
        ("evidence=x", "evidence", None),
        ("evidence[customer_name][x]=1", "evidence[customer_name]", None),
        ("submit=True", "submit", None),
        ("submit=1", "submit", None),
        ("expand=charge", "expand", None),
        ("intended_submission_method=sometimes", "intended_submission_method", None),
        ("evidence[receipt]=file_unknown", "evidence[receipt]", "resource_missing"),
        ("evidence[enhanced_evidence][visa_compliance][fee_acknowledged]=yes", None, None),
        (
            "evidence[enhanced_evidence][visa_compelling_evidence_3][prior_undisputed_transactions][0][x]=1",
            None,
            "parameter_unknown",
        ),
        ("submit=true&submit=false", "submit", None),
        ("evidence[customer_name=x", "evidence[customer_name", None),
        ("evidence=&evidence[customer_name]=x", "evidence[customer_name]", None),
        ("metadata[a]=" + "x" * 501, "metadata[a]", None),
        ("metadata[" + "k" * 41 + "]=x", None, None),
        ("evidence[customer_name]=" + "x" * 5001, "evidence[customer_name]", None),
        ("evidence[product_description]=" + "x" * 20_001, "evidence[product_description]", None),
        ("evidence[customer_name]=%ff", None, None),
    ],
)
def test_unknown_and_overlong_parameters_are_refused(
    sandbox: Sandbox, stripe: httpx.Client, body: str, param: str | None, code: str | None
) -> None:
    identifier = dispute_of(sandbox)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    error = refusal(stripe.post(f"/disputes/{identifier}", content=body, headers=headers))
    assert error["type"] == "invalid_request_error"
    assert error.get("code") == code
    assert param is None or error["param"] == param
    [entry] = sandbox.journal()
    assert entry["changed"] is False
    assert sandbox.dispute(identifier)["submissions"] == []


def test_lengths_are_counted_in_utf16(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    body = {"evidence[customer_name]": "😀" * 2500, "submit": "false"}
    assert stripe.post(path, data=body).status_code == 200
    refusal(stripe.post(path, data={**body, "evidence[customer_name]": "😀" * 2501}))


def test_all_texts_together_have_a_limit(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    long = [
        "access_activity_log", "cancellation_policy_disclosure", "cancellation_rebuttal",
        "duplicate_charge_explanation", "product_description", "refund_policy_disclosure",
        "refund_refusal_explanation",
    ]  # fmt: skip
    body = {"submit": "false", **{f"evidence[{name}]": "x" * 20_000 for name in long}}
    body["evidence[uncategorized_text]"] = "x" * 10_000
    assert stripe.post(path, data=body).status_code == 200
    error = refusal(stripe.post(path, data={"evidence[customer_name]": "x", "submit": "false"}))
    assert error["param"] == "evidence"


def test_a_body_must_be_a_form(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    refusal(stripe.post(path, json={"submit": False}))
    refusal(stripe.post(path + "?submit=false"))
    assert stripe.post(path).json()["status"] == "needs_response"


def test_metadata_merges_and_unsets(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox, metadata={'a': '1'})}"
    assert stripe.post(path, data={"metadata[b]": "2"}).json()["metadata"] == {"a": "1", "b": "2"}
    assert stripe.post(path, data={"metadata[a]": ""}).json()["metadata"] == {"b": "2"}
    answer = stripe.post(path, data={"metadata": ""}).json()
    assert answer["metadata"] == {}
    assert answer["status"] == "needs_response"
    refusal(stripe.post(path, data={f"metadata[{n}]": "x" for n in range(51)}))
    assert stripe.get(path).json()["metadata"] == {}


# --- lists


def test_pages(sandbox: Sandbox, stripe: httpx.Client) -> None:
    ids = [item["id"] for item in sandbox.create_disputes([{"api": "stripe"}] * 5)][::-1]

    def page(**query: Any) -> tuple[list[str], bool]:
        found = stripe.get("/disputes", params=query).json()
        assert (found["object"], found["url"]) == ("list", "/v1/disputes")
        return [item["id"] for item in found["data"]], found["has_more"]

    assert page() == (ids, False)
    assert page(limit=2) == (ids[:2], True)
    assert page(limit=2, starting_after=ids[1]) == (ids[2:4], True)
    assert page(limit=2, starting_after=ids[3]) == (ids[4:], False)
    assert page(limit=2, ending_before=ids[4]) == (ids[2:4], True)
    assert page(limit=2, ending_before=ids[2]) == (ids[:2], False)


def test_filters(sandbox: Sandbox, stripe: httpx.Client) -> None:
    ids = [
        dispute_of(sandbox, created=1000 + n, charge=f"ch_{n}", payment_intent=f"pi_{n}") for n in range(3)
    ]

    def found(query: str) -> list[int]:
        return sorted(ids.index(item["id"]) for item in stripe.get(f"/disputes?{query}").json()["data"])

    assert found("charge=ch_1") == found("payment_intent=pi_1") == found("created=1001") == [1]
    assert found("created[gt]=1000") == found("created[gte]=1001") == [1, 2]
    assert found("created[lt]=1002&created[gt]=1000") == [1]
    assert found("created[lte]=1001") == [0, 1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "status=won", "created[eq]=1", "starting_after=dp_unknown",
     "starting_after=a&ending_before=b"],
)  # fmt: skip
def test_a_bad_query_is_refused(stripe: httpx.Client, query: str) -> None:
    refusal(stripe.get(f"/disputes?{query}"))


def test_events_report_each_change(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(sandbox, outcome="won")
    stripe.post(f"/disputes/{identifier}", data={"evidence[customer_name]": "Jo"})
    sandbox.clock(advance=5)
    events = stripe.get("/events").json()["data"]
    assert [event["type"].rpartition(".")[2] for event in events] == [
        "funds_reinstated", "closed", "updated", "created",
    ]  # fmt: skip
    assert events[-1]["data"]["object"]["evidence"]["customer_name"] is None
    only = stripe.get("/events?types[]=charge.dispute.closed").json()["data"]
    assert [event["data"]["object"]["status"] for event in only] == ["won"]
