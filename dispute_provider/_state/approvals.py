"""Track which answers to a run's reviews are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from dispute_provider._state.stores import Key, run_key, state_asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# Airflow keeps state between runs only for assets.
SUBMISSIONS = state_asset("dispute submissions", "dispute-provider://submissions/")
# The name of a review's last opening.
OPENING = Key(SUBMISSIONS, "answers {run}/{place}")


def open_review(context: Context) -> str:
    """Store a new opening of a review, which voids the answers to earlier openings. Return its name.

    The name identifies the review and this opening. Every answer is signed with it, so one write before the
    first answer covers all of them.
    """
    place = place_of(context)
    name = f"{place}/{context['ti'].id}"
    OPENING.store(context).set(_opening(run_key(context), place), name)
    return name


def last_opening(context: Context, review: str) -> str | None:
    """Return the name of the last opening of a review in this run.

    :param review: the name of any of its openings.
    """
    place, _, _ = review.rpartition("/")
    last = OPENING.store(context).get(_opening(run_key(context), place))
    return last if isinstance(last, str) else None


def place_of(context: Context) -> str:
    """Return the task id and map index of a review: ``review/-1``."""
    return f"{context['ti'].task_id}/{context['ti'].map_index}"


def forget_opening(context: Context, run: str, place: str) -> None:
    """Delete the last opening of a review, which voids all its answers.

    :param run: DAG id and run id of the review, as ``dag_id/run_id``.
    """
    OPENING.store(context).delete(_opening(run, place))


def _opening(run: str, place: str) -> str:
    return OPENING.name(run=run, place=place)


def approval_of(record: Record) -> str:
    """Return the name of an approval; a new approval, after the task was cleared, has another name."""
    return (record.signature or "")[:16] if record.approval else record.dispute


def dispute_of(record: Record) -> str:
    """Return a dispute's name across all APIs: the API and the dispute's id, without the connection."""
    try:
        # Uppercase and lowercase spellings of a UUID name the same dispute.
        return f"{record.provider}/{UUID(record.dispute)}"
    except ValueError:
        return f"{record.provider}/{record.dispute}"
