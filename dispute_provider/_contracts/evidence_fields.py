"""List the evidence fields that an API accepts. Pure.

Fields inside a group (``x-kind: group`` in the contract) are handled separately, each under its path, such as
``appeal/card/reason_for_filing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.json_data import Json

SEPARATOR = "/"
"""Separates the name of a group from the name of a field in it."""


@cache
def fields(api: Contract, schema: str | None = None) -> Mapping[str, Json]:
    """Return the schema of each evidence field by name, with the fields of groups under their paths.

    :param schema: name of the component schema to read; None, the default, for the evidence of a case.
    """
    properties = api.resolve(api.named_schemas[schema] if schema else api.evidence)["properties"]
    return MappingProxyType(dict(_fields(api, properties)))


def _fields(api: Contract, properties: Json, group: str = "") -> Iterator[tuple[str, Json]]:
    for name, raw in properties.items():
        field = api.resolve(raw)
        if field.get("x-kind") == "group":
            yield from _fields(api, field["properties"], f"{group}{name}{SEPARATOR}")
        else:
            yield f"{group}{name}", field


def text_schema(api: Contract, field: Json) -> Json:
    """Return the schema for text in a field that accepts text or documents; empty if it accepts no text."""
    schema = api.resolve(field)
    if schema.get("if", {}).get("type") == "string":
        return api.resolve(schema["then"])
    inner = (text_schema(api, schema[branch]) for branch in ("then", "else", "items") if branch in schema)
    return next(filter(None, inner), {})


@cache
def lists(api: Contract) -> frozenset[str]:
    """Return the names of the fields that hold a list of documents (``x-kind: files``)."""
    return frozenset(name for name, field in fields(api).items() if field.get("x-kind") == "files")


@cache
def groups(api: Contract) -> frozenset[str]:
    """Return the paths of all groups, such as ``appeal`` and ``appeal/card``."""
    names = [name.split(SEPARATOR) for name in fields(api)]
    return frozenset(SEPARATOR.join(steps[:end]) for steps in names for end in range(1, len(steps)))
