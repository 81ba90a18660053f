"""List and filter Moov's disputes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dispute_provider.sandbox._forms import FormError, pairs
from dispute_provider.sandbox._moov.auth import MoovError
from dispute_provider.sandbox._objects.moov import STATUSES
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._wire import Call

MAX_COUNT = 200
_DATES = ("startDateTime", "endDateTime", "respondStartDateTime", "respondEndDateTime")
_NAMES = ("skip", "count", "status", "merchantAccountID", "cardholderAccountID", "disputeIDs", "transferIDs",
          "orderBy", *_DATES)  # fmt: skip
_ORDERS = {"createdOn": "created", "respondBy": "respond_by", "status": "status", "amount": "amount"}


def list_disputes(world: World, call: Call) -> list[dict[str, Any]]:
    """Return one page, newest first unless ``orderBy`` is given.

    :raises MoovError: 400 for invalid parameters.
    """
    given = _query(call)
    skip = _number(given, "skip", 0, 0, 2**31)
    count = _number(given, "count", MAX_COUNT, 1, MAX_COUNT)
    if given.get("status", STATUSES[0]) not in STATUSES:
        raise MoovError(400, "status is not one of the statuses")
    start, end, respond_start, respond_end = (_moment(given, name) for name in _DATES)
    disputes, transfers = _several(given, "disputeIDs"), _several(given, "transferIDs")
    found = [
        dispute
        for dispute in world.moov.values()
        if dispute.account == call.account
        and given.get("status", dispute.status) == dispute.status
        and given.get("merchantAccountID", dispute.merchant) == dispute.merchant
        and given.get("cardholderAccountID", dispute.cardholder) == dispute.cardholder
        and (disputes is None or dispute.id in disputes)
        and (transfers is None or dispute.transfer in transfers)
        and (start is None or dispute.created >= start)
        and (end is None or dispute.created <= end)
        and (respond_start is None or dispute.respond_by > respond_start)
        and (respond_end is None or dispute.respond_by < respond_end)
    ]
    order = given.get("orderBy", "-createdOn")
    field = _ORDERS.get(order.removeprefix("-"))
    if field is None:
        raise MoovError(400, "orderBy takes createdOn, respondBy, status or amount, with - for descending")
    found.sort(key=lambda dispute: getattr(dispute, field), reverse=order.startswith("-"))
    return [dispute.render() for dispute in found[skip : skip + count]]


def _query(call: Call) -> dict[str, str]:
    given: dict[str, str] = {}
    try:
        for name, value in pairs(call.query):
            if name not in _NAMES or name in given:
                raise MoovError(400, f"unknown or repeated query parameter {name}")
            given[name] = value
    except FormError as error:
        raise MoovError(400, str(error)) from None
    call.decoded = given
    return given


def _number(given: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    value = given.get(name, str(default))
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise MoovError(400, f"{name} takes {least} to {most}")
    return int(value)


def _moment(given: dict[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise MoovError(400, f"{name} takes a date and time with its offset")
    return moment.timestamp()


def _several(given: dict[str, str], name: str) -> set[str] | None:
    return set(given[name].split(",")) if name in given else None
