"""Find the headers of an answer by their roles. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from dispute_provider._contracts.contract import Contract


def header(api: Contract, role: str, headers: Mapping[str, str]) -> str | None:
    """Return the header of an answer that has a role (``x-role``); None where it has none.

    :param role: ``request-id``, ``should-retry`` or ``replayed``.
    :param headers: by their names in any case, as HTTP clients hold them.
    """
    return next(filter(None, map(headers.get, _names(api, role))), None)


@cache
def _names(api: Contract, role: str) -> tuple[str, ...]:
    """The names of the headers that have a role in any answer of an API, in lower case."""
    answers = (
        api.resolve(answer)
        for operation in api.operations.values()
        for answer in operation.document["responses"].values()
    )
    found = (
        name.lower()
        for answer in answers
        for name, given in answer.get("headers", {}).items()
        if api.resolve(given).get("x-role") == role
    )
    return tuple(dict.fromkeys(found))
