"""What outlives a run of what was asked and answered, in Airflow's store for assets.

See :mod:`dispute_provider.evidence.memory` for who writes what, and why no lock is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.memory import Answer
    from dispute_provider.evidence.record import Record

# By connection, what the sweep has put to review; written by the sweep alone.
REVIEWED = Asset(name="disputes put to review", uri="dispute-provider://reviewed")
# By connection, what the sweep has reminded of; written by the sweep alone.
REMINDED = Asset(name="disputes reminded of", uri="dispute-provider://reminded")
# By dispute, how its review ended; written by reviews alone.
ANSWERED = Asset(name="disputes answered for", uri="dispute-provider://answered")

_log = logging.getLogger(__name__)


def load(context: Context, asset: Asset, conn_id: str) -> dict[str, Any]:
    """What is remembered for a connection."""
    stored = context["asset_state_store"][asset].get(conn_id)
    return stored if isinstance(stored, dict) else {}


def save(context: Context, asset: Asset, conn_id: str, memory: Mapping[str, Any]) -> None:
    context["asset_state_store"][asset].set(conn_id, dict(memory))


def answer_to(context: Context, conn_id: str, dispute: str) -> Answer | None:
    """How the last review of a dispute ended; None while it is open."""
    from dispute_provider.evidence.memory import Answer

    return Answer.read(context["asset_state_store"][ANSWERED].get(_key(conn_id, dispute)))


def note_answers(context: Context, review: str, records: Iterable[Record], why: Mapping[str, str]) -> None:
    """Note how a review ended for each of its disputes; the sweep asks anew where nobody decided.

    A note that cannot be written costs a second question; failing for it would cost the answer itself.

    :param why: by dispute, what a person decided, without the words that they wrote to it.
    """
    from dispute_provider.evidence.memory import Answer

    for record in records:
        if not record.digest:
            # It was never staged, so nobody was to be asked; its dispute may be no more than a file's name.
            continue
        answer = Answer(review)
        if given := record.approval:
            told = why.get(record.dispute, record.reason)
            answer = Answer(review, given.action, given.responder, told)
        try:
            store = context["asset_state_store"][ANSWERED]
            store.set(_key(record.connection, record.dispute), answer.to_dict())
        except Exception as error:
            _log.warning("dispute=%s: its answer is not noted for the sweep: %s", record.dispute, error)


def forget_answers(context: Context, conn_id: str, disputes: Iterable[str]) -> None:
    """Forget how the reviews of disputes ended that are no longer open."""
    for dispute in disputes:
        context["asset_state_store"][ANSWERED].delete(_key(conn_id, dispute))


def _key(conn_id: str, dispute: str) -> str:
    return f"{conn_id}/{dispute}"
