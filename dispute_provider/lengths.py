"""How long texts are, as the APIs count: in UTF-16 units, the most cautious reading of "characters"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def utf16_units(text: str) -> int:
    """Length in UTF-16 code units: an astral character counts two."""
    return len(text) + sum(character > "\uffff" for character in text)


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
