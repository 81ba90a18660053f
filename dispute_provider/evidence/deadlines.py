"""Every time limit comes from the dispute's own due date. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

BUFFER = timedelta(hours=6)
_SHORTEST_REVIEW = timedelta(minutes=5)


def review_end(dues: Iterable[datetime | None], buffer: timedelta, now: datetime) -> datetime | None:
    """When a review of disputes with these due dates ends; None if none of them has one.

    The earliest date less the buffer; once that has begun, just before the date.
    """
    known = [due for due in dues if due is not None]
    if not known:
        return None
    due = min(known)
    if due - now > buffer:
        return due - buffer
    return min(due, max(due - _SHORTEST_REVIEW, now + _SHORTEST_REVIEW))


def threshold_reached(
    due: datetime, hours: Iterable[float], told: float | None, now: datetime
) -> float | None:
    """The hours before the due date that have just been reached; None if none has, or all have been told.

    Of several that passed since the last look, the nearest to the date counts for all of them.

    :param told: the nearest that was told before.
    """
    left = (due - now).total_seconds() / 3600
    passed = [each for each in hours if left <= each]
    if left <= 0 or not passed or (told is not None and told <= min(passed)):
        return None
    return min(passed)
