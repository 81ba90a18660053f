"""Every time limit comes from the dispute's own due date. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

BUFFER = timedelta(hours=6)
# What is due within this time gets a review of its own.
URGENT = timedelta(days=1)
_SHORTEST_REVIEW = timedelta(minutes=5)
# A review that would be open for less than this does without its buffer.
_USABLE_REVIEW = timedelta(hours=1)


def is_urgent(due: datetime | None, now: datetime) -> bool:
    """Return whether a dispute is due so soon that it gets a review of its own; see :data:`URGENT`."""
    return due is not None and due - now <= URGENT


def review_end(dues: Iterable[datetime | None], buffer: timedelta, now: datetime) -> datetime | None:
    """When a review of disputes with these due dates ends; None if none of them has one.

    The earliest date less the buffer. Where that is less than an hour away, or has passed, the review is the
    last chance to answer: it ends five minutes before the date.
    """
    known = [due for due in dues if due is not None]
    if not known:
        return None
    due = min(known)
    if due - buffer - now >= _USABLE_REVIEW:
        return due - buffer
    return min(due, max(due - _SHORTEST_REVIEW, now + _SHORTEST_REVIEW))


def point_passed(due: datetime | None, hours: Iterable[float], since: datetime | None, now: datetime) -> bool:
    """Return whether one of these hours before the due date has passed since another time.

    However late that is noticed: a sweep may not have run for a while.

    :param due: when the answer must have arrived; without a due date none of the hours passes.
    :param since: if None, whether one has passed at all.
    """
    if due is None:
        return False
    points = [due - timedelta(hours=each) for each in hours]
    return any(point <= now and (since is None or since < point) for point in points)


def threshold_reached(
    due: datetime, hours: Iterable[float], reported: float | None, now: datetime
) -> float | None:
    """The hours before the due date that have just been reached; None if none has, or all have been reported.

    Of several that passed since the last look, the nearest to the date counts for all of them.

    :param reported: the nearest that was reported before; None if none was.
    """
    left = (due - now).total_seconds() / 3600
    passed = [each for each in hours if left <= each]
    if left <= 0 or not passed or (reported is not None and reported <= min(passed)):
        return None
    return min(passed)
