"""How long texts are, as the APIs count: in UTF-16 units, the most cautious reading of "characters"."""

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


def text_of_properties(schema: Mapping[str, Any], instance: Mapping[str, Any]) -> int:
    """UTF-16 units of an object's texts; the name of a document is no text that anybody reads."""
    documents = {name for name, field in schema["properties"].items() if field.get("x-kind") == "file"}
    return sum(text_length(value) for name, value in instance.items() if name not in documents)
