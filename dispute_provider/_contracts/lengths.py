"""Count the length of texts in UTF-16 units, the most cautious reading of "characters" in an API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def utf16_units(text: str) -> int:
    """Length in UTF-16 code units: an astral character counts two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def text_length(value: Any) -> int:
    """UTF-16 units of all strings below a value, keys not counted."""
    if isinstance(value, str):
        return utf16_units(value)
    children: Iterable[Any]
    if isinstance(value, Mapping):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    else:
        children = ()
    return sum(map(text_length, children))


def document_names(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the properties of a schema whose texts do not count: names of documents, and groups.

    A group belongs to a stage of its own, and has a limit of its own.
    """
    others = ("file", "files", "group")
    return frozenset(name for name, field in schema["properties"].items() if field.get("x-kind") in others)


def text_of_others(documents: frozenset[str], instance: Mapping[str, Any]) -> int:
    """UTF-16 units of an object's texts, the names of its documents left out."""
    return sum([text_length(value) for name, value in instance.items() if name not in documents])
