"""Report the end of a run: the outcome of its disputes, and which of them need a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from dispute_provider.state.stores import run_key
from dispute_provider.state.sweep_store import ENDED, note_ends, opened_by_sweep
from dispute_provider.tasks.batch import Given, accept_upstream, resolve
from dispute_provider.tasks.operator_defaults import with_defaults
from dispute_provider.tasks.record_lists import records_of
from dispute_provider.tasks.signing import Signer

if TYPE_CHECKING:
    from airflow.sdk import Context

# Disputes that an error names; the log has them all.
_SHOWN = 100


class ReportOutcomeOperator(BaseOperator):
    """Log one line for each dispute, and fail the run when any of them needs a person.

    It fails for ``refused``, ``unknown`` and ``submitted-differs``, and for ``held`` where nobody decided so:
    nobody answered, or what was approved could not be carried out; and for what never came to an end, as
    ``approved``. In a run that the sweep has started, it notes for the sweep what became of each dispute.

    :param results: records, or a task that returns them; several such tasks as a list.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#cfe2f3"

    def __init__(self, *, results: Given, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, ENDED))
        self.results = accept_upstream(self, results)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, ENDED))

    def execute(self, context: Context) -> dict[str, int]:
        from dispute_provider.evidence.record import EDIT, HOLD, State

        loud = {State.REFUSED, State.UNKNOWN, State.SUBMITTED_DIFFERS, State.APPROVED}
        if opened_by_sweep(context):
            loud.add(State.STAGED)
        counts: Counter[str] = Counter()
        attention: list[str] = []
        more = 0
        given = records_of(resolve(self.results, context))
        results = list(Signer(run_key(context)).verified(given, "look at the dispute"))
        note_ends(context, results)
        for record in results:
            self.log.info("%s", record.log_line())
            counts[str(record.state)] += 1
            undecided = not record.approval or record.approval.action not in (HOLD, EDIT)
            if record.state in loud or (record.state == State.HELD and undecided):
                if len(attention) < _SHOWN:
                    attention.append(f"  {record.log_line()}")
                else:
                    more += 1
        if attention:
            lines = [*attention, *([f"  and {more:,} more; see above"] if more else [])]
            need = len(attention) + more
            raise AirflowFailException(
                "\n".join([f"{need} of {counts.total()} disputes need a person:", *lines])
            )
        return dict(counts)
