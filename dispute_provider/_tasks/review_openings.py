"""Check that records come from the latest answers of their reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dispute_provider._state.approvals import last_opening
from dispute_provider._tasks.unsent_records import not_sent

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record


class ReviewOpenings:
    """The last openings of the reviews of a task's records, each read once.

    :param is_retry: whether an earlier try of the task may have sent a record.
    """

    def __init__(self, context: Context, log: Any, *, is_retry: bool) -> None:
        self._context = context
        self._log = log
        self._is_retry = is_retry
        self._known: dict[str, str | None] = {}
        self._problem: str | None = None

    def objection(self, record: Record) -> Record | None:
        """Return the end of a record that is not from the latest answer of its review; None if it is."""
        from dispute_provider._evidence.record import State

        review = record.approval.review if record.approval else None
        try:
            opening = self._last(review) if review else None
        except Exception as error:  # the store may raise any error
            self._log.exception("nothing more is sent: Airflow's state store cannot be read")
            self._problem = f"Airflow's state store cannot be read ({type(error).__name__})"
            opening = None
        if self._problem:
            end = not_sent(record, f"{self._problem}; to do: clear the task")
            return replace(end, maybe_ours=self._is_retry)
        if review and opening == review:
            return None
        what = "approval" if record.state == State.APPROVED else "rejection"
        if review and opening is None:
            problem = "cannot be checked: Airflow's state store no longer has the opening of its review"
        else:
            problem = "was withdrawn: the review was opened again"
        return record.ended(State.REFUSED, f"its {what} {problem}; review it again")

    def _last(self, review: str) -> str | None:
        # After a failure the store is not asked again: Airflow repeats a failing call for half a minute.
        if not self._problem and review not in self._known:
            self._known[review] = last_opening(self._context, review)
        return self._known.get(review)
