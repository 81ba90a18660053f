"""Limit the size of a case before its contents are processed.

A case is small: its documents are separate files, and Stripe accepts 150,000 characters of text per dispute
(Moov fewer). Data beyond these limits is not a case, and would only take time and memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dispute_provider.exceptions import Violation

LARGEST_CASE = 1024 * 1024
"""Bytes of a case file. 150,000 characters take at most 900,000 bytes as JSON escapes (``\\u00e9``)."""
MAX_VALUES = 10_000
"""Keys, texts, lists and objects of a case, with aliases expanded. Either API has far fewer fields."""
MAX_DEPTH = 32
"""Levels of nested lists and objects. The deepest evidence of either API has 7."""
LONGEST_NUMBER = 64
"""Digits of a number. No field of a case is a number, and parsing takes quadratic time."""

TOO_MANY_VALUES = (
    f"it has more than {MAX_VALUES:,} values, counting those that aliases (*name) repeat",
    "keep the evidence of one dispute in a case, and replace aliases by their text",
)
TOO_DEEP = (
    f"it nests lists or objects more than {MAX_DEPTH} levels deep",
    "nest them only as the API's evidence does; an object must not contain itself",
)
TOO_LONG_A_NUMBER = (f"a number has more than {LONGEST_NUMBER} digits", "put it in quotes if it is text")

_LARGEST_NUMBER = 10**LONGEST_NUMBER


def excess(data: Any) -> Violation | None:
    """Return the limit that the data of a case exceeds; None if it is within all of them.

    The cost is limited even if an object contains itself, or the same object many times.
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
