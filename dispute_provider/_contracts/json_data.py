"""Define the type of a JSON object, check whether a value is JSON, and escape names for pointers."""

from __future__ import annotations

from itertools import chain
from typing import Any

Json = dict[str, Any]
"""A JSON object, such as a schema, a body or an answer."""

_ATOMS = frozenset((int, float, bool, type(None)))


def holds_json(value: Any) -> bool:
    """Return whether a value consists of JSON's own types only. A tuple is not a list.

    :raises ValueError: if a string contains a lone surrogate, which UTF-8 cannot encode.
    :raises RecursionError: if the value is nested too deeply.
    """
    kind = type(value)
    if kind is str:
        return value.isascii() or bool(value.encode())
    if kind is dict:
        value = chain(value, value.values())
    elif kind is not list:
        return kind in _ATOMS
    for item in value:
        # The common cases, without a recursive call.
        kind = type(item)
        if (kind is str and item.isascii()) or kind in _ATOMS:
            continue
        if not holds_json(item):
            return False
    return True


def escape(token: Any) -> str:
    """Return a reference token, escaped for a JSON pointer (RFC 6901)."""
    return str(token).replace("~", "~0").replace("/", "~1")
