"""Build trigger forms from a contract, and read submitted forms as arguments or as a case. Pure.

Airflow's form has one field per param, and chooses the widget by type, enum, format and items. It cannot nest
fields, so each nested field becomes a separate param. An empty field is None, and is omitted.

The params have no limits in their schemas. Airflow would stop at the first violation, count characters in
another way than the APIs, and quote customer text in its error. The descriptions state the limits instead,
and our own validation reports every violation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from airflow.sdk import Param

from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import FORM
from dispute_provider._contracts.evidence_fields import SEPARATOR, text_schema
from dispute_provider._contracts.evidence_fields import fields as evidence_fields
from dispute_provider._contracts.json_data import Json
from dispute_provider._explain.labels import labels
from dispute_provider._explain.wording import from_connection, limits, types_of

UNSET = "unset"
_ANSWERS = {True: "yes", False: "no"}
_STEP = "."
CASE_SECTION = "The case"
FILES = "-files"
"""The end of the name of a param for the documents of evidence that is a text or documents."""
_FILE_ID = "Takes the ID of an uploaded file, not a path."


@dataclass(frozen=True, slots=True)
class RequestField:
    """One field of a request's form.

    :param name: its key in the run's configuration: ``path``, joined with dots.
    :param path: the path of the argument in the request.
    :param section: the section of the form; None for the top.
    :param example: the contract's example; None if it has none.
    """

    name: str
    path: tuple[str, ...]
    schema: Json
    section: str | None
    required: bool
    example: Any


def fields(operation: Operation) -> Iterator[RequestField]:
    """Yield the fields of an operation's form.

    There are no fields for values from the connection, nor for secrets: Airflow stores a run's configuration.
    """
    for name, parameter in operation.parameters.items():
        own, role = from_connection(operation, name), operation.role(name)
        if role in ("connection", "secret"):
            continue
        schema = operation.contract.resolve(parameter["schema"])
        schema = {**schema, "description": " ".join([parameter["description"], *_default_of(role)])}
        required = parameter.get("required", False) and not own
        section = {"query": "Query", "header": "Headers"}.get(parameter["in"])
        yield RequestField(name, (name,), schema, section, required, parameter.get("example"))
    required_in_body = operation.body_schema.get("required", ())
    for name, schema in operation.schema["properties"].items():
        if name in operation.parameters:
            continue
        schema = operation.contract.resolve(schema)
        example = operation.body_example.get(name)
        if (role := schema.get("x-role")) == "secret":
            continue
        if note := list(_default_of(role)):
            schema = {**schema, "description": " ".join([schema.get("description", ""), *note])}
        if types_of(schema) == ["object"] and "properties" in schema:
            for inner, given in schema["properties"].items():
                inner_schema = _within(schema, operation.contract.resolve(given))
                if inner_schema.get("x-kind") == "file":
                    of_file = f"{inner_schema.get('description', '')} {_FILE_ID}".lstrip()
                    inner_schema = {**inner_schema, "description": of_file}
                inner_example = (example or {}).get(inner)
                section = inner_schema.get("x-section", schema["title"])
                required = name in required_in_body and inner in schema.get("required", ())
                yield RequestField(
                    f"{name}.{inner}", (name, inner), inner_schema, section, required, inner_example
                )
        else:
            yield RequestField(name, (name,), schema, "Body", name in required_in_body, example)


def _default_of(role: str | None) -> Iterator[str]:
    if role == "account":
        yield "Default: the connection's account."
    elif role == "idempotency-key":
        yield "Default: generated from the request. Staging needs none."


def request_params(operation: Operation) -> dict[str, Param]:
    """Return the params of the form for one request, with examples in the required fields."""
    params: dict[str, Param] = {}
    clearable: list[str] = []
    for field in fields(operation):
        in_body = field.path[0] not in operation.parameters
        # An example in an optional field could be sent to a real dispute by mistake. A switch starts off,
        # because the API would take an omitted ``submit`` for true.
        prefilled = field.example if field.required or field.example is False else None
        params[field.name] = _param(
            field.schema, prefilled, field.section, field.required, field.example, api=operation.api
        )
        if in_body and operation.media_type == FORM and takes_empty(field.schema):
            clearable.append(field.name)
    if clearable:
        params[UNSET] = Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            examples=clearable,
            title="Unset",
            section="Unset",
            description="Fields to clear at the API; their values above are ignored. To remove one key of "
            "the metadata, set it to an empty value instead.",
        )
    return params


def arguments_from_form(operation: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments in a submitted form. A file is the path that was entered."""
    arguments: dict[str, Any] = {}
    unset = values.get(UNSET) or ()
    for field in fields(operation):
        value = "" if field.name in unset else values.get(field.name)
        if isinstance(value, list):
            # The widget for lists has one item per line, and may end with empty lines.
            value = [item for item in value if item != ""] or None
        if value is None:
            continue
        place = arguments
        for step in field.path[:-1]:
            place = place.setdefault(step, {})
        place[field.path[-1]] = value
    return arguments


# What a form fills in by itself, or has no field for.
_NOT_ASKED = ("provider", "evidence", "prepare", "template", "facts")


def case_params(api: str) -> dict[str, Param]:
    """Return the params of the form for a case of one API.

    :param api: the name of the API; see :data:`~dispute_provider.APIS`.
    """
    account = contract.load(api).document.get("x-case-account")
    params = {
        name: _case_param(name, {**schema, "description": account} if name == "account" else schema)
        for name, schema in contract.read_schema("case.schema.json")["properties"].items()
        if name not in _NOT_ASKED and (name != "account" or account)
    }
    for name, schema in _case_evidence(api):
        if schema["x-kind"] == "text-or-file":
            text = {"type": "string", "x-kind": "long-text", **text_schema(contract.load(api), schema)}
            params[name] = _param({**text, **_named(schema)}, None, schema["x-section"], api=api)
            params[_files_key(name)] = _paths_param(schema, f"{schema['title']}: documents")
        elif schema["x-kind"] == "file":
            params[name] = Param(
                None,
                type=["null", "string"],
                title=schema["title"],
                section=schema["x-section"],
                description=f"{schema['description']} Path relative to the folder of the case.",
            )
        elif schema["x-kind"] == "files":
            params[name] = _paths_param(schema, schema["title"])
        else:
            params[name] = _param(schema, None, schema["x-section"], api=api)
    return params


def case_from_form(api: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the case in a submitted form, in the format of ``schemas/case.schema.json``."""
    case: dict[str, Any] = {"provider": api}
    for name in contract.read_schema("case.schema.json")["properties"]:
        if name not in _NOT_ASKED and _filled(values.get(name)):
            case[name] = values[name]
    if "customer_contacted" in case:
        case["customer_contacted"] = case["customer_contacted"] in (True, _ANSWERS[True])
    case["evidence"] = {}
    for name, schema in _case_evidence(api):
        value = values.get(name)
        if schema["x-kind"] == "text-or-file":
            items = [value] if _filled(value) else []
            items += [{"file": path} for path in values.get(_files_key(name)) or () if _filled(path)]
            if items:
                case["evidence"][name] = items if len(items) > 1 else items[0]
        elif schema["x-kind"] == "files":
            if paths := list(filter(_filled, value or ())):
                _put(case["evidence"], name, [{"file": path} for path in paths])
        elif _filled(value):
            _put(case["evidence"], name, {"file": value} if schema["x-kind"] == "file" else value)
    return case


def _put(evidence: dict[str, Any], name: str, value: Any) -> None:
    """Add a value to a case, inside its group if it has one."""
    *path, member = name.split(_STEP)
    for step in path:
        evidence = evidence.setdefault(step, {})
    evidence[member] = value


def _paths_param(schema: Json, title: str) -> Param:
    description = schema["description"] if schema["x-kind"] == "files" else ""
    where = "One path per line, relative to the folder of the case."
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title=title,
        section=schema["x-section"],
        description=" ".join(filter(None, [description, where])),
    )


def _param(
    schema: Json,
    default: Any,
    section: str | None,
    required: bool = False,
    example: Any = None,
    *,
    api: str | None = None,
) -> Param:
    """Return a param whose widget suits the schema."""
    if "x-maxBytes" in schema:
        return _file_param(schema, section, required)
    types = types_of(schema)
    if "object" in types and "string" in types:
        # The string is only the empty one, which clears the field. The form has a separate field for that.
        types = ["object"]
        schema = {name: value for name, value in schema.items() if name != "x-form"}
    keywords: Json = {"type": types[0] if required else ["null", *types]}
    if "enum" in schema:
        keywords["enum"] = [*schema["enum"], *([] if required else [None])]
        keywords["values_display"] = {**labels(schema["enum"], api), "null": "(not sent)"}
    elif types == ["array"]:
        # Airflow has a text area for strings, one per line, and a JSON editor for other items.
        keywords["items"] = {"type": (*types_of(schema.get("items", {})), "string")[0]}
    elif types == ["boolean"]:
        default, keywords["type"] = bool(default), "boolean"
    elif schema.get("x-kind") == "long-text":
        keywords["format"] = "multiline"
    elif schema.get("format") == "date-time":
        keywords["format"] = "date-time"
    elif types == ["string"] and isinstance(example, str):
        keywords["examples"] = [example]
    if section:
        keywords["section"] = section
    sentences = [schema.get("description", ""), *limits(schema)]
    if example is not None and default is None and "examples" not in keywords:
        is_texts = isinstance(example, list) and all(isinstance(item, str) for item in example)
        shown = ", ".join(example) if is_texts else json.dumps(example).strip('"')
        sentences.append(f"For example: {shown}.")
    return Param(default, " ".join(filter(None, sentences)), title=schema["title"], **keywords)


def _file_param(schema: Json, section: str | None, required: bool) -> Param:
    default = "a sample page" if required else "none"
    where = f"Path under [dispute] case_roots. Default: {default}."
    description = " ".join([schema["description"], *limits(schema), where])
    return Param(None, description, title=schema["title"], type=["null", "string"], section=section)


def takes_empty(schema: Json) -> bool:
    """Return whether an empty text clears a field."""
    return "string" in types_of(schema) and "enum" not in schema and not schema.get("minLength")


def _case_param(name: str, schema: Json) -> Param:
    if schema["type"] == "boolean":
        return Param(
            None,
            schema["description"],
            title=schema["title"],
            type=["null", "string"],
            enum=[*_ANSWERS.values(), None],
            values_display={**labels(_ANSWERS.values()), "null": "(unknown)"},
            section=CASE_SECTION,
        )
    # The dispute comes first, above all sections.
    return _param(schema, None, None if name == "dispute" else CASE_SECTION)


def _case_evidence(api: str) -> Iterator[tuple[str, Json]]:
    """Yield each field of a case's evidence with its name in the form, those of groups one by one."""
    loaded = contract.load(api)
    group = loaded.resolve(loaded.evidence)
    for path, schema in evidence_fields(loaded).items():
        name = path.replace(SEPARATOR, _STEP)
        top = loaded.resolve(group["properties"][name.partition(_STEP)[0]])
        yield name, {"x-section": top["x-section"], **_within(group, schema)}


def _within(group: Json, schema: Json) -> Json:
    """Return the schema of a field, with the limit on text that it shares with its group."""
    shared = "x-maxTextLength"
    if shared in group and schema.get("x-kind") == "long-text":
        return {**schema, shared: group[shared]}
    return schema


def _named(schema: Json) -> Json:
    return {"title": schema["title"], "description": schema["description"]}


def document_limits(api: str) -> str:
    """Return the API's limits for documents: the description of the file of an upload, if there is one."""
    parts = (
        schema
        for operation in contract.load(api).operations.values()
        for schema in operation.schema["properties"].values()
        if "x-maxBytes" in schema
    )
    return cast("str", next(parts, {"description": ""})["description"])


def _files_key(name: str) -> str:
    return f"{name}{FILES}"


def _filled(value: Any) -> bool:
    return value not in (None, "", [], {})
