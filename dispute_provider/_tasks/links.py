"""Links from a task to its dispute, its review and the reference of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from dispute_provider._contracts.contract import Operation


class DisputeLink(BaseOperatorLink):
    """Link to the dispute's page in the API's dashboard.

    The operator sets ``dispute_url`` while it runs. The worker stores the link as an XCom when the task ends.
    """

    @property
    def name(self) -> str:
        return "Dispute"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return str(getattr(operator, "dispute_url", ""))


class ReviewRunLink(BaseOperatorLink):
    """Link to the run of a review. The operator sets ``review_url`` while it runs."""

    @property
    def name(self) -> str:
        return "Review"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return str(getattr(operator, "review_url", ""))


class ReferenceLink(BaseOperatorLink):
    """Link to the operation's page in the API explorer. The operator sets ``reference_url`` while it runs."""

    @property
    def name(self) -> str:
        return "Reference"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return str(getattr(operator, "reference_url", ""))


def airflow_address() -> str:
    """Return Airflow's own address, without a slash at its end; empty without ``[api] base_url``."""
    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")


def reference_path(operation: Operation) -> str:
    """Return the path of an operation's page in the API explorer, below Airflow's address."""
    return f"/plugin/disputes/dispute-evidence/desk#explorer/{operation.api}/{operation.id}"
