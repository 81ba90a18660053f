"""Build one JSON Schema of a case, from which editors complete and check case files. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._contracts.json_data import Json
from dispute_provider._registry import APIS

_COMPONENTS = "#/components/schemas/"
# Keywords whose members are names, not keywords.
_NAMED = {"properties", "patternProperties", "$defs"}


def editor_schema() -> Json:
    """Return the case schema with the evidence of every API, in plain JSON Schema of draft 2020-12.

    What only this package's own keywords limit, such as the length of all texts together, is left out.
    """
    case = contract.read_schema("case.schema.json")
    schema: dict[str, Any] = {
        **_plain(case, ""),
        "$id": "urn:dispute-provider:case-for-editors",
        "description": "One dispute's evidence, for completion and checks in editors.",
        "allOf": [
            {
                "if": {"properties": {"provider": {"const": name}}, "required": ["provider"]},
                "then": {"properties": {"evidence": {"$ref": f"#/$defs/{name}.{_evidence(name)}"}}},
            }
            for name in APIS
        ],
        "$defs": {name: schema for api in APIS for name, schema in _definitions(api)},
    }
    schema["properties"] = {
        **schema["properties"],
        "provider": {**schema["properties"]["provider"], "enum": list(APIS)},
    }
    return schema


def _evidence(name: str) -> str:
    """Return the name of the schema for the evidence of a case at an API."""
    reference: str = contract.load(name).evidence["$ref"]
    return reference.removeprefix(_COMPONENTS)


def _definitions(name: str) -> Iterator[tuple[str, Json]]:
    """Yield the schemas that the evidence of an API needs."""
    schemas = contract.load(name).document["components"]["schemas"]
    needed, seen = [_evidence(name)], set[str]()
    while needed:
        component = needed.pop()
        if component in seen:
            continue
        seen.add(component)
        yield f"{name}.{component}", _plain(schemas[component], name)
        needed += _references(schemas[component])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix(_COMPONENTS).partition("/")[0]
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _plain(value: Any, api: str, *, names: bool = False) -> Any:
    """Return a schema without this package's own keywords, referring to the schemas under ``$defs``.

    :param names: whether the keys of ``value`` are names of properties.
    """
    if isinstance(value, list):
        return [_plain(each, api) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, item in value.items():
        if names or not key.startswith("x-"):
            plain[key] = _plain(item, api, names=key in _NAMED and not names)
    if not names and isinstance(reference := plain.get("$ref"), str):
        plain["$ref"] = reference.replace(_COMPONENTS, f"#/$defs/{api}.")
    return plain
