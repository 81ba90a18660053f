"""Report the outcome of a run's disputes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider._state.stores import run_key
from dispute_provider._state.sweep_store import ANSWERED, ENDED, opened_by_sweep, save_ends
from dispute_provider._tasks.batch import Apis, Given, accept_upstream, all_of, resolve
from dispute_provider._tasks.earlier_tasks import earlier_records, tasks_without_records
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.record_lists import records_of
from dispute_provider._tasks.signing import Signer

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# Disputes listed in the error; the log has all of them.
_SHOWN = 100
_LOOK = "look at the dispute"


class ReportOutcomeOperator(BaseOperator):
    """Log one line per dispute, and fail if any dispute needs a person.

    The task fails for ``refused``, ``unknown``, ``submitted-differs`` and ``approved``, and for ``held``
    unless a reviewer chose to hold or edit. It also fails if an earlier task was marked as success by hand
    and returned no records. Disputes that ended ``unknown`` are read once more. In a run that the sweep
    started, the task also records each outcome for the next sweep.

    :param results: records, or a task that returns them, or a list of such tasks.
    :raises AirflowFailException: if any dispute needs a person; the message lists up to 100 of them. Airflow
        does not retry the task.
    :returns: the number of disputes by state.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#cfe2f3"

    def __init__(self, *, results: Given, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, ENDED, ANSWERED))
        self.results = accept_upstream(self, results)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, ENDED, ANSWERED))

    def execute(self, context: Context) -> dict[str, int]:
        signer = Signer(run_key(context))
        results = list(signer.verified(records_of(resolve(self.results, context)), _LOOK))
        results += map(_end_of, signer.verified(self._without_end(context, results), _LOOK))
        results = asyncio.run(_read_again(results))
        save_ends(context, results)
        for record in results:
            self.log.info("%s", record.log_line())
        attention = [record for record in results if _needs_person(record, opened_by_sweep(context))]
        problems = [
            f"  task {task!r} returned no records: it was marked as success by hand, or its result was "
            "removed. To do: clear the task"
            for task in tasks_without_records(self.results, context)
        ]
        if not attention and not problems:
            return dict(Counter(str(record.state) for record in results))
        shown = [f"  {record.log_line()}" for record in attention[:_SHOWN]]
        if len(attention) > _SHOWN:
            shown.append(f"  and {len(attention) - _SHOWN:,} more; see above")
        head = f"{len(attention)} of {len(results)} disputes need a person:"
        raise AirflowFailException("\n".join([head, *shown, *problems]))

    def _without_end(self, context: Context, results: Sequence[Record]) -> list[Record]:
        """Return the latest record of each dispute that has no result."""
        known = {_key(record) for record in results}
        found: list[Record] = []
        try:
            for records in earlier_records(self.results, context):
                new = [record for record in records if _key(record) not in known]
                known.update(map(_key, new))
                found += new
        except EvidenceStoreError as error:
            self.log.warning("cannot check that each dispute has a result: %s", error)
        return found


def _key(record: Record) -> tuple[str, str]:
    from dispute_provider._evidence.case_errors import dispute_id

    return record.provider, dispute_id(record.dispute)


def _end_of(record: Record) -> Record:
    """Return the end of a record that has no result."""
    from dispute_provider._evidence.record import State

    if record.state == State.APPROVED:
        reason = (
            "it was approved, but the submit task returned no result for it, so it may have been sent. "
            "To do: clear the submit task"
        )
        return record.ended(State.UNKNOWN, reason)
    if record.state == State.STAGED:
        reason = "its review returned no decision, so nothing was sent. To do: clear the review task"
        return record.ended(State.HELD, reason)
    return record


def _needs_person(record: Record, reviewed_for_sweep: bool) -> bool:
    """Return whether a dispute needs a person.

    :param reviewed_for_sweep: whether the run ends a review, so that no dispute may still be staged.
    """
    from dispute_provider._evidence.record import EDIT, HOLD, State

    if record.state == State.STAGED:
        return reviewed_for_sweep
    if record.state == State.HELD:
        return not record.approval or record.approval.action not in (HOLD, EDIT)
    return record.state in (State.REFUSED, State.UNKNOWN, State.SUBMITTED_DIFFERS, State.APPROVED)


async def _read_again(records: list[Record]) -> list[Record]:
    """Return the records, with those that ended *unknown* read again."""
    from dispute_provider._evidence.record import State
    from dispute_provider._workflow.reviewing.reread import reread

    async def read(record: Record) -> Record:
        if record.state != State.UNKNOWN or record.unverified:
            return record
        try:
            api = await apis.of(record.connection)
        except Exception:  # a connection that cannot be used leaves the end unknown
            return record
        return await reread(api, record)

    if not any(record.state == State.UNKNOWN for record in records):
        return records
    async with Apis() as apis:
        return await all_of(records, read)
