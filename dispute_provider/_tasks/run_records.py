"""Take the staged records from the configuration of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from dispute_provider._state.sweep_store import STAGED

if TYPE_CHECKING:
    from airflow.sdk import Context


class RunRecords:
    """The staged records in the configuration of a run that :class:`OpenReviewOperator` has started.

    Pass it to an operator in place of the task that returned the records. It is read when the task runs, so a
    review needs no task that only hands the records over.
    """

    def resolve(self, context: Context) -> Any:
        """Return the records, or a reference to them.

        :raises AirflowFailException: if the configuration has none.
        """
        configured = context["dag_run"].conf or {}
        if STAGED not in configured:
            raise AirflowFailException(
                f'the configuration of this run has no "{STAGED}". To do: let dispute_sweep start the run, '
                f'or trigger it with {{"{STAGED}": …}}, the list that a staging task returned'
            )
        return configured[STAGED]
