"""Redact the texts of answers and requests that must not be stored or logged. Pure.

Redaction fails closed: a text is shown only if the contract allows it. It allows enum values, dates, uuids,
and texts with a role in :data:`SHOWN`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from dispute_provider._contracts.contract import Contract, Operation
from dispute_provider._contracts.formats import FORMATS
from dispute_provider._contracts.json_data import Json

SECRET = "[redacted: a secret]"  # noqa: S105  # replaces a secret
SHOWN = frozenset(("dispute", "account", "connection", "idempotency-key", "plain"))
"""The roles of texts that are not redacted."""
_FORMATS = ("uuid", "date", "date-time")
# A new value in an open list (x-knownValues). It must look like an enum value, not like a sentence.
_TERM = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*", re.ASCII)
_LONGEST_TERM = 40
# The name of a member that the contract does not describe.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]{0,63}", re.ASCII)


def redacted_answer(operation: Operation, data: Any) -> Any:
    """Return an answer with its texts redacted, except for those that the contract allows.

    :param data: the decoded JSON as the API sent it, or the bytes of a file.
    """
    if isinstance(data, bytes):
        return f"[redacted: {len(data):,} bytes]"
    return _shown(operation.contract, operation.success_schema or {}, data)


def redacted_headers(operation: Operation, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer that the contract names, redacted unless they have a role.

    A number is shown as well, as it is in an answer.

    :param headers: a mapping that ignores the case of names, as HTTP clients return it.
    """
    named = {
        name: operation.contract.resolve(given)
        for response in operation.document["responses"].values()
        for name, given in operation.contract.resolve(response).get("headers", {}).items()
    }
    return {
        name: value if "x-role" in header or value.isdecimal() else _text(header["schema"], value)
        for name, header in named.items()
        if (value := headers.get(name)) is not None
    }


def _shown(api: Contract, schema: Json, value: Any) -> Any:
    schema = branch_for(api, schema, value)
    if isinstance(value, str):
        return _text(schema, value)
    if isinstance(value, list):
        return [_shown(api, schema.get("items", {}), item) for item in value]
    if not isinstance(value, Mapping):
        return value
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    rules = others if isinstance(others, dict) else {}
    shown: dict[str, Any] = {}
    for name, item in value.items():
        is_name = name in known or _NAME.fullmatch(name) or rules.get("x-role") in SHOWN
        # The number keeps members apart whose names have the same length.
        key = name if is_name else f"{_redacted(name)} {len(shown) + 1}"
        shown[key] = _shown(api, known.get(name, rules), item)
    return shown


def branch_for(api: Contract, schema: Json, value: Any) -> Json:
    """Return a resolved schema; for ``anyOf``, the first alternative of the value's type."""
    schema = api.resolve(schema)
    if "anyOf" not in schema:
        return schema
    kinds: dict[type, str] = {str: "string", list: "array", dict: "object"}
    kind = kinds.get(type(value))
    branches = (branch_for(api, branch, value) for branch in schema["anyOf"])
    return next((branch for branch in branches if kind in _types(branch)), {})


def _types(schema: Json) -> list[str]:
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else given


def _text(schema: Json, text: str) -> str:
    if schema.get("x-role") == "secret":
        return SECRET
    return text if not text or _may_show(schema, text) else _redacted(text)


def _may_show(schema: Json, text: str) -> bool:
    if schema.get("x-role") in SHOWN or text in schema.get("enum", ()):
        return True
    if (known := schema.get("x-knownValues")) is not None:
        return text in known or (len(text) <= _LONGEST_TERM and bool(_TERM.fullmatch(text)))
    return schema.get("format") in _FORMATS and FORMATS.conforms(text, schema["format"])


def _redacted(text: str) -> str:
    return f"[redacted: {len(text):,} characters]"


def redacted_arguments(
    operation: Operation, arguments: Mapping[str, Any], *, show_texts: bool = False
) -> dict[str, Any]:
    """Return the arguments of a call with texts replaced by their length and digest.

    Parameters are shown unless their role is ``customer-text`` or ``secret``. Body fields are shown only if
    the contract allows it.

    :param show_texts: whether to show texts unchanged; False by default. Secrets are always redacted.
    """
    return {
        name: _masked(operation.contract, operation.schema_of(name), value, operation.role(name), show_texts)
        if name not in operation.parameters or operation.role(name) in ("customer-text", "secret")
        else value
        for name, value in arguments.items()
    }


def _masked(api: Contract, schema: Json, value: Any, role: str | None, show_texts: bool) -> Any:
    schema = branch_for(api, schema, value)
    role = role or schema.get("x-role")
    if role == "secret":
        return SECRET
    if isinstance(value, str):
        is_document = "x-maxBytes" in schema or schema.get("x-kind") == "file"
        if show_texts or not value or is_document or role in SHOWN or _may_show(schema, value):
            return value
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"[{len(value):,} characters, sha256 {digest[:8]}]"
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        return {
            name: _masked(api, known.get(name, others), item, None, show_texts)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(api, schema.get("items", {}), item, None, show_texts) for item in value]
    return value
