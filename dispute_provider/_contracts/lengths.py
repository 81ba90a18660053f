"""Measure text in UTF-16 code units.

The APIs limit "characters" without defining them. UTF-16 code units are the most cautious reading: an emoji
counts as two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def utf16_units(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def text_length(value: Any) -> int:
    """Return the UTF-16 code units of all strings in a value, without keys."""
    if isinstance(value, str):
        return len(value) if value.isascii() else utf16_units(value)
    children: Iterable[Any]
    if isinstance(value, Mapping):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    else:
        children = ()
    return sum(map(text_length, children))


def document_names(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the properties of a schema that ``x-maxTextLength`` excludes: documents and groups.

    A group has a separate limit, because it belongs to another stage.
    """
    others = ("file", "files", "group")
    return frozenset(name for name, field in schema["properties"].items() if field.get("x-kind") in others)


def text_of_others(documents: frozenset[str], instance: Mapping[str, Any]) -> int:
    """Return the UTF-16 code units of an object's texts, without the properties in ``documents``."""
    return sum([text_length(value) for name, value in instance.items() if name not in documents])
