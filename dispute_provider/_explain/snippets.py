"""Write a request as HTTP, as a task of a DAG, and as a case, each complete in itself. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.redaction import SECRET
from dispute_provider._contracts.request import Request
from dispute_provider._explain.wording import keywords, task_name

WHEN_SENT = "[made when the call is sent]"
"""Stands for an idempotency key that depends on the dispute as it is read then."""


def http(request: Request, server: str, authorization: str) -> str:
    """Return a request as HTTP/1.1, its body as sent; a document is its size and sha256.

    :param server: URL of the server, without a path.
    :param authorization: the scheme of the authorization; empty if the key is sent without one.
    """
    operation, place = request.operation, urlsplit(server)
    headers = {"Host": place.netloc, **request.headers}
    if operation.security:
        headers[operation.contract.key_header] = f"{authorization} {SECRET}".lstrip()
    key = operation.argument("idempotency-key")
    if key and not request.key and operation.places.get(key) == "header" and request.is_final:
        headers[key] = WHEN_SENT
    lines = [f"{operation.method} {place.path}{request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join(lines) + (f"\n\n{_body(request)}" if request.body is not None else "\n")


def _body(request: Request) -> str:
    body = request.body or b""
    for value in request.arguments.values():
        if isinstance(value, FilePart):
            digest = hashlib.sha256(value.content).hexdigest()
            body = body.replace(value.content, f"[{len(value.content):,} bytes, sha256 {digest}]".encode())
    return body.decode("utf-8", "replace")


def task_code(
    operation: Operation, arguments: Mapping[str, Any], documents: Mapping[str, FilePart], conn_id: str
) -> str:
    """Return a call as a ``@task``, which returns the answer's status and request id.

    Empty for a call that cannot be undone: only an operator reads the dispute first, and sends it once.

    :param arguments: the arguments that were typed; a file is its path, or its name if it has none.
    :param documents: the files by argument.
    """
    if operation.is_final(arguments):
        return ""
    name, code = task_name(operation), keywords(arguments, "        ")
    imports = ["from airflow.sdk import BaseHook, task"]
    before = [f"    hook = BaseHook.get_hook({conn_id!r})"]
    for argument, part in documents.items():
        path = arguments[argument]
        content = repr(part.content) if path == part.filename else f"Path({path!r}).read_bytes()"
        made = f"FilePart({part.filename!r}, {content}, {part.content_type!r})"
        code = code.replace(f"{argument}={path!r}", f"{argument}={made}")
        imports = ["from pathlib import Path", "", *imports, "", "from dispute_provider import FilePart"]
    if any(operation.role(argument) == "secret" for argument in arguments):
        before += ["    token = hook.with_api(lambda api: api.mint()).value"]
        code = code.replace(repr(SECRET), "token")
    lines = [*imports, "", "", "@task", f"def {name}():", *before]
    lines += ["    answer = hook.call(", f"        {operation.id!r},", *code.splitlines(), "    )"]
    return "\n".join([*lines, "    return answer.summary", "", "", f"{name}()"])


def case(operation: Operation, arguments: Mapping[str, Any]) -> str:
    """Return the evidence of a request as a case; empty if it has none, or names uploaded files.

    :param arguments: the arguments that were typed.
    """
    evidence = operation.given("evidence", arguments)
    dispute = operation.given("dispute", arguments)
    if not dispute or not isinstance(evidence, Mapping):
        return ""
    texts = {name: value for name, value in evidence.items() if value not in ("", None)}
    schema = operation.schema_of(operation.argument("evidence") or "")
    known = schema.get("properties", {})
    kinds = {operation.contract.resolve(known.get(name, {})).get("x-kind") for name in texts}
    if not texts or not kinds <= {"short-text", "long-text"}:
        return ""
    found = {"provider": operation.api, "dispute": dispute, "evidence": texts}
    return json.dumps(found, indent=2, ensure_ascii=False)
