"""Every operator checks its arguments, logs no texts, and has its errors, retries and link."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from running import run
from support import Connect

from dispute_provider._contracts import contract
from dispute_provider._tasks.links import DisputeLink, ReferenceLink
from dispute_provider._tasks.retry import ApiRetryPolicy
from dispute_provider.exceptions import (
    AmbiguousError,
    AuthenticationError,
    ConflictError,
    ConnectionConfigError,
    DisputeError,
    InvalidCaseError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnreachableError,
)
from dispute_provider.operators import moov, stripe
from dispute_provider.operators._api import ApiOperator
from dispute_provider.operators.call import CallOperator
from dispute_provider.sandbox import Sandbox

OPERATORS = [
    found
    for module in (stripe, moov)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, ApiOperator) and hasattr(found, "operation_id")
]
TOKENS = {"createAccessToken", "revokeAccessToken"}
SECRET_TEXT = "Zoë's cat {{ conn.stripe_default.password }} ate it"


def parameters(operator: type[ApiOperator]) -> set[str]:
    """The constructor's own parameters, those of its bases included."""
    return {
        name
        for base in operator.__mro__[: operator.__mro__.index(ApiOperator)]
        if "__init__" in vars(base)
        for name, parameter in inspect.signature(base).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


class TestEachOperator:
    def test_there_is_one_for_each_operation(self) -> None:
        named = sorted((found.api, found.operation_id) for found in OPERATORS)
        assert named == sorted(
            (api, name)
            for api in ("stripe", "moov")
            for name in contract.load(api).operations.keys() - TOKENS
        )

    @pytest.mark.parametrize("operator", OPERATORS)
    def test_it_takes_what_the_operation_takes(self, operator: type[ApiOperator]) -> None:
        operation = contract.load(operator.api)[operator.operation_id]
        offered = {
            python for name, python in operation.python_names.items() if operation.role(name) != "connection"
        }
        own = {"conn_id", "save_to", "filename", "multiple_outputs"}
        assert parameters(operator) - own == offered

    @pytest.mark.parametrize("operator", OPERATORS)
    def test_ids_and_scalars_are_templates_and_texts_are_not(self, operator: type[ApiOperator]) -> None:
        no_templates = {"evidence", "metadata", "text", "submit", "purpose", "multiple_outputs"}
        assert parameters(operator) - set(operator.template_fields) <= no_templates
        assert not no_templates & set(operator.template_fields)

    @pytest.mark.parametrize("operator", OPERATORS)
    def test_it_is_explained(self, operator: type[ApiOperator]) -> None:
        explained = "".join(base.__doc__ or "" for base in operator.__mro__[:-1])
        own = parameters(operator) - {"multiple_outputs"}
        assert [name for name in own if f":param {name}:" not in explained] == []

    @pytest.mark.parametrize("operator", [o for o in OPERATORS if "dispute" in " ".join(o.template_fields)])
    def test_disputes_have_a_link(self, operator: type[ApiOperator]) -> None:
        takes_one = {"dispute", "dispute_id"} & set(operator.template_fields)
        assert [type(link) for link in operator.operator_extra_links] == [
            *([DisputeLink] if takes_one else []),
            ReferenceLink,
        ]


def test_importing_them_costs_nothing() -> None:
    code = """
import sys
import airflow.sdk
from airflow.sdk import BaseOperator, BaseOperatorLink, RetryPolicy
from airflow.sdk.definitions.xcom_arg import XComArg
before = set(sys.modules)
import dispute_provider.operators.stripe, dispute_provider.operators.moov
print(*sorted(set(sys.modules) - before))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    modules = loaded.stdout.split()
    assert all(name.startswith("dispute_provider") for name in modules), modules
    assert "dispute_provider._contracts.contract" not in modules


class TestRenderedTemplates:
    def test_numbers_reach_the_api(self, sandbox: Sandbox, stripe_connection: str) -> None:
        for created in (100, 200, 300):
            sandbox.create_dispute(api="stripe", created=created)
        operator = stripe.StripeListDisputesOperator(
            task_id="list", limit="{{ n }}", created={"gte": "{{ since }}"}
        )
        operator.render_template_fields({"n": 1, "since": 200})  # type: ignore[typeddict-item,typeddict-unknown-key]
        [listed] = run(operator)["data"]
        assert listed["created"] == 300
        [request] = sandbox.journal()
        assert request["query"] == "created[gte]=200&limit=1"

    def test_numbers_of_moov(self, sandbox: Sandbox, moov_connection: str) -> None:
        for _ in range(3):
            sandbox.create_dispute(api="moov")
        operator = moov.MoovListDisputesOperator(task_id="list", count="{{ n }}")
        operator.render_template_fields({"n": 2})  # type: ignore[typeddict-unknown-key]
        assert len(run(operator)) == 2


class TestRefusedBeforeSending:
    def refused(self, sandbox: Sandbox, operator: ApiOperator) -> InvalidRequestError:
        with pytest.raises(InvalidRequestError) as failed:
            run(operator)
        assert sandbox.journal() == []
        return failed.value

    def test_every_violation_is_named(self, sandbox: Sandbox, stripe_connection: str) -> None:
        error = self.refused(
            sandbox,
            stripe.StripeUpdateDisputeOperator(
                task_id="update",
                dispute="..",
                evidence={"customer_name": "x" * 5001, "receit": "file_1", "service_date": 5},
                metadata={"k" * 41: "v"},
                submit="yes",  # type: ignore[arg-type]  # what a template would give
            ),
        )
        assert {violation.pointer for violation in error.violations} == {
            "/dispute",
            "/evidence",
            "/evidence/customer_name",
            "/evidence/service_date",
            "/metadata",
            "/submit",
        }
        assert "xxxx" not in str(error)

    def test_a_task_that_gave_nothing(self, sandbox: Sandbox, stripe_connection: str) -> None:
        """It must not submit evidence that is already staged."""
        operator = stripe.StripeUpdateDisputeOperator(
            task_id="update", dispute="dp_1", evidence=Given(None), submit=True
        )
        assert self.refused(sandbox, operator).violations[0].pointer == "/evidence"

    def test_a_document_that_is_not_there(self, sandbox: Sandbox, stripe_connection: str) -> None:
        operator = stripe.StripeUploadFileOperator(task_id="upload", file="/nowhere/a.pdf")
        assert "FileNotFoundError" in str(self.refused(sandbox, operator))

    def test_a_document_of_no_known_kind(
        self, sandbox: Sandbox, stripe_connection: str, tmp_path: Path
    ) -> None:
        (tmp_path / "a.pdf").write_bytes(b"PK\x03\x04 a zip file under another name")
        operator = stripe.StripeUploadFileOperator(task_id="upload", file=str(tmp_path / "a.pdf"))
        assert "application/octet-stream" in str(self.refused(sandbox, operator))

    def test_a_template_where_none_is_rendered(self, sandbox: Sandbox, stripe_connection: str) -> None:
        arguments = {"dispute": "{{ params.dispute }}"}
        call = CallOperator(
            task_id="call", api="stripe", operation_id="GetDisputesDispute", arguments=arguments
        )
        [violation] = self.refused(sandbox, call).violations
        assert (violation.pointer, violation.problem) == (
            "/dispute",
            "is a template, which is not rendered",
        )

    def test_the_connection_of_another_api(self, sandbox: Sandbox, moov_connection: str) -> None:
        with pytest.raises(ConnectionConfigError, match="type stripe"):
            run(stripe.StripeGetAccountOperator(task_id="a", conn_id=moov_connection))

    def test_a_connection_of_no_api(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "host": "example.com"}))
        with pytest.raises(ConnectionConfigError):
            run(stripe.StripeGetAccountOperator(task_id="a", conn_id="web"))


class Given:
    """The output of another task."""

    def __new__(cls, value: Any) -> Any:
        from airflow.sdk.definitions.xcom_arg import XComArg

        class Made(XComArg):
            def resolve(self, context: Any) -> Any:
                return value

            def iter_references(self) -> Any:
                return iter(())

        return Made()


class TestQuiet:
    @pytest.fixture
    def dispute(self, sandbox: Sandbox, connect: Connect) -> str:
        connect("stripe")
        return str(sandbox.create_dispute(api="stripe", evidence={"billing_address": "1 Main St"})["id"])

    def test_texts_of_other_tasks_arrive_as_they_are(self, sandbox: Sandbox, dispute: str) -> None:
        evidence = {"customer_name": Given(SECRET_TEXT), "uncategorized_text": "{{ 1 + 1 }}"}
        run(stripe.StripeUpdateDisputeOperator(task_id="update", dispute=dispute, evidence=evidence))
        held = sandbox.dispute(dispute)["evidence"]
        assert (held["customer_name"], held["uncategorized_text"]) == (SECRET_TEXT, "{{ 1 + 1 }}")

    def test_xcom_and_log_hold_no_text(
        self, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        evidence = {
            "customer_name": SECRET_TEXT,
            "enhanced_evidence": {
                "visa_compelling_evidence_3": {"disputed_transaction": {"product_description": SECRET_TEXT}}
            },
        }
        answer = run(stripe.StripeUpdateDisputeOperator(task_id="u", dispute=dispute, evidence=evidence))
        listed = run(stripe.StripeListDisputesOperator(task_id="list"))
        for shown in (json.dumps(answer, ensure_ascii=False), json.dumps(listed, ensure_ascii=False)):
            assert SECRET_TEXT not in shown
            assert "1 Main St" not in shown
        assert answer["evidence"]["customer_name"] == f"[redacted: {len(SECRET_TEXT)} characters]"
        assert listed["data"][0]["evidence"]["billing_address"] == "[redacted: 9 characters]"
        assert answer["amount"] == 2500
        output = capsys.readouterr()
        assert SECRET_TEXT not in output.out + output.err
        assert f"PostDisputesDispute {dispute}: 200, request req_" in output.out + output.err

    def test_texts_come_back_on_demand(self, dispute: str) -> None:
        operator = stripe.StripeGetDisputeOperator(task_id="read", dispute=dispute, return_evidence=True)
        assert run(operator)["evidence"]["billing_address"] == "1 Main St"


class TestLink:
    @pytest.mark.parametrize(
        ("extra", "expected"),
        [
            ({}, "https://dashboard.stripe.com/test/disputes/"),
            ({"account": "acct_north"}, "https://dashboard.stripe.com/acct_north/test/disputes/"),
        ],
    )
    def test_stripe(
        self, extra: dict[str, str], expected: str, sandbox: Sandbox, stripe_connection: str
    ) -> None:
        """It is there whether the call succeeds or not."""
        operator = stripe.StripeGetDisputeOperator(task_id="read", dispute="dp_1/?", **extra)
        with pytest.raises(DisputeError):
            run(operator)
        assert DisputeLink().get_link(operator, ti_key=None) == expected + "dp_1%2F%3F"  # type: ignore[arg-type]  # unused

    def test_moov(self, sandbox: Sandbox, moov_connection: str) -> None:
        made = sandbox.create_dispute(api="moov")
        operator = moov.MoovGetDisputeOperator(task_id="read", dispute_id=made["id"])
        assert DisputeLink().get_link(operator, ti_key=None) == ""  # type: ignore[arg-type]  # unused
        run(operator)
        expected = f"https://dashboard.moov.io/accounts/{made['account']}/disputes/{made['id']}"
        assert DisputeLink().get_link(operator, ti_key=None) == expected  # type: ignore[arg-type]  # unused

    def test_airflow_finds_it(self) -> None:
        from dispute_provider.get_provider_info import get_provider_info

        path = f"{DisputeLink.__module__}.{DisputeLink.__name__}"
        assert path in get_provider_info()["extra-links"]
        assert DisputeLink().xcom_key == "_link_DisputeLink"


class TestRetryPolicy:
    def decide(self, error: BaseException) -> tuple[str, timedelta | None]:
        decision = ApiRetryPolicy().evaluate(error, 1, 3)
        return decision.action.value, decision.retry_delay

    @pytest.mark.parametrize(
        "kind",
        [
            InvalidRequestError,
            AuthenticationError,
            PermissionDeniedError,
            NotFoundError,
            ConflictError,
            AmbiguousError,
        ],
    )
    def test_what_will_not_pass_fails_at_once(self, kind: Any) -> None:
        assert self.decide(kind("no.", operation="o", status=400, retry_after=5)) == ("fail", None)

    @pytest.mark.parametrize("error", [ConnectionConfigError("no"), InvalidCaseError("c", [])])
    def test_our_own_refusals_fail_at_once(self, error: DisputeError) -> None:
        assert self.decide(error) == ("fail", None)

    @pytest.mark.parametrize("kind", [RateLimitedError, ServerError, UnreachableError])
    @pytest.mark.parametrize(
        ("asked", "delay"),
        [
            (None, None),
            (7.5, timedelta(seconds=7.5)),
            (0.0, timedelta(0)),
            (float("inf"), timedelta(days=1)),
        ],
    )
    def test_what_may_pass_waits_as_asked(self, kind: Any, asked: float | None, delay: Any) -> None:
        assert self.decide(kind("no.", operation="o", status=429, retry_after=asked)) == ("retry", delay)

    def test_the_api_advises_against_it(self) -> None:
        error = RateLimitedError("no.", operation="o", status=429, should_retry=False)
        assert self.decide(error) == ("fail", None)

    def test_other_errors_are_airflows(self) -> None:
        assert self.decide(OSError("disk full")) == ("default", None)

    def test_operators_have_it_unless_they_are_given_another(self) -> None:
        assert isinstance(moov.MoovPingOperator(task_id="a").retry_policy, ApiRetryPolicy)
        other = ApiRetryPolicy()
        assert moov.MoovPingOperator(task_id="b", retry_policy=other).retry_policy is other
