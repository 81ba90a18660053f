"""What outlives a run of what was asked and answered, in Airflow's store for assets.

See :mod:`dispute_provider.evidence.memory` for who writes what, and why no lock is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from dispute_provider.operators.batch import run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.memory import Answer, Asked
    from dispute_provider.evidence.record import Record

# By connection, what the sweep has put to review; written by the sweep alone.
REVIEWED = Asset(name="disputes put to review", uri="dispute-provider://reviewed")
# By connection, what the sweep has reminded of; written by the sweep alone.
REMINDED = Asset(name="disputes reminded of", uri="dispute-provider://reminded")
# By review that the sweep has opened, how it ended for each of its disputes; written by that review alone.
ANSWERED = Asset(name="disputes answered for", uri="dispute-provider://answered")

# Under this key, a run's configuration holds what the sweep has put to its review.
STAGED = "staged"

_log = logging.getLogger(__name__)


def load(context: Context, asset: Asset, key: str) -> dict[str, Any]:
    """What is remembered of a connection, or a review."""
    stored = context["asset_state_store"][asset].get(key)
    return stored if isinstance(stored, dict) else {}


def save(context: Context, asset: Asset, key: str, memory: Mapping[str, Any]) -> None:
    context["asset_state_store"][asset].set(key, dict(memory))


def answers_to(context: Context, conn_id: str, asked: Mapping[str, Asked]) -> dict[str, Answer]:
    """How the reviews ended that disputes were put to, by dispute; those that are open are left out.

    :param asked: by dispute; one read for each of their reviews.
    """
    from dispute_provider.evidence.memory import Answer

    noted = {review: load(context, ANSWERED, review) for review in {each.review for each in asked.values()}}
    found = {dispute: noted[each.review].get(_key(conn_id, dispute)) for dispute, each in asked.items()}
    return {dispute: answer for dispute, stored in found.items() if (answer := Answer.read(stored))}


def note_answers(context: Context, records: Iterable[Record], why: Mapping[str, str]) -> None:
    """Note how a review that the sweep has opened ended, so that it asks anew where nobody decided.

    A note that cannot be written costs a second question; failing for it would cost the answer itself.

    :param why: by dispute, what a person decided, without the words that they wrote to it.
    """
    from dispute_provider.evidence.memory import Answer

    if not opened_by_sweep(context):
        return
    review = run_key(context)
    answers: dict[str, Any] = {}
    for record in records:
        if not record.digest:
            # It was never staged, so nobody was to be asked; its dispute may be no more than a file's name.
            continue
        answer = Answer(review)
        if given := record.approval:
            told = why.get(record.dispute, record.reason)
            answer = Answer(review, given.action, given.responder, told)
        answers[_key(record.connection, record.dispute)] = answer.to_dict()
    try:
        # A run may have several reviews, and each of them may be answered again.
        save(context, ANSWERED, review, {**load(context, ANSWERED, review), **answers})
    except Exception as error:
        _log.warning("review=%s: its %d answers are not noted for the sweep: %s", review, len(answers), error)


def forget_answers(context: Context, reviews: Iterable[str]) -> None:
    """Forget how reviews ended that nothing open was put to."""
    for review in reviews:
        context["asset_state_store"][ANSWERED].delete(review)


def opened_by_sweep(context: Context) -> bool:
    """Whether it is the sweep that waits for this run's answers: then it has handed over what it staged."""
    return STAGED in (context["dag_run"].conf or {})


def _key(conn_id: str, dispute: str) -> str:
    return f"{conn_id}/{dispute}"
