"""Submit approved evidence, concede disputes and withdraw rejected evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import tee
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseAsyncOperator

from dispute_provider._state.approvals import SUBMISSIONS
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._state.stores import run_key
from dispute_provider._tasks.batch import (
    Apis,
    Given,
    accept_upstream,
    all_of,
    each,
    resolve,
    retry_held,
)
from dispute_provider._tasks.batch_submission import BatchSubmission
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.dispute_groups import Repeated
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.record_lists import RecordWriter, Tally, Value, records_of
from dispute_provider._tasks.signing import Signer
from dispute_provider._tasks.unsent_records import possibly_sent

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record


class SubmitEvidenceOperator(BaseAsyncOperator):
    """Submit approved evidence to the bank, at most once per dispute.

    Each dispute is read and compared with its approval, submitted, and confirmed. A retry continues where the
    earlier try stopped. The ledger locks each dispute between tasks, runs, connections and deployments; see
    ``[dispute] ledger``.

    The task also concedes disputes whose concession was approved. If the API would submit rejected evidence
    automatically, the task withdraws it.

    :param approved: records, or a task that returns them. Records in other states than ``approved`` and
        ``rejected`` pass through.
    :raises TryAgainError: if disputes could not be reached and tries are left, so that Airflow retries.
    :returns: one record per dispute: ``submitted``, ``submitted-differs``, ``already-submitted``,
        ``conceded``, ``rejected``, ``refused``, ``held`` or ``unknown``. More than 250 records are written to
        ``[dispute] evidence_store`` if there is one, and the XCom is a reference to them.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#f4cccc"
    passes_on: ClassVar[str] = "approved"

    def __init__(self, *, approved: Given, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, SUBMISSIONS, LEDGER))
        self.approved = accept_upstream(self, approved)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, SUBMISSIONS, LEDGER))

    async def aexecute(self, context: Context) -> Value:
        from dispute_provider._evidence.record import State

        given = resolve(self.approved, context)
        # The records are read twice, because only those of disputes with several are kept in memory.
        repeated = Repeated(records_of(given))
        connections = Connections()
        signer, tally = Signer(run_key(context), connections), Tally()
        maybe_sent: list[tuple[int, Record]] = []
        with RecordWriter(signer) as writer:

            def add(placed: tuple[int, Record]) -> None:
                place, end = placed
                tally.add(end)
                if end.state == State.HELD and end.maybe_ours:
                    maybe_sent.append(placed)
                else:
                    writer.add(end, place)

            async with (
                Apis(connections) as apis,
                BatchProgress(context, "submitting", repeated.approved) as progress,
            ):
                submission = BatchSubmission(context, self.log, apis, progress, connections)
                together: list[tuple[int, Record, Record]] = []

                def alone() -> Iterator[tuple[int, Record, Record]]:
                    for place, (received, found) in enumerate(_checked(given, signer)):
                        if received in repeated:
                            together.append((place, received, found))
                        else:
                            yield place, received, found

                async def end(one: tuple[int, Record, Record]) -> tuple[int, Record]:
                    place, received, found = one
                    return place, await submission.end(received, found)

                await each(alone(), end, lambda _, placed: add(placed))
                for placed in await _end_together(submission, together):
                    add(placed)
            retry_held(context, tally)
            for place, record in maybe_sent:
                ended = possibly_sent(record, record.reason)
                self.log.info("%s", ended.log_line())
                submission.receipts.write(ended)
                writer.add(ended, place)
            return writer.value()


def _checked(given: list[Any], signer: Signer) -> Iterator[tuple[Record, Record]]:
    """Yield each record as the task received it, and after its signature was checked."""
    received, to_check = tee(records_of(given))
    return zip(received, signer.verified(to_check, "review it again"), strict=True)


async def _end_together(
    submission: BatchSubmission, records: list[tuple[int, Record, Record]]
) -> list[tuple[int, Record]]:
    """End the records of disputes with several, and return the ends with their places.

    What is not sent ends first. A record that was given twice has one end.
    """
    unsent = await all_of(records, lambda one: submission.unsent(one[1], one[2]))
    ends = [end for end in unsent if end]
    to_send = [found for (_, _, found), end in zip(records, unsent, strict=True) if not end]
    ends += await submission.send_in_turn(to_send)
    return list(zip([place for place, _, _ in records], ends, strict=False))
