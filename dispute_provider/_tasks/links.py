"""The button that opens a dispute where its API shows it to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class DisputeLink(BaseOperatorLink):
    """Opens the dispute's page.

    The worker asks for it when the task has ended, whichever way, and stores it as an XCom; an operator says
    what it is by setting ``dispute_url`` while it runs.
    """

    @property
    def name(self) -> str:
        return "Dispute"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return str(getattr(operator, "dispute_url", ""))


class ReviewRunLink(BaseOperatorLink):
    """Opens the run that a review was started in; the operator says which by setting ``review_url``."""

    @property
    def name(self) -> str:
        return "Review"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return str(getattr(operator, "review_url", ""))
