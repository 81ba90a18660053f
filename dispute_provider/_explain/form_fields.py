"""Describe forms for the page *Disputes*, which builds their widgets from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from airflow.sdk import Param

from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import FORM
from dispute_provider._contracts.json_data import Json
from dispute_provider._explain.forms import CASE_SECTION, FILES, RequestField, fields, takes_empty
from dispute_provider._explain.labels import capital, labels
from dispute_provider._explain.wording import limits, types_of
from dispute_provider.exceptions import Violation

CONFIRM = "/confirm"


def form_fields(operation: Operation) -> list[dict[str, Any]]:
    """Return the fields of an operation's form, the required ones first, then by section."""
    described = [_described(operation, field) for field in fields(operation)]
    order = list(dict.fromkeys(field["section"] for field in described))
    return sorted(described, key=lambda field: (not field["required"], order.index(field["section"])))


def _described(operation: Operation, field: RequestField) -> dict[str, Any]:
    schema = field.schema
    in_body = field.path[0] not in operation.parameters
    example = field.example
    if example is not None and not isinstance(example, str):
        example = json.dumps(example, ensure_ascii=False)
    return {
        "name": field.name,
        "path": list(field.path),
        "title": schema["title"],
        "section": field.section or "",
        "required": field.required,
        "kind": _kind(schema),
        "description": schema.get("description", ""),
        "limits": limits(schema),
        "most": schema.get("maxLength"),
        "choices": list(labels(schema.get("enum", ()), operation.api).items()),
        "example": example,
        "clearable": in_body and operation.media_type == FORM and takes_empty(schema),
    }


def _kind(schema: Json) -> str:
    """Return the widget of a field."""
    types = types_of(schema)
    if "x-maxBytes" in schema:
        return "document"
    if "enum" in schema:
        return "choice"
    if "object" in types:
        return "object"
    if types == ["array"]:
        return "list" if types_of(schema.get("items", {})) in ([], ["string"]) else "object"
    if types == ["boolean"]:
        return "switch"
    if types in (["integer"], ["number"]):
        return "number"
    return "long-text" if schema.get("x-kind") == "long-text" else "text"


def field_of(operation: Operation, violation: Violation) -> str:
    """Return the name of the field that a violation is about; empty if it is about none."""
    steps = violation.pointer.strip("/").split("/")
    names: Mapping[tuple[str, ...], str] = {field.path: field.name for field in fields(operation)}
    for end in range(len(steps), 0, -1):
        if name := names.get(tuple(steps[:end])):
            return name
    return ""


def param_fields(params: Mapping[str, Param], first: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the fields of a trigger form, in the format of :func:`form_fields`.

    :param params: by name; see :func:`~dispute_provider._explain.forms.case_params`.
    :param first: names of evidence to ask for first, each with why it matters.
    """
    described = [
        _described_param(name, param, first.get(name.removesuffix(FILES))) for name, param in params.items()
    ]
    return sorted(described, key=lambda field: field["section"] != "")


def _described_param(name: str, param: Param, why: str | None) -> dict[str, Any]:
    schema: Json = param.schema
    examples = schema.get("examples", ())
    return {
        "name": name,
        "path": [name],
        "title": schema["title"],
        "section": schema.get("section", CASE_SECTION) if why is None else "",
        "required": False,
        "kind": _kind_of_param(schema),
        "description": param.description or "",
        "limits": [f"{capital(why)}."] if why else [],
        "most": None,
        "choices": [
            [value, shown] for value, shown in schema.get("values_display", {}).items() if value != "null"
        ],
        "example": examples[0] if examples else None,
        "clearable": False,
    }


def _kind_of_param(schema: Json) -> str:
    """Return the widget of a param, as Airflow's own form chooses it."""
    types = types_of(schema)
    if "enum" in schema:
        return "choice"
    if "items" in schema:
        return "list" if types_of(schema["items"]) == ["string"] else "object"
    if "object" in types:
        return "object"
    if types == ["boolean"]:
        return "switch"
    if types in (["integer"], ["number"]):
        return "number"
    return "long-text" if schema.get("format") == "multiline" else "text"


def param_of(names: Collection[str], violation: Violation) -> str:
    """Return the name of the param that a violation of a case is about; empty if it is about none."""
    steps = violation.pointer.removeprefix("/evidence").strip("/").split("/")
    for end in range(len(steps), 0, -1):
        name = ".".join(steps[:end])
        if name in names:
            return name
    return ""
