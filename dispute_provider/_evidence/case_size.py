"""Bound the size of a case, before anything works on its contents.

A case is small: its documents are files of their own, and Stripe allows 150,000 characters of text in all the
evidence of a dispute (Moov less). What exceeds a bound is no case, and would only cost time and memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dispute_provider.exceptions import Violation

LARGEST_CASE = 1024 * 1024
"""Bytes of a case file. 150,000 characters take at most 900,000 as JSON escapes (``\\u00e9``)."""
MAX_VALUES = 10_000
"""Keys, texts, lists and objects of a case, aliases expanded. Far more than either API has fields for."""
MAX_DEPTH = 32
"""Lists and objects in one another. The deepest evidence of either API needs 7."""
LONGEST_NUMBER = 64
"""Digits of a number. No field of a case is one, and parsing takes time that grows by their square."""

TOO_MANY_VALUES = (
    f"it has more than {MAX_VALUES:,} values, aliases (*name) expanded",
    "keep one dispute's evidence in a case; write texts out in place of aliases",
)
TOO_DEEP = (
    f"it nests lists or objects more than {MAX_DEPTH} deep",
    "nest them only as the API's evidence does; an object must not contain itself",
)
TOO_LONG_A_NUMBER = (f"a number has more than {LONGEST_NUMBER} digits", "put it in quotes if it is a text")

_LARGEST_NUMBER = 10**LONGEST_NUMBER


def excess(data: Any) -> Violation | None:
    """Return the bound that a case in Python's types exceeds, None if it is within all of them.

    The cost is bounded even if an object contains itself, or the same object many times.
    """
    values, level = 0, [data]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                continue
            if isinstance(item, Mapping | list | tuple):
                values += len(item)
                if values > MAX_VALUES:
                    return Violation("", *TOO_MANY_VALUES)
                below += _children(item)
            elif isinstance(item, int) and abs(item) > _LARGEST_NUMBER:
                return Violation("", *TOO_LONG_A_NUMBER)
        if not below:
            return None
        level = below
    return Violation("", *TOO_DEEP)


def _children(item: Any) -> Iterable[Any]:
    return item.values() if isinstance(item, Mapping) else item
