"""The operator that stores which disputes are under review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dispute_provider._evidence.deadlines import BUFFER, review_end
from dispute_provider._state.approvals import SUBMISSIONS
from dispute_provider._state.sweep_store import (
    ANSWERED,
    ENDED,
    LAST_REVIEWS,
    REVIEWED,
    forget_answers,
    load,
    past_answers,
    save,
)
from dispute_provider._tasks.batch import Given, accept_upstream, resolve
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.staged_records import staged_records

if TYPE_CHECKING:
    from airflow.sdk import Context


class RememberReviewOperator(BaseOperator):
    """Store which disputes are under review, so that the next sweep does not open a second review.

    It runs after the review was opened: if it fails, a dispute is reviewed twice rather than never. It also
    stores how earlier reviews ended.

    :param staged: the staged records, or a task that returns them.
    :param review: the XCom ``review`` of :class:`OpenReviewOperator`, or a list of several.
    :param still_open: ids of the open disputes; the entries of other disputes are deleted.
    :param conn_id: Airflow connection (templated).
    :param buffer: the ``buffer`` of the review. Default: 6 hours.
    """

    template_fields: Sequence[str] = ("conn_id",)

    def __init__(
        self,
        *,
        staged: Given,
        review: Given,
        still_open: Given,
        conn_id: str,
        buffer: timedelta = BUFFER,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_defaults(kwargs, REVIEWED, ANSWERED, ENDED, SUBMISSIONS))
        self.staged = accept_upstream(self, staged)
        self.review = accept_upstream(self, review)
        self.still_open = accept_upstream(self, still_open)
        self.conn_id = conn_id
        self.buffer = buffer

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, REVIEWED, ANSWERED, ENDED, SUBMISSIONS))

    def execute(self, context: Context) -> None:
        from dispute_provider._state.sweep import remember

        staged = staged_records(context, self.staged, Connections())
        now = datetime.now(UTC)
        before = load(context, LAST_REVIEWS, connection=self.conn_id)
        asked = {record.dispute: before.get(record.dispute) for record in staged}
        answers = past_answers(context, self.conn_id, asked)
        still_open = {*resolve(self.still_open, context), *(record.dispute for record in staged)}
        after = remember(before, [], still_open, "", None)
        for opened in resolve(self.review, context):
            records = [record for record in staged if record.dispute in opened["disputes"]]
            until = review_end([record.due_at for record in records], self.buffer, now)
            after = remember(after, records, still_open, opened["run"], until, answers, now)
        save(context, LAST_REVIEWS, after, connection=self.conn_id)
        forget_answers(context, _reviews(before) - _reviews(after))


def _reviews(memory: Mapping[str, Any]) -> set[str]:
    """Return the stored reviews."""
    from dispute_provider._state.sweep import LastReview

    return {found.review for dispute in memory if (found := LastReview.find(memory, dispute))}
