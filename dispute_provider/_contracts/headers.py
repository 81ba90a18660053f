"""Read response headers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from dispute_provider._contracts.contract import Contract


def header(api: Contract, role: str, headers: Mapping[str, str]) -> str | None:
    """Return the value of the response header with a role (``x-role``); None if there is none.

    :param role: ``request-id``, ``should-retry`` or ``replayed``.
    :param headers: a mapping that ignores the case of names, as HTTP clients return it.
    """
    return next(filter(None, map(headers.get, _with_role(api, role))), None)


def exceeded_limit(api: Contract, headers: Mapping[str, str]) -> str | None:
    """Return the rate limit that a refusal (429) names: ``account``, ``endpoint`` or ``files``; None if none.

    :param headers: a mapping that ignores the case of names, as HTTP clients return it.
    """
    for name, definition in _with_role(api, "rate-limit").items():
        if limit := definition["x-limits"].get(headers.get(name)):
            return str(limit)
    return None


@cache
def _with_role(api: Contract, role: str) -> dict[str, Any]:
    """Return all response headers with a role: their names, in lower case, and their definitions."""
    answers = (
        api.resolve(answer)
        for operation in api.operations.values()
        for answer in operation.document["responses"].values()
    )
    return {
        name.lower(): api.resolve(given)
        for answer in answers
        for name, given in answer.get("headers", {}).items()
        if api.resolve(given).get("x-role") == role
    }


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds to wait by a ``Retry-After`` header; None if it is absent or invalid.

    :param value: a number of seconds, or an HTTP date (RFC 9110, section 10.2.3).
    :param now: the time to count from; None, the default, for the current time.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        # The zone -0000 means UTC, with an unknown local zone (RFC 5322, section 3.3).
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds)
