"""Track which answers of a run count, and how many submissions of a stage ended unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from airflow.sdk import Asset

from dispute_provider.state.stores import fresh, load, now, run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record

# An asset is what Airflow keeps state for between runs.
SUBMISSIONS = Asset(name="dispute submissions", uri="dispute-provider://submissions")

_UNKNOWN = "unknown ends"
# Longer than any API leaves a stage open.
_STAGE_IS_OVER = timedelta(days=180)
# How often a count that another task has overwritten is written again.
_TRIES = 5


def open_review(context: Context) -> str:
    """Note that a review is opened; what was answered to it before is taken back. Returns its name.

    The name says which opening of which review of the run it is, and every answer is signed with it: one
    write for all of its answers, before any of them is given.
    """
    place = place_of(context)
    name = f"{place}/{context['ti'].id}"
    context["asset_state_store"][SUBMISSIONS].set(_opening(run_key(context), place), name)
    return name


def last_opening(context: Context, review: str) -> str | None:
    """The name of the last opening of a review of this run, by the name of any of its openings."""
    place, _, _ = review.rpartition("/")
    last = context["asset_state_store"][SUBMISSIONS].get(_opening(run_key(context), place))
    return last if isinstance(last, str) else None


def place_of(context: Context) -> str:
    """Return the task and map index of a review in its run: ``review/-1``."""
    return f"{context['ti'].task_id}/{context['ti'].map_index}"


def forget_opening(context: Context, run: str, place: str) -> None:
    """Delete which opening of a review counts: what was answered to it sends nothing any more.

    :param run: the run of the review, its DAG's id before it.
    """
    context["asset_state_store"][SUBMISSIONS].delete(_opening(run, place))


def _opening(run: str, place: str) -> str:
    return f"answers {run}/{place}"


def unknown_ends(context: Context, records: Sequence[Record]) -> dict[str, int]:
    """How many submissions of its stage ended *unknown* before, by dispute; one read for all of them."""
    if not records:
        return {}
    counted = load(context["asset_state_store"][SUBMISSIONS], _UNKNOWN)
    return {record.dispute: len(counted.get(stage_of(record), {}).get("of", ())) for record in records}


def count_unknown_ends(context: Context, records: Iterable[Record]) -> None:
    """One more of each stage, however often it is said: who approves it again gets a new idempotency key.

    Two tasks that count at once may overwrite one another, so each looks whether its own are there. One that
    is lost all the same costs a round: what is approved again goes out under the old key, which sends nothing
    twice, and the answer that the API keeps for that key is counted in its turn.
    """
    new = {stage_of(record): approval_of(record) for record in records}
    store = context["asset_state_store"][SUBMISSIONS]
    for _ in range(_TRIES):
        counted = load(store, _UNKNOWN)
        missing = {
            stage: this for stage, this in new.items() if this not in counted.get(stage, {}).get("of", ())
        }
        if not missing:
            return
        counted = fresh(counted, _STAGE_IS_OVER)
        for stage, this in missing.items():
            before = counted.get(stage, {}).get("of", ())
            counted[stage] = {"since": now(), "of": [*before, this]}
        store.set(_UNKNOWN, counted)


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


def stage_of(record: Record) -> str:
    """Names a stage of a dispute among all."""
    dispute = "/".join(part or "-" for part in (record.provider, record.account, record.dispute))
    return f"{dispute}/{record.stage or '-'}/{record.submissions or '-'}"
