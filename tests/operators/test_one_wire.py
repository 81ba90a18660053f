"""One wire: whoever makes a call, the same bytes go out, headers included."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from running import Store, run
from support import Connect

from dispute_provider import __version__
from dispute_provider.contracts import contract
from dispute_provider.contracts.contract import Operation
from dispute_provider.exceptions import DisputeError
from dispute_provider.explain.forms import arguments_from_form
from dispute_provider.hooks.base import DisputeHook
from dispute_provider.hooks.connections import api_of
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.operators import moov, stripe
from dispute_provider.operators.api import ApiOperator, document
from dispute_provider.operators.request import RequestOperator, form
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

IDS = {"stripe": "du_1", "moov": "5a4db0c5-0b0e-4c3b-8f5e-5a0db0c50077"}
PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n"


def operators_of(module: ModuleType) -> dict[str, type[ApiOperator]]:
    return {
        found.operation_id: found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, ApiOperator) and hasattr(found, "operation_id")
    }


SINGLE = {**operators_of(stripe), **operators_of(moov)}
OPERATIONS = [
    operation
    for api in ("stripe", "moov")
    for operation in contract.load(api).operations.values()
    if operation.id in SINGLE
]


def by_the_single_operator(operation: Operation, arguments: dict[str, Any], path: str) -> None:
    names = {operation.python_names[name]: value for name, value in arguments.items()}
    operator = SINGLE[operation.id](task_id="single", **{**names, **({"file": path} if path else {})})
    run(operator, store=Store())


def by_the_api(operation: Operation, arguments: dict[str, Any], path: str) -> None:
    """As the workflow's tasks call it."""

    async def call() -> None:
        async with api_of(f"{operation.api}_default") as api:
            files = {"file": document(operation, path)} if path else {}
            await api.call(operation.id, **{**arguments, **files})

    asyncio.run(call())


def by_a_test_request(operation: Operation, arguments: dict[str, Any], path: str) -> None:
    params = {name: param.value for name, param in form(operation).items()}
    dispute = arguments.get("dispute") or arguments.get("disputeID")
    typed = {name: value for name, value in arguments.items() if not isinstance(value, dict)}
    params |= typed | flat(arguments) | {"dry_run": False, "confirm": dispute}
    params |= {"file": path} if path else {}
    run(RequestOperator(task_id="request", api=operation.api, operation_id=operation.id), params=params)


def flat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Objects as the form has them: a field for each member."""
    return {
        f"{name}.{member}": value
        for name, given in arguments.items()
        if isinstance(given, dict)
        for member, value in given.items()
        if not isinstance(value, dict)
    }


def sent(sandbox: Sandbox, operation: str) -> list[dict[str, Any]]:
    """The requests of an operation as they arrived: method, address, headers and body."""
    return [
        {
            **{name: entry[name] for name in ("method", "path", "query", "raw_body")},
            "headers": {name: value for name, value in entry["headers"].items() if name != "host"},
        }
        for entry in sandbox.journal(operation=operation)
    ]


@pytest.fixture
def arguments(operation: Operation, cases: Path, connect: Connect) -> tuple[dict[str, Any], str]:
    """Arguments that fill every field that the operation's form fills in, and the path of its document."""
    connect(operation.api)
    values = {name: param.value for name, param in form(operation).items()}
    given = arguments_from_form(operation, values)
    given |= {name: IDS[operation.api] for name in ("dispute", "disputeID") if name in given}
    given |= {"accountID": MOOV_ACCOUNT} if "accountID" in given else {}
    if "Idempotency-Key" in operation.parameters:
        given["Idempotency-Key"] = "the-same-for-all"
    path = ""
    if any("x-maxBytes" in schema for schema in operation.schema["properties"].values()):
        path = str(cases / "receipt.pdf")
        Path(path).write_bytes(PDF)
        given.pop("file", None)
    return given, path


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    return tmp_path


def set_up(sandbox: Sandbox, api: str) -> None:
    sandbox.reset()
    evidence = {"stripe": {}, "moov": {"evidence": {"receipt": "We sent it."}}}[api]
    sandbox.create_dispute(api=api, id=IDS[api], **evidence)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_way_sends_the_same_bytes(
    operation: Operation, arguments: tuple[dict[str, Any], str], sandbox: Sandbox
) -> None:
    given, path = arguments
    seen = {}
    for way in (by_the_single_operator, by_the_api, by_a_test_request):
        set_up(sandbox, operation.api)
        with suppress(DisputeError):
            way(operation, given, path)
        # Opening Moov's API reads the account, to compare its mode.
        seen[way.__name__] = sent(sandbox, operation.id)[-1]
    first = seen["by_the_single_operator"]
    assert seen == dict.fromkeys(seen, first)
    assert first["headers"]["user-agent"] == f"dispute-provider/{__version__}"
    if first["method"] != "GET" and operation.media_type is None:
        assert "content-type" not in first["headers"]
        assert first["headers"].get("content-length", "0") == "0"


@pytest.mark.parametrize(
    ("hook", "operation"), [(StripeHook, "GetAccount"), (MoovHook, "getAccount")], ids=["stripe", "moov"]
)
def test_the_test_button_sends_what_the_operator_sends(
    hook: type[DisputeHook], operation: str, sandbox: Sandbox, connect: Connect
) -> None:
    found = next(each for each in OPERATIONS if each.id == operation)
    connect(found.api)
    assert hook().test_connection()[0]
    by_the_single_operator(found, {"accountID": MOOV_ACCOUNT} if found.api == "moov" else {}, "")
    first, *others = sent(sandbox, operation)
    assert others
    assert others == [first] * len(others)
