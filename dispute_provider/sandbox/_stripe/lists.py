"""Page Stripe's lists: newest first, by cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dispute_provider.sandbox._stripe.params import invalid

Item = TypeVar("Item")


def within(created: int, bounds: Any) -> bool:
    """Return whether a time matches the parameter ``created``: a number, bounds or None."""
    if bounds is None:
        return True
    if isinstance(bounds, int):
        return created == bounds
    least = max(bounds.get("gte", created), bounds.get("gt", created - 1) + 1)
    most = min(bounds.get("lte", created), bounds.get("lt", created + 1) - 1)
    return bool(least <= created <= most)


def page(
    items: Sequence[Item], given: dict[str, Any], identify: Callable[[Item], str]
) -> tuple[list[Item], bool]:
    """Return one page of items sorted newest first, and whether more follow.

    :raises StripeError: for invalid parameters.
    """
    limit = given.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("limit takes 1 to 100", "limit", "parameter_invalid_integer")
    after, before = given.get("starting_after"), given.get("ending_before")
    if after and before:
        raise invalid("starting_after and ending_before exclude each other", code="parameters_exclusive")
    if before:
        end = _position(items, before, identify, "ending_before")
        return list(items[max(0, end - limit) : end]), end > limit
    start = _position(items, after, identify, "starting_after") + 1 if after else 0
    return list(items[start : start + limit]), len(items) > start + limit


def _position(items: Sequence[Item], wanted: str, identify: Callable[[Item], str], param: str) -> int:
    for position, item in enumerate(items):
        if identify(item) == wanted:
            return position
    raise invalid(f"The list has no {wanted}", param, "resource_missing")
