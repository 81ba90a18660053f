"""Read and write the sweep's memory and the results of its reviews in Airflow's asset state stores.

See :mod:`dispute_provider._state.sweep` for the writer of each key and why no lock is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dispute_provider._state.approvals import forget_opening, place_of
from dispute_provider._state.stores import Key, run_key, state_asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._state.sweep import LastReview, ReviewAnswer

REVIEWED = state_asset("disputes put to review", "dispute-provider://reviewed/")
REMINDED = state_asset("disputes reminded of", "dispute-provider://reminded/")
ANSWERED = state_asset("disputes answered for", "dispute-provider://answered/")
ENDED = state_asset("disputes ended", "dispute-provider://ended/")
# The last review of each dispute; written only by the sweep.
LAST_REVIEWS = Key(REVIEWED, "{connection}")
# The last reminder of each dispute; written only by the sweep.
LAST_REMINDERS = Key(REMINDED, "{connection}")
# The answer to a sweep's review for each of its disputes; written only by that review.
ANSWERS = Key(ANSWERED, "{review}")
# The end of each dispute of such a review; written only by the last task of its run.
ENDS = Key(ENDED, "{review}")

# The place of the review in ``dispute_review``, for a run that ended or was deleted without an answer.
_USUAL_PLACE = "review/-1"

# The key of a run's configuration for the records that the sweep wants reviewed.
STAGED = "staged"

_log = logging.getLogger(__name__)


def load(context: Context, key: Key, **parts: str) -> dict[str, Any]:
    """Load the stored mapping of a connection or a review; an empty one if there is none."""
    stored = key.store(context).get(key.name(**parts))
    return stored if isinstance(stored, dict) else {}


def save(context: Context, key: Key, memory: Mapping[str, Any], **parts: str) -> None:
    """Store the mapping of a connection or a review."""
    key.store(context).set(key.name(**parts), dict(memory))


def answers_to(
    context: Context, conn_id: str, last_reviews: Mapping[str, LastReview]
) -> dict[str, ReviewAnswer]:
    """Return the result of each dispute's last review, by dispute; open reviews are omitted.

    :param last_reviews: the last review of each dispute. Each distinct review costs two reads.
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
    """Return the result of the last review of each dispute in the sweep's memory, by dispute."""
    from dispute_provider._state.sweep import LastReview

    last_reviews = {dispute: each for dispute in memory if (each := LastReview.find(memory, dispute))}
    return answers_to(context, conn_id, last_reviews)


def save_answers(
    context: Context, records: Iterable[Record], why: Mapping[str, str], *, is_only: bool = False
) -> None:
    """Store the answers to a review that the sweep opened.

    :param why: the reviewer's choice by dispute, without the reviewer's comment.
    :param is_only: whether the run has no other review, whose answers would have to be read and kept; False
        by default.
    """
    from msgspec import structs

    _save_all(
        context,
        ANSWERS,
        (structs.replace(r, reason=why.get(r.dispute, r.reason)) for r in records),
        ended=False,
        replaces=is_only,
    )


def save_ends(context: Context, records: Iterable[Record]) -> None:
    """Store the ends of the disputes of a review that the sweep opened."""
    _save_all(context, ENDS, records, ended=True)


def _save_all(
    context: Context, key: Key, records: Iterable[Record], *, ended: bool, replaces: bool = False
) -> None:
    """Store answers or ends. A failed write only repeats a question, so it must not fail the task.

    :param replaces: whether to store them in place of the earlier ones; by default they are added.
    """
    from dispute_provider._state.sweep import ReviewAnswer

    if not opened_by_sweep(context):
        return
    review = run_key(context)
    # A record without a digest was never staged, so there was no review; its dispute may be only a path.
    entries: dict[str, Any] = {}
    try:
        answered = load(context, ANSWERS, review=review) if ended else {}
        # If several records are for one dispute, use the answered one.
        for record in sorted(records, key=lambda record: record.approval is not None):
            name = _key(record.connection, record.dispute)
            if record.digest:
                new = _answer(review, record, ended=ended)
                entries[name] = (new if ended else replace(new, place=place_of(context))).to_dict()
            elif record.unverified and (answer := ReviewAnswer.read(answered.get(name))):
                # The record does not contain the answer, but the stored answer does.
                entries[name] = replace(answer, state=str(record.state), reason=record.reason).to_dict()
        if not entries:
            if not ended:
                # Nothing is approved, and no entry would name this opening to the sweep that deletes it.
                forget_opening(context, review, place_of(context))
            return
        # A run may have several reviews, and each may be answered again.
        earlier = {} if replaces else load(context, key, review=review)
        save(context, key, {**earlier, **entries}, review=review)
    except Exception as error:
        _log.warning(
            "review=%s: its %d answers could not be stored for the sweep, which may ask again: %s",
            review,
            len(entries),
            error,
        )


def _answer(review: str, record: Record, *, ended: bool) -> ReviewAnswer:
    """Return the answer that a record contains, with its end if the run has ended.

    The reason of a held or rejected record quotes the reviewer, so it is not stored again.
    """
    from dispute_provider._state.sweep import ReviewAnswer

    given = record.approval
    if given is None:
        return ReviewAnswer(review, why=record.reason, state=str(record.state) if ended else None)
    answer = ReviewAnswer(review, given.action, given.responder, at=_moment(given.responded_at))
    if not ended:
        return replace(answer, why=record.reason)
    return replace(answer, state=str(record.state), reason=record.reason if answer.is_final_call else "")


def _moment(text: str) -> datetime | None:
    """Parse an ISO 8601 time; return None if it is invalid, as in an edited record."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def forget_answers(context: Context, reviews: Iterable[str]) -> None:
    """Delete the results and openings of reviews that have no open dispute left."""
    from dispute_provider._state.sweep import ReviewAnswer

    for review in reviews:
        answers = map(ReviewAnswer.read, load(context, ANSWERS, review=review).values())
        places = {answer.place for answer in answers if answer and answer.place}
        for place in places or {_USUAL_PLACE}:
            forget_opening(context, review, place)
        for key in (ANSWERS, ENDS):
            key.store(context).delete(key.name(review=review))


def opened_by_sweep(context: Context) -> bool:
    """Return whether the sweep started this run: its configuration then has the staged records."""
    return STAGED in (context["dag_run"].conf or {})


def _key(conn_id: str, dispute: str) -> str:
    return f"{conn_id}/{dispute}"
