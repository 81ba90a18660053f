"""The last word of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from dispute_provider.operators.batch import Given, finish, records_of, resolve, take

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportOutcomeOperator(BaseOperator):
    """The last word of a run: a table in the log, and a failure where a person must look.

    It fails for ``refused``, ``unknown`` and ``submitted-differs``, and for ``held`` where nobody decided so.

    :param results: records, or a task that returns them.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#cfe2f3"

    def __init__(self, *, results: Given, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.results = take(self, results)

    def execute(self, context: Context) -> dict[str, int]:
        from dispute_provider.evidence.record import State
        from dispute_provider.evidence.review import HOLD

        records = records_of(resolve(self.results, context))
        finish(self, records)
        loud = (State.REFUSED, State.UNKNOWN, State.SUBMITTED_DIFFERS)
        attention = [
            record
            for record in records
            if record.state in loud
            or (record.state == State.HELD and not (record.approval and record.approval.action == HOLD))
        ]
        counts = dict(Counter(str(record.state) for record in records))
        if attention:
            lines = "\n".join(f"  {record.log_line()}" for record in attention)
            raise AirflowFailException(f"{len(attention)} of {len(records)} disputes need a person:\n{lines}")
        return counts
