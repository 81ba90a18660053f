"""Describe the limits of fields, and write calls as cURL commands and as Python code. Pure."""

from __future__ import annotations

import pprint
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import FORM, JSON, FilePart, part_text
from dispute_provider._contracts.json_data import Json
from dispute_provider._contracts.redaction import SECRET
from dispute_provider._contracts.request import Request, encode

GENERIC = "dispute_provider.operators.call.CallOperator"
"""The operator for any operation."""


def types_of(schema: Json) -> list[str]:
    """Return the JSON types that a schema accepts, without null."""
    given = schema.get("type", [])
    return [name for name in ([given] if isinstance(given, str) else given) if name != "null"]


def limits(schema: Json) -> list[str]:
    """Return the limits in a schema, one sentence each."""
    return list(_limits(schema))


def _limits(schema: Json) -> Iterator[str]:
    if "enum" in schema:
        yield "One of: " + ", ".join(schema["enum"]) + "."
    if "maxLength" in schema and f"{schema['maxLength']:,} characters" not in schema.get("description", ""):
        yield f"At most {schema['maxLength']:,} characters."
    if "x-maxTextLength" in schema:
        yield f"All texts together: at most {schema['x-maxTextLength']:,} characters."
    if "x-maxBytes" in schema:
        yield f"At most {schema['x-maxBytes']:,} bytes."
    if "x-contentTypes" in schema:
        yield "One of: " + ", ".join(schema["x-contentTypes"]) + "."
    if "maximum" in schema:
        yield f"From {schema.get('minimum', 0)} to {schema['maximum']:,}."
    elif "minimum" in schema:
        yield f"At least {schema['minimum']}."
    if "x-form" in schema:
        yield f"It {schema['x-form']}" + ("" if schema["x-form"].endswith(".") else ".")
    if "default" in schema:
        yield f"Default: {schema['default']}."
    if "propertyNames" in schema:
        key, value = schema["propertyNames"]["maxLength"], schema["additionalProperties"]["maxLength"]
        yield f"At most {key} characters per key, and {value} per value."


def from_connection(operation: Operation, name: str) -> bool:
    """Return whether the connection provides an argument by default."""
    return operation.role(name) in ("account", "connection")


def form_lines(body: bytes) -> list[str]:
    """Return a form-encoded body as readable lines, one per pair. Only line breaks remain escaped."""
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    return [f"{key}={text}".replace("\r", "\\r").replace("\n", "\\n") for key, text in pairs]


def curl(operation: Operation, arguments: Mapping[str, Any], server: str) -> str:
    """Return a call as a cURL command, which takes the key from environment variables.

    :param arguments: valid arguments; a file may be its path.
    :param server: URL of the server, without a path.
    """
    request = encode(operation, arguments)
    parts = [f"curl -X {operation.method} {shlex.quote(server + request.path)}", *_authorization(operation)]
    parts += [
        f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in request.headers.items()
        if name != "Content-Type" or operation.media_type == JSON
    ]
    return " \\\n  ".join([*parts, *_data(request)])


def _authorization(operation: Operation) -> Iterator[str]:
    key = operation.api.upper()
    if any(scheme.get("scheme") == "basic" for scheme in operation.security):
        yield f'-u "${key}_PUBLIC_KEY:${key}_SECRET_KEY"'
    elif operation.security:
        scheme = "" if any(each["type"] == "apiKey" for each in operation.security) else "Bearer "
        yield f'-H "{operation.contract.key_header}: {scheme}${key}_KEY"'


def _data(request: Request) -> Iterator[str]:
    if request.body is None:
        return
    if request.operation.media_type == JSON:
        # The quotes end around the variable, so that the shell replaces it.
        token = f"'\"${request.operation.api.upper()}_TOKEN\"'"
        yield f"--data-raw {shlex.quote(request.body.decode()).replace(SECRET, token)}"
    elif request.operation.media_type == FORM:
        if not request.body:
            yield "--data ''"
        for key, text in parse_qsl(request.body.decode(), keep_blank_values=True):
            # cURL encodes only the text after the first equals sign.
            pair = f"{quote_plus(key, safe='[]')}={text}"
            yield f"--data-urlencode {shlex.quote(pair)}"
    else:
        for name, value in request.content.items():
            if "x-maxBytes" in request.operation.schema_of(name):
                path = value.filename if isinstance(value, FilePart) else str(value)
                kind = f";type={value.content_type}" if isinstance(value, FilePart) else ""
                yield f"-F {shlex.quote(f'{name}=@{_quoted(path)}{kind}')}"
                continue
            content_type, text = part_text(value, request.operation.part_types.get(name, ()))
            if content_type:
                yield f"-F {shlex.quote(f'{name}={_quoted(text)};type={content_type}')}"
            else:
                yield f"--form-string {shlex.quote(f'{name}={text}')}"


def _quoted(text: str) -> str:
    """Return a text in double quotes, as cURL requires in form parts."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def python_call(
    operation: Operation, arguments: Mapping[str, Any], conn_id: str, operator: str | None
) -> str:
    """Return a call as Python code for a DAG.

    :param arguments: the arguments; a file is its path.
    :param conn_id: id of the Airflow connection.
    :param operator: dotted name of the operation's operator, or :data:`GENERIC`; None to use the hook, if the
        answer must not be stored in XCom.
    """
    if operator == GENERIC:
        own = {"api": operation.api, "operation_id": operation.id, "arguments": dict(arguments)}
        return _construction(operation, own, conn_id, operator)
    names = operation.python_names if operator else {name: name for name in arguments}
    given = {names.get(name, name): value for name, value in arguments.items()}
    if operator:
        return _construction(operation, given, conn_id, operator)
    lines = ["from airflow.sdk import BaseHook", "", f"BaseHook.get_hook({conn_id!r}).call("]
    return "\n".join([*lines, f"    {operation.id!r},", keywords(given), ")"])


def _construction(operation: Operation, given: Mapping[str, Any], conn_id: str, operator: str) -> str:
    """Return the code that creates an operator."""
    module, _, name = operator.rpartition(".")
    lines = [f"from {module} import {name}", "", f"{name}("]
    own = {"task_id": task_name(operation), "conn_id": conn_id}
    return "\n".join([*lines, keywords({**own, **given}), ")"])


def task_name(operation: Operation) -> str:
    """Return a name for the task that calls an operation."""
    return re.sub(r"\W+", "_", operation.summary).strip("_").lower()


def keywords(given: Mapping[str, Any], indent: str = "    ") -> str:
    """Return keyword arguments as Python code, one per line; those whose name is none of Python's as a dict.

    :param indent: of each line; four spaces by default.
    """
    lines: list[str] = []
    others = {name: value for name, value in given.items() if not name.isidentifier()}
    for name, value in given.items():
        if name in others:
            continue
        text = pprint.pformat(value, sort_dicts=False, width=90).replace("\n", "\n" + " " * len(f"{name}="))
        lines.append(textwrap.indent(f"{name}={text},", indent))
    if others:
        lines.append(f"{indent}**{others!r},")
    return "\n".join(lines)
