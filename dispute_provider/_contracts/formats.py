"""Check the JSON Schema formats that contracts use, with the same result on every installation."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from jsonschema import FormatChecker

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
PATTERNS = {
    "uuid": rf"^{_UUID.pattern}$",
    "date-time": r"^[12][0-9]{3}-"
    r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
}
"""Regular expressions of JSON Schema that only valid strings of a format match, though not all of them."""
LAST_UNIX_TIME = 253_402_300_799
"""The end of the year 9999 in Unix seconds: the last date that Python can represent."""


def _is_uuid(value: object) -> bool:
    """Return whether a value is a UUID by RFC 9562."""
    return not isinstance(value, str) or _UUID.fullmatch(value) is not None


def _is_date_time(value: object) -> bool:
    """Return whether a value is a date-time by RFC 3339 that Python can convert to UTC."""
    if not isinstance(value, str):
        return True
    return bool(_RFC_3339.fullmatch(value)) and datetime.fromisoformat(value).astimezone(UTC) is not None


def _is_unix_time(value: object) -> bool:
    return not isinstance(value, int | float) or 0 <= value <= LAST_UNIX_TIME


def _is_date(value: object) -> bool:
    """Return whether a value is a full-date by RFC 3339."""
    return not isinstance(value, str) or date.fromisoformat(value).isoformat() == value


# jsonschema has more formats, but ignores those whose library is not installed.
FORMATS = FormatChecker(formats=[])
FORMATS.checkers["uuid"] = (_is_uuid, ())
FORMATS.checkers["date-time"] = (_is_date_time, (ValueError, OverflowError))
FORMATS.checkers["date"] = (_is_date, ValueError)
FORMATS.checkers["unix-time"] = (_is_unix_time, ())
