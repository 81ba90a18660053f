"""The version, the account and the key of Stripe's calls, as a connection from the README makes them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from running import only, run
from support import Connect

from dispute_provider._contracts import contract
from dispute_provider._explain.reference import reference
from dispute_provider.exceptions import (
    ApiError,
    AuthenticationError,
    DisputeError,
    InvalidRequestError,
    PermissionDeniedError,
)
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.operators.request import RequestOperator, form
from dispute_provider.operators.stripe import (
    StripeGetAccountOperator,
    StripeGetDisputeOperator,
    StripeListDisputesOperator,
    StripeUpdateDisputeOperator,
)
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

VERSION = "2026-10-28.endive"
ORGANIZATION_KEY = "sk_org_test_51Organization"
WRONG_KEY = "sk_test_51WrongKeyOfTheShop9xQz"


def operators(dispute: str) -> list[Any]:
    return [
        StripeGetAccountOperator(task_id="account"),
        StripeListDisputesOperator(task_id="list"),
        StripeGetDisputeOperator(task_id="read", dispute=dispute),
        StripeUpdateDisputeOperator(task_id="stage", dispute=dispute, evidence={"customer_name": "Zoë"}),
    ]


def request(operation_id: str, **typed: Any) -> Any:
    """Return the result of a request DAG whose form has its defaults except for the given values."""
    operation = contract.load("stripe")[operation_id]
    params = {name: param.value for name, param in form(operation).items()} | typed
    operator = RequestOperator(task_id="request", api="stripe", operation_id=operation_id, operator="a.B")
    context = {"params": params, "ti": SimpleNamespace(try_number=1)}
    return operator.execute(cast("Context", context))


@pytest.mark.parametrize(("named", "sent"), [(None, VERSION), ("", VERSION), ("2023-10-16", "2023-10-16")])
def test_every_call_names_the_version(
    named: str | None, sent: str, sandbox: Sandbox, connect: Connect
) -> None:
    connect("stripe", extra={"api_version": named})
    dispute = sandbox.create_dispute(api="stripe")["id"]
    for operator in operators(dispute):
        run(operator)
    request("GetDisputesDispute", dispute=dispute, dry_run=False)
    worked, message = StripeHook().test_connection()
    assert worked
    assert message.endswith(f"test mode, API version {sent}.")
    assert len(sandbox.journal()) == 6
    assert {entry["headers"].get("stripe-version") for entry in sandbox.journal()} == {sent}


@pytest.mark.parametrize("operation_id", contract.load("stripe").operations)
def test_the_reference_of_an_operation_names_it(operation_id: str) -> None:
    page = reference(contract.load("stripe")[operation_id], None)
    assert f"-H 'Stripe-Version: {VERSION}'" in page[page.index("### cURL") :]


def test_what_is_shown_names_the_version(sandbox: Sandbox, stripe_connection: str) -> None:
    shown = request("GetDisputesDispute")
    assert shown["headers"]["Stripe-Version"] == VERSION
    assert f"Stripe-Version: {VERSION}" in shown["curl"]


class TestOrganizationKey:
    """A key that belongs to no account; it needs Stripe-Context and Stripe-Version."""

    @pytest.fixture
    def shop(self, sandbox: Sandbox, connect: Connect) -> str:
        sandbox.add_account(api="stripe", id="acct_shop", keys={ORGANIZATION_KEY: "write"})
        connect("stripe", password=ORGANIZATION_KEY, extra={"context": "acct_shop"})
        return "acct_shop"

    def test_without_a_context_it_is_refused_and_nothing_is_sent(
        self, sandbox: Sandbox, connect: Connect
    ) -> None:
        connect("stripe", password=ORGANIZATION_KEY)
        for operator in operators("du_1"):
            with pytest.raises(DisputeError) as caught:
                run(operator)
            message = str(caught.value)
            assert "its key belongs to an organization, but its context is blank" in message
            assert "set context to the account to act for (acct_…)" in message
        worked, message = StripeHook().test_connection()
        assert (worked, "set context" in message) == (False, True)
        assert sandbox.journal() == []

    def test_every_call_names_its_context(self, shop: str, sandbox: Sandbox) -> None:
        dispute = sandbox.create_dispute(api="stripe", account=shop)["id"]
        for operator in operators(dispute):
            run(operator)
        assert StripeHook().test_connection() == (
            True,
            f"Reached Stripe account {shop}, test mode, API version {VERSION}.",
        )
        headers = [entry["headers"] for entry in sandbox.journal()]
        assert {each["stripe-context"] for each in headers} == {shop}
        assert not [each for each in headers if "stripe-account" in each]

    def test_a_connected_account_is_the_end_of_the_path(self, shop: str, sandbox: Sandbox) -> None:
        dispute = sandbox.create_dispute(api="stripe", account="acct_branch")["id"]
        run(StripeGetDisputeOperator(task_id="read", dispute=dispute, account="acct_branch"))
        headers = only(sandbox, "GetDisputesDispute")["headers"]
        assert headers["stripe-context"] == "acct_shop/acct_branch"
        assert "stripe-account" not in headers
        shown = request("GetDisputesDispute", **{"Stripe-Account": "acct_branch"})
        assert shown["headers"]["Stripe-Context"] == "acct_shop/acct_branch"
        assert "Stripe-Account" not in shown["headers"]


class TestWrongKey:
    """Stripe's and Moov's errors quote the ends of a key; ours never do."""

    @pytest.mark.parametrize(
        "message",
        [
            "Invalid API Key provided: sk_test_*******************9xQz",
            "Expired API Key provided: sk_test_****9xQz.",
            "The API key ending in 9xQz is not known",
            "The provided key 'sk_test_****9xQz' does not have access to account 'acct_1'",
            f"There is no key {WRONG_KEY[:14]}...",
            f"There is no key {WRONG_KEY}",
        ],
    )
    @pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
    def test_nothing_of_it_is_quoted(
        self,
        status: int,
        kind: type[ApiError],
        message: str,
        sandbox: Sandbox,
        connect: Connect,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        connect("stripe", password=WRONG_KEY)
        answer = {"error": {"type": "invalid_request_error", "message": message}}
        sandbox.fault(effect="status", status=status, body=answer, times=None)
        with pytest.raises(kind) as caught:
            run(StripeGetAccountOperator(task_id="account"))
        worked, result = StripeHook().test_connection()
        assert not worked
        for text in (str(caught.value), repr(caught.value), result, caplog.text):
            assert "9xQz" not in text
            assert WRONG_KEY[:12] not in text
        assert "[redacted]" in result
        assert "To do:" in result

    def test_the_sandbox_refuses_it_as_stripe_does(self, sandbox: Sandbox, connect: Connect) -> None:
        connect("stripe", password=WRONG_KEY)
        worked, message = StripeHook().test_connection()
        assert (worked, "9xQz" in message) == (False, False)
        assert "Invalid API Key provided: [redacted]. To do: check the key" in message

    def test_nor_of_moovs_secret_key(self, sandbox: Sandbox, connect: Connect) -> None:
        from dispute_provider.hooks.moov import MoovHook

        connect("moov", login="public", password="a-secret-of-9xQz", extra={"account": MOOV_ACCOUNT})
        sandbox.fault(effect="status", status=401, body={"error": "no key public:*****9xQz here"}, times=None)
        worked, message = MoovHook().test_connection()
        assert (worked, "9xQz" in message) == (False, False)


class TestOutdatedVersion:
    """Before 2014-12-08 a dispute held its evidence as one text."""

    @pytest.mark.parametrize("evidence", ["Delivered and signed for.", "", None])
    def test_it_is_told_apart_from_an_answer_that_cannot_be_read(
        self, evidence: str | None, sandbox: Sandbox, stripe_connection: str
    ) -> None:
        dispute = sandbox.create_dispute(api="stripe")["id"]
        old = {**sandbox.dispute(dispute)["object"], "evidence": evidence, "evidence_due_by": 1418000000}
        del old["evidence_details"]
        page = {"object": "list", "data": [old], "has_more": False, "url": "/v1/disputes"}
        for operator, answer in (
            (StripeGetDisputeOperator(task_id="read", dispute=dispute), old),
            (StripeListDisputesOperator(task_id="list"), page),
        ):
            sandbox.clear_journal()
            sandbox.clear_faults()
            sandbox.fault(effect="status", status=200, body=answer, times=None)
            with pytest.raises(ApiError) as caught:
                run(operator)
            message = str(caught.value)
            assert "the account's API version is too old: older than 2014-12-08" in message
            assert "To do: leave api_version of the Airflow connection blank" in message
            assert "signed for" not in message
            assert len(sandbox.journal()) == 1, "it is not sent again: the next answer would be the same"


def test_smart_disputes_that_an_account_does_not_have(sandbox: Sandbox, stripe_connection: str) -> None:
    dispute = sandbox.create_dispute(api="stripe", intended_submission_method=None)["id"]
    operator = StripeUpdateDisputeOperator(
        task_id="stage", dispute=dispute, intended_submission_method="manual"
    )
    with pytest.raises(InvalidRequestError) as caught:
        run(operator)
    message = str(caught.value)
    assert "400 smart_disputes_not_available" in message
    assert "To do: this account has no Smart Disputes" in message
    assert "omit intended_submission_method" in message


def test_an_appeal_is_sent_by_name(sandbox: Sandbox, stripe_connection: str) -> None:
    dispute = sandbox.create_dispute(api="stripe", status="appeal_needs_response")["id"]
    document = {"receipt": {"filename": "label.pdf"}}
    other = sandbox.create_dispute(api="stripe", evidence=document)
    file = other["object"]["evidence"]["receipt"]
    card = {"reason_for_filing": "Signed for.", "supporting_files": [file]}
    run(StripeUpdateDisputeOperator(task_id="stage", dispute=dispute, evidence={"appeal": {"card": card}}))
    sent = only(sandbox, "PostDisputesDispute")["body"]
    shown = {**card, "supporting_files": {"0": file}}
    assert sent == {"evidence": {"appeal": {"card": shown}}, "submit": "false"}
    assert sandbox.dispute(dispute)["evidence"]["appeal"] == {"card": card}
    with pytest.raises(InvalidRequestError, match="no other evidence"):
        run(StripeUpdateDisputeOperator(task_id="x", dispute=dispute, evidence={"customer_name": "Zoë"}))


@pytest.mark.parametrize(
    ("status", "evidence", "message"),
    [
        (
            "appeal_needs_response",
            {"customer_name": "Zoë", "receipt": ""},
            [
                "/evidence/customer_name: it is at the appeal stage, which accepts only appeal; remove it",
                "/evidence/receipt: it is at the appeal stage, which accepts only appeal; remove it",
            ],
        ),
        (
            "needs_response",
            {"customer_name": "Zoë", "appeal": {"card": {"reason_for_filing": "Signed for."}}},
            ["/evidence/appeal: it is at the chargeback stage, which does not accept appeal; remove it"],
        ),
    ],
)
def test_evidence_for_another_stage_is_submitted_nowhere(
    status: str, evidence: dict[str, Any], message: list[str], sandbox: Sandbox, stripe_connection: str
) -> None:
    dispute = sandbox.create_dispute(api="stripe", status=status)["id"]
    submit = StripeUpdateDisputeOperator(task_id="submit", dispute=dispute, evidence=evidence, submit=True)
    with pytest.raises(InvalidRequestError) as caught:
        run(submit)
    assert all(each in str(caught.value) for each in message)
    assert [entry["method"] for entry in sandbox.journal()] == ["GET"]


def test_an_appeal_is_submitted_and_read_back(sandbox: Sandbox, stripe_connection: str) -> None:
    dispute = sandbox.create_dispute(
        api="stripe", status="appeal_needs_response", evidence={"customer_name": "of the chargeback"}
    )["id"]
    evidence = {"appeal": {"card": {"reason_for_filing": "Signed for."}}}
    answer = run(
        StripeUpdateDisputeOperator(task_id="submit", dispute=dispute, evidence=evidence, submit=True)
    )
    assert answer["status"] == "appeal_under_review"
    [submission] = sandbox.dispute(dispute)["submissions"]
    assert submission["evidence"] == evidence
