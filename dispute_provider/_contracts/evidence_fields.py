"""Name the fields of evidence that an API takes. Pure.

Fields that the API nests (``x-kind: group`` in its contract) are handled one by one, under names such as
``appeal/card/reason_for_filing``: each is a text or documents, like any other field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.json_data import Json

SEPARATOR = "/"
"""Between the names of a group and of its fields."""


@cache
def fields(api: Contract, schema: str | None = None) -> Mapping[str, Json]:
    """Return the schema of each field of evidence by its name, groups resolved into their fields.

    :param schema: the contract's name for the evidence of a request; None, the default, for that of a case.
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
    """Return what a field of evidence says of a text, where an item of it is a text or a document."""
    schema = api.resolve(field)
    if schema.get("if", {}).get("type") == "string":
        return api.resolve(schema["then"])
    inner = (text_schema(api, schema[branch]) for branch in ("then", "else", "items") if branch in schema)
    return next(filter(None, inner), {})


@cache
def lists(api: Contract) -> frozenset[str]:
    """Return the names of the fields that hold a list of documents, where others hold one."""
    return frozenset(name for name, field in fields(api).items() if field.get("x-kind") == "files")


@cache
def groups(api: Contract) -> frozenset[str]:
    """Return the names of the groups: ``appeal``, ``appeal/card``."""
    names = [name.split(SEPARATOR) for name in fields(api)]
    return frozenset(SEPARATOR.join(steps[:end]) for steps in names for end in range(1, len(steps)))
