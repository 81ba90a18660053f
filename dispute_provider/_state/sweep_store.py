"""Read and write what the sweep remembers, and how its reviews ended, in Airflow's store for assets.

See :mod:`dispute_provider._state.sweep` for who writes what, and why no lock is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from dispute_provider._state.approvals import forget_opening, place_of
from dispute_provider._state.stores import Key, run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._state.sweep import LastReview, ReviewAnswer

REVIEWED = Asset(name="disputes put to review", uri="dispute-provider://reviewed")
REMINDED = Asset(name="disputes reminded of", uri="dispute-provider://reminded")
ANSWERED = Asset(name="disputes answered for", uri="dispute-provider://answered")
ENDED = Asset(name="disputes ended", uri="dispute-provider://ended")
# What the sweep has put to review; written by the sweep alone.
LAST_REVIEWS = Key(REVIEWED, "{connection}")
# What the sweep has reminded of; written by the sweep alone.
LAST_REMINDERS = Key(REMINDED, "{connection}")
# How a review that the sweep has opened ended for each of its disputes; written by that review alone.
ANSWERS = Key(ANSWERED, "{review}")
# The tasks of such a review's run that asked people; written by them.
PLACES = Key(ANSWERED, "reviews of {review}")
# What became of each dispute of such a review; written by its run's last task.
ENDS = Key(ENDED, "{review}")

# Under this key, a run's configuration holds what the sweep has put to its review.
STAGED = "staged"

_log = logging.getLogger(__name__)


def load(context: Context, key: Key, **parts: str) -> dict[str, Any]:
    """Return what is remembered of a connection, or a review."""
    stored = key.store(context).get(key.name(**parts))
    return stored if isinstance(stored, dict) else {}


def save(context: Context, key: Key, memory: Mapping[str, Any], **parts: str) -> None:
    """Remember it of a connection, or a review."""
    key.store(context).set(key.name(**parts), dict(memory))


def answers_to(
    context: Context, conn_id: str, last_reviews: Mapping[str, LastReview]
) -> dict[str, ReviewAnswer]:
    """Return how the reviews ended that disputes were put to, by dispute; those that are open are left out.

    :param last_reviews: by dispute; two reads for each of their reviews.
    """
    from dispute_provider._state.sweep import ReviewAnswer

    reviews = {each.review for each in last_reviews.values()}
    answered = {review: load(context, ANSWERS, review=review) for review in reviews}
    ended = {review: load(context, ENDS, review=review) for review in reviews}
    found: dict[str, ReviewAnswer] = {}
    for dispute, each in last_reviews.items():
        key = _key(conn_id, dispute)
        answer = ReviewAnswer.read(answered[each.review].get(key))
        end = ReviewAnswer.read(ended[each.review].get(key))
        if known := answer.with_end(end) if answer else end:
            found[dispute] = known
    return found


def past_answers(context: Context, conn_id: str, memory: Mapping[str, Any]) -> dict[str, ReviewAnswer]:
    """Return how the reviews ended that a memory names, by dispute."""
    from dispute_provider._state.sweep import LastReview

    last_reviews = {dispute: each for dispute in memory if (each := LastReview.of(memory, dispute))}
    return answers_to(context, conn_id, last_reviews)


def note_answers(context: Context, records: Iterable[Record], why: Mapping[str, str]) -> None:
    """Note how a review that the sweep has opened was answered.

    :param why: by dispute, what a person decided, without the words that they wrote to it.
    """
    from msgspec import structs

    _note(
        context,
        ANSWERS,
        (structs.replace(r, reason=why.get(r.dispute, r.reason)) for r in records),
        ended=False,
    )
    if not opened_by_sweep(context):
        return
    review = run_key(context)
    try:
        places = {**load(context, PLACES, review=review), place_of(context): True}
        save(context, PLACES, places, review=review)
    except Exception as error:
        _log.warning("which answers count stays in Airflow's store for good: %s", error)


def note_ends(context: Context, records: Iterable[Record]) -> None:
    """Note what became of the disputes of a review that the sweep has opened."""
    _note(context, ENDS, records, ended=True)


def _note(context: Context, key: Key, records: Iterable[Record], *, ended: bool) -> None:
    """A note that cannot be written costs a second question; failing for it would cost the answer itself."""
    from dispute_provider._state.sweep import ReviewAnswer

    if not opened_by_sweep(context):
        return
    review = run_key(context)
    # What has no digest was never staged, so nobody was to be asked; its dispute may be no more than a path.
    noted: dict[str, Any] = {}
    try:
        answered = load(context, ANSWERS, review=review) if ended else {}
        # Of several records of one dispute, that which was answered counts.
        for record in sorted(records, key=lambda record: record.approval is not None):
            name = _key(record.connection, record.dispute)
            if record.digest:
                noted[name] = _answer(review, record, ended=ended).to_dict()
            elif record.unverified and (answer := ReviewAnswer.read(answered.get(name))):
                # The record does not say what was answered, the note of the answer does.
                noted[name] = replace(answer, state=str(record.state), reason=record.reason).to_dict()
        # A run may have several reviews, and each of them may be answered again.
        save(context, key, {**load(context, key, review=review), **noted}, review=review)
    except Exception as error:
        _log.warning("review=%s: its %d answers are not noted for the sweep: %s", review, len(noted), error)


def _answer(review: str, record: Record, *, ended: bool) -> ReviewAnswer:
    """What a record says of its answer; of its end, if this is where its run ends.

    Of what is held or rejected, the reason quotes the reviewer by then, and the answer says it already.
    """
    from dispute_provider._state.sweep import ReviewAnswer

    given = record.approval
    if given is None:
        return ReviewAnswer(review, why=record.reason, state=str(record.state) if ended else None)
    answer = ReviewAnswer(review, given.action, given.responder, at=_moment(given.responded_at))
    if not ended:
        return replace(answer, why=record.reason)
    return replace(answer, state=str(record.state), reason=record.reason if answer.sends else "")


def _moment(text: str) -> datetime | None:
    """Return a moment in ISO 8601; None if it is none, as in a record that was edited."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def forget_answers(context: Context, reviews: Iterable[str]) -> None:
    """Forget how reviews ended that nothing open was put to, and which of their answers count."""
    for review in reviews:
        for place in load(context, PLACES, review=review):
            forget_opening(context, review, place)
        for key in (PLACES, ANSWERS, ENDS):
            key.store(context).delete(key.name(review=review))


def opened_by_sweep(context: Context) -> bool:
    """Whether it is the sweep that waits for this run's answers: then it has handed over what it staged."""
    return STAGED in (context["dag_run"].conf or {})


def _key(conn_id: str, dispute: str) -> str:
    return f"{conn_id}/{dispute}"
