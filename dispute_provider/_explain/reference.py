"""Write the reference page of an operation in Markdown. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import MULTIPART
from dispute_provider._contracts.json_data import Json
from dispute_provider._explain.markdown import facts, table
from dispute_provider._explain.wording import curl, from_connection, limits, types_of

_EFFECTS = {
    "read": "reads only",
    "write": "makes a change that can be changed again",
    "irreversible": "**cannot be undone**",
}
_AFTER_FAILURE = {
    "resend": "repeat the call",
    "resend-same-key": "repeat the call only with the same idempotency key",
    "reconcile": "read the dispute first: the call may have taken effect",
}
_COUNTED = "Characters are counted as UTF-16 code units, to be on the safe side: an emoji counts as two."


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a reference: a text, a table or code. Texts and cells may have ``code`` and **bold** parts.

    :param title: its heading; empty if it has none.
    :param columns: of its table; empty if the table has no header.
    :param language: of its code.
    :param within: whether it belongs to the section before.
    """

    title: str = ""
    text: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    code: str = ""
    language: str = ""
    within: bool = False


def reference(operation: Operation, operator: str | None) -> str:
    """Return the reference page of an operation in Markdown.

    :param operation: an operation of any API, from :func:`~dispute_provider.load_contract`.
    :param operator: dotted name of the operator's class; None if there is none.
    """
    return "\n\n".join(part for section in sections(operation, operator) for part in _markdown(section))


def _markdown(section: Section) -> Iterator[str]:
    if section.title:
        yield f"{'####' if section.within else '###'} {section.title}"
    if section.text:
        yield section.text
    if section.columns:
        yield table(section.columns, section.rows)
    elif section.rows:
        yield facts((name, value) for name, value in section.rows)
    if section.code:
        yield f"```{section.language}\n{section.code}\n```"


def sections(operation: Operation, operator: str | None) -> Iterator[Section]:
    """Yield the reference of an operation.

    :param operator: dotted name of the operator's class; None if there is none.
    """
    document = operation.document
    yield Section(text=f"`{operation.method} {operation.server}{operation.path}`")
    yield Section(text=document["description"])
    about = {
        "Operation": f"`{operation.id}`",
        "Effect": _EFFECTS[operation.effect],
        "After a failure without an answer": _AFTER_FAILURE[operation.after_failure],
        "Authentication": "; or ".join(_scheme(operation, scheme) for scheme in document["security"]),
        "Content type": f"`{operation.media_type}`" if operation.media_type else "no body",
        "Operator": f"`{operator}`" if operator else "none, because its answer must not be stored in XCom",
    }
    yield Section(rows=list(about.items()))
    columns: Sequence[str] = ("Name", "In", "Type", "Required", "Meaning")
    yield Section("Parameters", columns=columns, rows=list(_parameters(operation)))
    if operation.media_type:
        columns = ("Field", "Type", "Required", "Meaning")
        yield Section("Body", _COUNTED, columns, list(_body(operation)))
    yield Section(
        "Answers", columns=("Status", "Meaning", "Headers", "Fields"), rows=list(_answers(operation))
    )
    if operation.success_schema:
        rows = list(_fields(operation, operation.success_schema, "", answer=True))
        columns = ("Field", "Type", "Always", "Meaning")
        yield Section("Fields of a success", columns=columns, rows=rows, within=True)
        example = json.dumps(_success(operation)["example"], indent=2)
        yield Section("A success", code=example, language="json", within=True)
    yield Section("cURL", code=curl(operation, _examples(operation), operation.server), language="bash")


def _scheme(operation: Operation, scheme: Mapping[str, Sequence[str]]) -> str:
    if not scheme:
        return "none (the body contains the keys)"
    ((name, scopes),) = scheme.items()
    known = operation.contract.document["components"]["securitySchemes"]
    description = known[name]["description"].rstrip(".")
    return ", scope ".join([f"{name}: {description}", *(f"`{scope}`" for scope in scopes)])


def _parameters(operation: Operation) -> Iterator[Sequence[str]]:
    for name, parameter in operation.parameters.items():
        schema = operation.contract.resolve(parameter["schema"])
        meaning = [parameter["description"], *limits(schema)]
        if from_connection(operation, name):
            meaning.append("Default: from the connection.")
        yield (
            f"`{name}`",
            parameter["in"],
            _type(schema),
            "yes" if parameter.get("required") else "",
            " ".join(meaning),
        )


def _body(operation: Operation) -> Iterator[Sequence[str]]:
    shared = operation.body_schema
    if "x-maxTextLength" in shared:
        yield ("", "", "", limits(shared)[0])
    properties = {
        name: schema
        for name, schema in operation.schema["properties"].items()
        if name not in operation.parameters
    }
    yield from _fields(operation, {**shared, "properties": properties}, "", answer=False)


def _fields(operation: Operation, schema: Json, prefix: str, *, answer: bool) -> Iterator[Sequence[str]]:
    """Yield a row for each field of an object, and of the objects in it, under its full name."""
    schema = operation.contract.resolve(schema)
    if "array" in types_of(schema) and "items" in schema:
        items = operation.contract.resolve(schema["items"])
        yield from _fields(operation, items, f"{prefix}[]", answer=answer)
        return
    for name, given in schema.get("properties", {}).items():
        inner = operation.contract.resolve(given)
        full = f"{prefix}.{name}".lstrip(".")
        required = "yes" if name in schema.get("required", ()) else ""
        known = ", ".join(f"`{value}`" for value in inner.get("x-knownValues", ()))
        meaning = [
            inner.get("description", inner.get("title", "") if not answer else ""),
            f"Known values: {known}." if known else "",
            # Limits apply to requests only.
            *([] if answer else limits(inner)),
        ]
        yield f"`{full}`", _type(inner), required, " ".join(filter(None, meaning))
        yield from _fields(operation, inner, full, answer=answer)


def _answers(operation: Operation) -> Iterator[Sequence[str]]:
    for status, given in operation.document["responses"].items():
        response = operation.contract.resolve(given)
        headers = ", ".join(f"`{name}`" for name in response.get("headers", {}))
        yield f"**{status}**", response["description"], headers, _answer_fields(operation, response)


def _answer_fields(operation: Operation, response: Json) -> str:
    content = response.get("content", {})
    if not content:
        return "none"
    media_type, described = next(iter(content.items()))
    if media_type != "application/json":
        return "bytes: " + ", ".join(f"`{name}`" for name in content)
    if "example" in described:
        return "below"
    names = [row[0] for row in _fields(operation, described["schema"], "", answer=True)]
    return ", ".join(names)


def _success(operation: Operation) -> Json:
    responses = operation.document["responses"]
    success = next(responses[code] for code in responses if code.startswith("2"))
    described: Json = operation.contract.resolve(success)["content"]["application/json"]
    return described


def _examples(operation: Operation) -> dict[str, Any]:
    """Return the arguments of a sample call: the required ones, headers with a default, and a sample body."""
    needed = {
        name: parameter["example"]
        for name, parameter in operation.parameters.items()
        if parameter.get("required") or (parameter["in"] == "header" and "default" in parameter["schema"])
    }
    body = dict(operation.body_example)
    if operation.media_type == MULTIPART:
        body = {
            name: "document.pdf" if "x-maxBytes" in operation.schema["properties"][name] else value
            for name, value in body.items()
        }
    return needed | body


def _type(schema: Json) -> str:
    if "x-maxBytes" in schema:
        return "file"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind for branch in schema["anyOf"] for kind in types_of(branch)))
    return " or ".join(types_of(schema)) or "any"
