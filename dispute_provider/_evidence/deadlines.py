"""Derive the time limits of a review from the due dates of its disputes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

BUFFER = timedelta(hours=6)
# A dispute that is due within this time gets a separate review.
URGENT = timedelta(days=1)
_SHORTEST_REVIEW = timedelta(minutes=5)
# A review that would be open for less than this drops its buffer.
_USABLE_REVIEW = timedelta(hours=1)


def is_urgent(due: datetime | None, now: datetime) -> bool:
    """Return whether a dispute is due so soon that it gets a separate review; see :data:`URGENT`."""
    return due is not None and due - now <= URGENT


def review_end(dues: Iterable[datetime | None], buffer: timedelta, now: datetime) -> datetime | None:
    """Return when a review of disputes with these due dates ends; None if none of them has one.

    It ends a buffer before the earliest date. If less than an hour would remain, the review is the last
    chance to answer, and ends five minutes before that date.

    :param dues: the due dates; None for a dispute without one.
    :param buffer: time between the end of the review and the earliest due date.
    """
    known = [due for due in dues if due is not None]
    if not known:
        return None
    due = min(known)
    if due - buffer - now >= _USABLE_REVIEW:
        return due - buffer
    return min(due, max(due - _SHORTEST_REVIEW, now + _SHORTEST_REVIEW))


def point_passed(due: datetime | None, hours: Iterable[float], since: datetime | None, now: datetime) -> bool:
    """Return whether one of some times before the due date has passed since an earlier look.

    A time that passed while no sweep ran counts at the next one.

    :param due: None for a dispute without a due date, for which no time passes.
    :param hours: the times, in hours before the due date.
    :param since: the earlier look; None if there was none, so that every time in the past counts.
    """
    if due is None:
        return False
    points = [due - timedelta(hours=each) for each in hours]
    return any(point <= now and (since is None or since < point) for point in points)


def threshold_reached(
    due: datetime, hours: Iterable[float], reported: float | None, now: datetime
) -> float | None:
    """Return the threshold before the due date that was reached and not reported yet; None if there is none.

    If several passed since the last report, only the one nearest to the due date is returned.

    :param hours: the thresholds, in hours before the due date.
    :param reported: the threshold that was reported last; None if none was.
    """
    left = (due - now).total_seconds() / 3600
    passed = [each for each in hours if left <= each]
    if left <= 0 or not passed or (reported is not None and reported <= min(passed)):
        return None
    return min(passed)
