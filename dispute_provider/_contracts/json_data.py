"""JSON as Python holds it: the type of an object, and the check that a value is JSON."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object: a schema, a body, an answer."""

_ATOMS = (int, float, bool, type(None))


def holds_json(value: Any) -> bool:
    """Whether a value is of JSON's own types throughout: a tuple is no list, an enum's member no string.

    :raises ValueError: for half a surrogate pair, which has no form in UTF-8.
    :raises RecursionError: if it is nested too deeply.
    """
    kind = type(value)
    if kind is str:
        return value.isascii() or bool(value.encode())
    if kind is dict:
        for key, item in value.items():
            # Most are texts under names, and need no call of their own.
            if type(key) is str and type(item) is str and key.isascii() and item.isascii():
                continue
            if not (holds_json(key) and holds_json(item)):
                return False
        return True
    if kind is list:
        return all(map(holds_json, value))
    return kind in _ATOMS
