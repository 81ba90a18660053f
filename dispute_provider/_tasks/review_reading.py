"""Read the disputes that a review is about, as their APIs hold them now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from dispute_provider._state.stores import run_key
from dispute_provider._tasks.batch import Apis, all_of
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.record_lists import RecordWriter, count_of, records_of
from dispute_provider._tasks.signing import Signer
from dispute_provider.exceptions import DisputeError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.snapshot import Snapshot

STAGE_AGAIN = "stage it again"
# Disputes whose texts are in memory at the same time.
_GROUP = 500


async def read_for_decision(
    context: Context,
    given: Sequence[Any],
    others: RecordWriter,
    approve: Callable[[list[Record], list[Record]], list[Record]],
) -> tuple[list[Record], dict[str, Snapshot]]:
    """Read each staged dispute again: a reviewer sees what the API holds now, not what was staged before.

    :param given: what was staged, as a task returned it.
    :param others: takes the records that nobody has to decide about.
    :param approve: returns what needs no person, of the records as they were staged and as they are now.
    :returns: the records to decide about, soonest deadline first, and their readings by dispute.
    """
    from dispute_provider._evidence.record import State, by_due_date
    from dispute_provider._state import evidence_store
    from dispute_provider._workflow.reviewing import review
    from dispute_provider._workflow.reviewing.deduplicate import Deduplicator
    from dispute_provider._workflow.reviewing.read_for_review import read_for_review

    to_decide: list[Record] = []
    snapshots: dict[str, Snapshot] = {}
    keep = evidence_store.put if evidence_store.is_configured() else None
    deduplicator = Deduplicator()
    ledgers = Ledgers(context)

    async def read(record: Record) -> tuple[Record, Snapshot | None]:
        if record.state != State.STAGED:
            return record, None
        try:
            api = await apis.of(record.connection)
        except Exception as error:  # a connection that cannot be used must not stop the others
            return record.ended(State.HELD, f"not reviewed: {error}"), None
        try:
            return await read_for_review(api, record, keep, ledgers.of(api, record.dispute))
        except DisputeError as error:
            return record.ended(State.HELD, f"not reviewed: {error}"), None

    records = Signer(run_key(context)).verified(records_of(given), STAGE_AGAIN)
    async with Apis() as apis, BatchProgress(context, "reading for the review", count_of(given)) as progress:
        while group := list(islice(records, _GROUP)):
            readings = await all_of(group, read)
            fresh = [record for record, _ in readings]
            progress.done(*fresh)
            to_decide, staged, refused = deduplicator.choose(
                to_decide, [record for record in fresh if record.state == State.STAGED]
            )
            shown = {id(record): snapshot for record, snapshot in readings if snapshot}
            snapshots |= {record.dispute: shown[id(record)] for record in staged}
            approved = approve(group, staged)
            known = {record.dispute for record in approved}
            to_decide = by_due_date([*to_decide, *(r for r in staged if r.dispute not in known)])
            late = [
                review.held(r, f"a review holds at most {review.LARGEST_REVIEW}; in a later one")
                for r in to_decide[review.LARGEST_REVIEW :]
            ]
            del to_decide[review.LARGEST_REVIEW :]
            passed = [record for record in fresh if record.state != State.STAGED]
            for record in [*passed, *refused, *approved, *late]:
                others.add(record)
            for dispute in snapshots.keys() - {record.dispute for record in to_decide}:
                del snapshots[dispute]
    return to_decide, snapshots
