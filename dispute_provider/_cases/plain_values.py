"""Turn the values of databases and of Python functions into those of a case."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from numbers import Integral, Real
from typing import Any

_NAME = re.compile(r"[\w.-]{1,40}")


class ValueRefusedError(Exception):
    """A value that no case can hold.

    :param pointer: where it is, as a JSON pointer.
    :param problem: what it is, without the value.
    """

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(f"{pointer}: {problem}")
        self.pointer, self.problem = pointer, problem


def plain(value: Any, pointer: str = "") -> Any:
    """Return a value in JSON's own types; exact decimals, times, UUIDs and IP addresses become texts.

    NaN and NaT, which pandas uses for missing values, become null.

    :raises ValueRefusedError: if it is of another type, or contains such a value.
    :raises RecursionError: if it is nested too deeply.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, pointer)
    if isinstance(value, Mapping):
        return {_key(key, pointer): plain(each, f"{pointer}/{_named(key)}") for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, f"{pointer}/{index}") for index, each in enumerate(value)]
    if isinstance(value, Decimal | datetime | date | time | Real) and value != value:
        return None
    if isinstance(value, Decimal | Real) and math.isinf(value):
        raise ValueRefusedError(pointer, "is an infinite number")
    return _scalar(value, pointer)


def _scalar(value: Any, pointer: str) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | IPv4Address | IPv6Address):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise ValueRefusedError(pointer, f"is of the type {type(value).__name__}")


def _text(value: str, pointer: str) -> str:
    # The method of a subclass, such as an enumeration, may return something else.
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueRefusedError(pointer, "is a text with half a character (a lone surrogate)") from None
    return text


def _key(key: Any, pointer: str) -> str:
    if not isinstance(key, str):
        raise ValueRefusedError(pointer, f"has a key of the type {type(key).__name__}")
    return _text(key, pointer)


def _named(key: Any) -> str:
    """Return a key for a pointer; one that is no name may be a customer's text, so it is left out."""
    return key if isinstance(key, str) and _NAME.fullmatch(key) else "[…]"
