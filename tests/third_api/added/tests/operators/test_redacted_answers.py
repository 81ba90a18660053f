"""No operator lets a text of an answer reach an XCom, a log or an error that its contract gives no role.

Every operation of every contract is called, against a server that puts such a text at each of the places.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import structlog
from airflow.sdk import BaseOperator
from running import run
from string_paths import TEXT, apart, example_of, hidden_paths, planted, success_of
from support import Asked, Connect, Peer, Reply, pass_time

from dispute_provider import (
    APIS,
    CallOperator,
    DisputeError,
    Operation,
    RequestOperator,
    load_contract,
    operator_name,
    request_params,
)

# The start of the text, so that a shortened one is found too.
NEEDLE = TEXT[:8]
# What decides whether an answer can be read at all; other texts are stored as they come.
BREAKING = {"enum", "format", "pattern", "const", "x-knownValues"}
OPERATIONS = [
    pytest.param(operation, id=f"{api}-{operation.id}")
    for api in APIS
    for operation in load_contract(api).operations.values()
]
ERRORS: list[Any] = [
    {"error": {"unknown": TEXT}},
    {"unknown": TEXT},
    {"errors": [TEXT]},
    {"errors": [{"unknown": TEXT}]},
    [TEXT],
    TEXT,
    {"error": {"message": {"text": TEXT}, "code": [TEXT], "param": {"a": TEXT}}},
    {"message": TEXT},
]


class Api:
    """Answers every operation with its contract's example, and one operation as it is told to."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.answer: Reply | None = None
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        for operation in self.operation.contract.operations.values():
            path = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(operation.path))
            if operation.method == asked.method and re.search(f"^{path}$", asked.path.partition("?")[0]):
                self.asked.append(operation.id)
                if operation.id == self.operation.id and self.answer:
                    return self.answer
                body = json.dumps(example_of(operation)).encode() if operation.success_schema else b""
                return Reply(success_of(operation)[0], body)
        return Reply(404)


def answers(operation: Operation) -> Iterator[tuple[bytes, bool]]:
    """Yield bodies with the text at every place that may not be shown, and whether they can be read."""
    if not operation.success_schema:
        yield b"" if success_of(operation)[0] == 204 else TEXT.encode(), True
        return
    free = [path for path, schema in hidden_paths(operation) if not BREAKING & schema.keys()]
    for group in apart(free):
        body = example_of(operation)
        for path in group:
            body = planted(body, path, TEXT)
        yield json.dumps(body).encode(), True
    for path, schema in hidden_paths(operation):
        if BREAKING & schema.keys():
            yield json.dumps(planted(example_of(operation), path, TEXT)).encode(), False


def arguments_of(operation: Operation, document: Path) -> dict[str, Any]:
    """The arguments of a call by the contract's examples."""
    given = {
        name: parameter["example"]
        for name, parameter in operation.parameters.items()
        if parameter.get("required") and operation.role(name) not in ("account", "connection")
    }
    given |= operation.body_example
    for name in given:
        if "x-maxBytes" in operation.schema_of(name):
            given[name] = str(document)
    return given


def operators_of(operation: Operation, arguments: dict[str, Any]) -> Iterator[BaseOperator]:
    """The operators that can make a call, as a user writes them."""
    options = {"task_id": "call", "conn_id": f"{operation.api}_default"}
    yield CallOperator(api=operation.api, operation_id=operation.id, arguments=arguments, **options)
    module, _, name = str(operator_name(operation) or "").rpartition(".")
    if name and name != "CallOperator":
        own = {operation.python_names[key]: value for key, value in arguments.items()}
        yield getattr(import_module(module), name)(**options, **own)


def requested(operation: Operation, arguments: dict[str, Any]) -> Any:
    """What a test request from the UI returns, sent for real."""
    params = {name: param.value for name, param in request_params(operation).items()}
    typed = {name: value for name, value in arguments.items() if name in params}
    switches = {"dry_run": False, "confirm": operation.given("dispute", arguments)}
    operator = RequestOperator(task_id="call", api=operation.api, operation_id=operation.id)
    return run(operator, params=params | typed | switches)


def seen(api: Api, connect: Connect, work: Callable[[], Any]) -> tuple[str, bool]:
    """What a task returns, or the text of its error with those behind it; and whether it succeeded.

    An earlier server may have had the same address, so the ledger's chains of that address are removed.
    """
    with Peer(api) as peer:
        host = quote(urlsplit(peer.url).netloc, safe="")
        shutil.rmtree(Path(os.environ["AIRFLOW_HOME"], "dispute_ledger", host), ignore_errors=True)
        connect(api.operation.api, host=peer.url)
        try:
            return json.dumps(work()), True
        except DisputeError as error:
            behind: list[BaseException | None] = [error, error.__cause__, error.__context__]
            return " ".join(f"{each} {each!r}" for each in behind), False


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "receipt.pdf"
    path.write_bytes(b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n")
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    return path


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Returns all that was logged; waiting takes no time meanwhile."""
    pass_time(monkeypatch)
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as entries:
        yield lambda: caplog.text + str(entries)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_text_without_a_role_gets_out(
    operation: Operation, connect: Connect, document: Path, logged: Callable[[], str]
) -> None:
    arguments = arguments_of(operation, document)
    api = Api(operation)
    for body, is_readable in answers(operation):
        api.answer = Reply(success_of(operation)[0], body, {"X-Note": TEXT})
        works = [partial(run, each) for each in operators_of(operation, arguments)]
        # Of an answer that cannot be read, each of them sees the same error.
        for work in [*works, partial(requested, operation, arguments)] if is_readable else works[:1]:
            api.asked.clear()
            shown, succeeded = seen(api, connect, work)
            assert operation.id in api.asked, shown
            # A final call is read back, and the contract's examples need not show its effect.
            assert succeeded or not is_readable or "does not show it" in shown, shown
            assert NEEDLE not in shown
        if is_readable and (submit := operation.argument("submit")):
            # The examples have staged evidence: reading the dispute back shows no submission.
            final = next(operators_of(operation, {**arguments, submit: True}))
            shown, succeeded = seen(api, connect, partial(run, final))
            assert not succeeded
            assert NEEDLE not in shown
    assert NEEDLE not in logged()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_error_of_another_form_is_not_quoted(
    operation: Operation, connect: Connect, document: Path, logged: Callable[[], str]
) -> None:
    api = Api(operation)
    for body in ERRORS:
        api.answer = Reply(400, json.dumps(body).encode(), {"X-Note": TEXT})
        for operator in operators_of(operation, arguments_of(operation, document)):
            shown, succeeded = seen(api, connect, partial(run, operator))
            assert not succeeded
            assert NEEDLE not in shown
    assert NEEDLE not in logged()
