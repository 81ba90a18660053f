"""Read the disputes of a review from their APIs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from dispute_provider._tasks.batch import Apis, all_of
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.record_lists import RecordWriter, count_of, records_of
from dispute_provider._tasks.signing import Signer
from dispute_provider._tasks.staged_records import STAGE_AGAIN
from dispute_provider.exceptions import DisputeError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.snapshot import Snapshot

# Disputes held in memory at the same time.
_GROUP = 500


async def read_for_decision(
    context: Context,
    given: Sequence[Any],
    others: RecordWriter,
    signer: Signer,
    connections: Connections,
    approve: Callable[[list[Record], list[Record]], list[Record]],
) -> tuple[list[Record], dict[str, Snapshot]]:
    """Read each staged dispute, so that the review shows what the API holds now.

    :param given: the staged records, as a task returned them.
    :param others: receives the records that need no decision.
    :param signer: checks the staged records.
    :param connections: the connections of the task.
    :param approve: returns the records that a policy approves, given the staged records and the records now.
    :returns: the records to decide, soonest deadline first, and their snapshots by dispute.
    """
    from dispute_provider._evidence.record import State, by_due_date
    from dispute_provider._state import evidence_store
    from dispute_provider._workflow.reviewing import review
    from dispute_provider._workflow.reviewing.deduplicate import Deduplicator
    from dispute_provider._workflow.reviewing.read_for_review import read_for_review

    to_decide: list[Record] = []
    snapshots: dict[str, Snapshot] = {}
    deduplicator = Deduplicator()
    ledgers = Ledgers(context, connections)

    async def read(record: Record) -> tuple[Record, Snapshot | None]:
        if record.state != State.STAGED:
            return record, None
        try:
            api = await apis.of(record.connection)
        except Exception as error:  # a connection that cannot be used must not stop the others
            return record.ended(State.HELD, f"not reviewed: {error}"), None
        try:
            return await read_for_review(api, record, evidence_store.put, ledgers.of(api, record.dispute))
        except DisputeError as error:
            return record.ended(State.HELD, f"not reviewed: {error}"), None

    records = signer.verified(records_of(given), STAGE_AGAIN)
    async with (
        Apis(connections) as apis,
        BatchProgress(context, "reading for the review", count_of(given)) as progress,
    ):
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
                review.held(
                    r, f"a review has at most {review.LARGEST_REVIEW} disputes; this one is in a later review"
                )
                for r in to_decide[review.LARGEST_REVIEW :]
            ]
            del to_decide[review.LARGEST_REVIEW :]
            passed = [record for record in fresh if record.state != State.STAGED]
            for record in [*passed, *refused, *approved, *late]:
                others.add(record)
            for dispute in snapshots.keys() - {record.dispute for record in to_decide}:
                del snapshots[dispute]
    return to_decide, snapshots
