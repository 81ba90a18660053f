"""Read the results of earlier reviews for a sweep."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dispute_provider._state.sweep_store import answers_to
from dispute_provider._tasks.batch import all_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._apis.api import Api
    from dispute_provider._evidence.record import Record

_log = logging.getLogger(__name__)


def ended_runs(context: Context, reviews: Iterable[str]) -> set[str]:
    """Return the reviews whose runs have ended or were deleted."""
    ended: set[str] = set()
    for review in reviews:
        dag_id, _, run_id = review.partition("/")
        if not context["ti"].get_dr_count(dag_id, run_ids=[run_id], states=["queued", "running"]):
            ended.add(review)
    return ended


async def settle_unknown(
    context: Context, api: Api, conn_id: str, memory: Mapping[str, Any], still_open: Collection[str]
) -> tuple[list[Record], set[str]]:
    """Read the closed disputes again whose submission ended *unknown*.

    :param memory: the last review of each dispute.
    :returns: a record of each outcome; and the ids of the disputes to keep, because their runs have not ended
        or because they could not be read.
    """
    from dispute_provider._evidence.record import State
    from dispute_provider._state.sweep import LastReview
    from dispute_provider._workflow.reviewing.reread import read_closed
    from dispute_provider.exceptions import ApiError

    asked = {
        dispute: before
        for dispute in memory
        if dispute not in still_open and (before := LastReview.find(memory, dispute))
    }
    ended = ended_runs(context, {before.review for before in asked.values()})
    answers = answers_to(context, conn_id, asked)
    sent = {dispute for dispute, answer in answers.items() if answer.is_final_call}
    running = {d for d in sent if answers[d].state is None and asked[d].review not in ended}
    unknown = {d for d in sent - running if answers[d].state in (None, State.UNKNOWN)}

    async def read(dispute: str) -> Record | None:
        try:
            return await read_closed(api, conn_id, dispute)
        except ApiError as error:
            _log.warning("dispute=%s ended unknown and cannot be read: %s", dispute, error)
            return None

    found = await all_of(sorted(unknown), read)
    records = [record for record in found if record]
    return records, running | (unknown - {record.dispute for record in records})
