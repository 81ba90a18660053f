"""Track which answers of a run count."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from airflow.sdk import Asset

from dispute_provider._state.stores import Key, run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# An asset is what Airflow keeps state for between runs.
SUBMISSIONS = Asset(name="dispute submissions", uri="dispute-provider://submissions")
# The name of the last opening of a review.
OPENING = Key(SUBMISSIONS, "answers {run}/{place}")


def open_review(context: Context) -> str:
    """Note that a review is opened; what was answered to it before is taken back. Returns its name.

    The name says which opening of which review of the run it is, and every answer is signed with it: one
    write for all of its answers, before any of them is given.
    """
    place = place_of(context)
    name = f"{place}/{context['ti'].id}"
    OPENING.store(context).set(_opening(run_key(context), place), name)
    return name


def last_opening(context: Context, review: str) -> str | None:
    """The name of the last opening of a review of this run, by the name of any of its openings."""
    place, _, _ = review.rpartition("/")
    last = OPENING.store(context).get(_opening(run_key(context), place))
    return last if isinstance(last, str) else None


def place_of(context: Context) -> str:
    """Return the task and map index of a review in its run: ``review/-1``."""
    return f"{context['ti'].task_id}/{context['ti'].map_index}"


def forget_opening(context: Context, run: str, place: str) -> None:
    """Delete which opening of a review counts: what was answered to it sends nothing any more.

    :param run: the run of the review, its DAG's id before it.
    """
    OPENING.store(context).delete(_opening(run, place))


def _opening(run: str, place: str) -> str:
    return OPENING.name(run=run, place=place)


def approval_of(record: Record) -> str:
    """Names an approval: a new one, once the task was cleared, is not answered with the end of an old one."""
    return (record.signature or "")[:16] if record.approval else record.dispute


def dispute_of(record: Record) -> str:
    """Names a dispute among all of both APIs: by its API and its id, whichever connection leads to it."""
    try:
        # A uuid is the same in capitals.
        return f"{record.provider}/{UUID(record.dispute)}"
    except ValueError:
        return f"{record.provider}/{record.dispute}"
