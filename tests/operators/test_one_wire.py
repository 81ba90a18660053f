"""Every way to make a call sends the same bytes, headers included."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from running import run
from support import Connect, forget_chains

from dispute_provider import __version__
from dispute_provider._cases.uploads import document
from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Operation
from dispute_provider._explain.forms import arguments_from_form
from dispute_provider._transport.transport import HttpRequest
from dispute_provider.exceptions import DisputeError
from dispute_provider.hooks._base import DisputeHook
from dispute_provider.hooks._connections import api_of
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.operators import moov, stripe
from dispute_provider.operators._api import ApiOperator
from dispute_provider.operators.request import RequestOperator, form
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

IDS = {"stripe": "du_1", "moov": "5a4db0c5-0b0e-4c3b-8f5e-5a0db0c50077"}
# Of the server's own address, and what the journal shortens: that is compared as it goes out.
HIDDEN = ("host", "authorization")
PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n"


def operators_of(module: ModuleType) -> dict[str, type[ApiOperator]]:
    return {
        found.operation_id: found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, ApiOperator) and hasattr(found, "operation_id")
    }


SINGLE = {**operators_of(stripe), **operators_of(moov)}
# But for a token's revocation: each has another token to revoke.
OPERATIONS = [
    operation
    for api in ("stripe", "moov")
    for operation in contract.load(api).operations.values()
    if operation.id != "revokeAccessToken"
]
HOOKS: dict[str, type[DisputeHook]] = {"stripe": StripeHook, "moov": MoovHook}
OAUTH = {"extra": {"account": MOOV_ACCOUNT, "auth": "oauth2"}}
CALLS = [
    *(pytest.param(operation, {}, id=operation.id) for operation in OPERATIONS),
    *(
        pytest.param(operation, OAUTH, id=f"{operation.id} by token")
        for operation in OPERATIONS
        if operation.takes_token
    ),
]


def by_the_single_operator(operation: Operation, arguments: dict[str, Any], path: str) -> None:
    names = {operation.python_names[name]: value for name, value in arguments.items()}
    operator = SINGLE[operation.id](task_id="single", **{**names, **({"file": path} if path else {})})
    run(operator)


def by_the_api(operation: Operation, arguments: dict[str, Any], path: str) -> None:
    """As the workflow's tasks call it."""

    async def call() -> None:
        async with api_of(f"{operation.api}_default") as api:
            files = {"file": document(operation, "file", path)} if path else {}
            await api.call(operation.id, **{**arguments, **files})

    asyncio.run(call())


def by_the_hook(operation: Operation, arguments: dict[str, Any], path: str) -> None:
    files = {"file": document(operation, "file", path)} if path else {}
    HOOKS[operation.api]().call(operation.id, **{**arguments, **files})


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


@dataclass
class Recorder:
    """What went out: as the client hands it to its transport, and as it arrived."""

    sandbox: Sandbox
    outgoing: list[HttpRequest]

    def sent(self, operation: str | None = None) -> list[tuple[str, HttpRequest, dict[str, Any]]]:
        """The requests of an operation, or all: which one, how it went out, how it arrived."""
        both = zip(self.sandbox.journal(), self.outgoing, strict=True)
        return [
            (entry["operation"], without_token(request), arrived(entry))
            for entry, request in both
            if operation in (None, entry["operation"])
        ]

    def clear(self, api: str) -> None:
        self.sandbox.reset()
        forget_chains(self.sandbox)
        self.outgoing.clear()
        evidence = {"stripe": {}, "moov": {"evidence": {"receipt": "We sent it."}}}[api]
        self.sandbox.create_dispute(api=api, id=IDS[api], **evidence)


def without_token(request: HttpRequest) -> HttpRequest:
    """The request, but for a token that was minted for it: each is another."""
    if request.headers["Authorization"].startswith("Bearer sk_"):
        return request
    named = re.sub("^Bearer .*", "Bearer (minted)", request.headers["Authorization"])
    return replace(request, headers={**request.headers, "Authorization": named})


def arrived(entry: dict[str, Any]) -> dict[str, Any]:
    """Method, address, headers and body, with what the HTTP library adds."""
    headers = {name: value for name, value in entry["headers"].items() if name not in HIDDEN}
    return {**{name: entry[name] for name in ("method", "path", "query", "raw_body")}, "headers": headers}


@pytest.fixture
def recorder(sandbox: Sandbox, outgoing: list[HttpRequest]) -> Recorder:
    return Recorder(sandbox, outgoing)


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


@pytest.mark.parametrize(("operation", "fields"), CALLS)
def test_every_way_sends_the_same_bytes(
    operation: Operation,
    fields: dict[str, Any],
    arguments: tuple[dict[str, Any], str],
    recorder: Recorder,
    connect: Connect,
) -> None:
    connect(operation.api, **fields)
    given, path = arguments
    single = [by_the_single_operator] if operation.id in SINGLE else []
    seen = {}
    for way in (*single, by_the_api, by_the_hook, by_a_test_request):
        recorder.clear(operation.api)
        with suppress(DisputeError):
            way(operation, given, path)
        # The call and a token for it. Before them Moov's API may read its account, when it is opened.
        seen[way.__name__] = recorder.sent("createAccessToken")[:1] + recorder.sent(operation.id)[-1:]
    *_, (_, request, first) = expected = seen["by_the_api"]
    assert seen == dict.fromkeys(seen, expected)
    assert request.headers["User-Agent"] == f"dispute-provider/{__version__}"
    if operation.method != "GET" and operation.media_type is None:
        assert "content-type" not in first["headers"]
        assert first["headers"].get("content-length", "0" if operation.method == "DELETE" else None) == "0"


@pytest.mark.parametrize(
    ("api", "fields", "reads", "given"),
    [
        ("stripe", {}, ["GetAccount"], {}),
        ("moov", {}, ["getAccount"], {}),
        ("moov", OAUTH, ["getAccount", "createAccessToken", "listDisputes"], {"count": 1}),
    ],
    ids=["stripe", "moov", "moov by token"],
)
def test_the_test_button_sends_what_the_operator_sends(
    api: str,
    fields: dict[str, Any],
    reads: list[str],
    given: dict[str, Any],
    recorder: Recorder,
    connect: Connect,
) -> None:
    connect(api, **fields)
    assert HOOKS[api]().test_connection()[0]
    tested = recorder.sent()
    assert [operation for operation, *_ in tested] == reads
    recorder.clear(api)
    operations = contract.load(api).operations
    by_the_single_operator(operations[reads[-1]], given, "")
    # The account is read with the keys themselves: a token for transfers alone may not.
    connect(api)
    by_the_single_operator(operations[reads[0]], {}, "")
    made = recorder.sent()
    for read in tested:
        assert read in made
