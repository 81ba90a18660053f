"""Contest one dispute; the submit task stops itself (SIGSTOP) just before or after it checks its claim.

The check and the write are microseconds apart, so no other process can stop it between them. In these tasks a
claim lapses after 20 seconds instead of 205, which makes a takeover quicker.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from dispute_provider._cases.form import FormCase, form_params
from dispute_provider._ledger import timing
from dispute_provider._ledger.ledger import LinkClaim
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

timing.WRITE_WITHIN, timing.MAX_READING_AGE, timing.RENEW_AFTER = 4.0, 6.0, 2.0
timing.ARRIVES_WITHIN = 15.0
timing.TAKEOVER_AFTER = timing.WRITE_WITHIN + timing.ARRIVES_WITHIN + 1.0


class FreezingSubmitOperator(SubmitEvidenceOperator):
    """Submit; in the first try, stop the process once at the point that the run's ``freeze`` names."""

    async def aexecute(self, context: Context) -> Any:
        if context["ti"].try_number == 1:
            _stop_next_to_the_check(context["params"]["freeze"])
        return await super().aexecute(context)


def _stop_next_to_the_check(point: str) -> None:
    check = LinkClaim.check

    def stop_and_check(self: LinkClaim, operation: str) -> None:
        LinkClaim.check = check  # type: ignore[method-assign]  # once
        if point == "before":
            os.kill(os.getpid(), signal.SIGSTOP)
        check(self, operation)
        if point == "after":
            os.kill(os.getpid(), signal.SIGSTOP)

    if point:
        LinkClaim.check = stop_and_check  # type: ignore[method-assign]


with DAG(
    "contest_frozen",
    schedule=None,
    max_active_runs=32,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    params={
        "conn_id": Param("", type="string"),
        "freeze": Param("", type="string", enum=["", "before", "after"]),
        **form_params(),
    },
) as dag:
    stage = StageEvidenceOperator(task_id="stage", cases=FormCase("stripe"), conn_id="{{ params.conn_id }}")
    review = ReviewEvidenceOperator(task_id="review", staged=stage.output)
    submit = FreezingSubmitOperator(task_id="submit", approved=review.output)
    ReportOutcomeOperator(task_id="outcome", results=submit.output)
