"""Define the type of a JSON object, and check whether a value is JSON."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object, such as a schema, a body or an answer."""

_ATOMS = (int, float, bool, type(None))


def holds_json(value: Any) -> bool:
    """Return whether a value consists of JSON's own types only. A tuple is not a list.

    :raises ValueError: if a string contains a lone surrogate, which UTF-8 cannot encode.
    :raises RecursionError: if the value is nested too deeply.
    """
    kind = type(value)
    if kind is str:
        return value.isascii() or bool(value.encode())
    if kind is dict:
        for key, item in value.items():
            # The common case, without a recursive call.
            if type(key) is str and type(item) is str and key.isascii() and item.isascii():
                continue
            if not (holds_json(key) and holds_json(item)):
                return False
        return True
    if kind is list:
        return all(map(holds_json, value))
    return kind in _ATOMS
