"""Take one dispute through the public operators, task by task, without a scheduler."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import steps
from airflow.providers.standard.operators import hitl
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskAwaitingInput
from running import run

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._evidence.record import Record
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import LinkClaim
from dispute_provider.hooks._connections import api_of
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)
from dispute_provider.sandbox import Sandbox

TEXT = {"stripe": "uncategorized_text", "moov": "cover-letter"}
SUBMIT = {"stripe": "PostDisputesDispute", "moov": "submitDisputeEvidence"}
READ = {"stripe": "GetDisputesDispute", "moov": "getDispute"}
ALL = ApprovalPolicy("all", {"usd": 1_000_000}, verdicts=("ready", "weak", "missing", "unknown", None))


def case(kind: str, dispute: str, text: str = "Delivered.") -> dict[str, Any]:
    return {"provider": kind, "dispute": dispute, "evidence": {TEXT[kind]: text}}


class Contest:
    """A run of stage, review and submit for one dispute; a policy approves it.

    :param kind: the API.
    :param connection: the id of a connection to it.
    :param staging: further arguments of the staging task.
    :ivar conf: the configuration of the run; empty at first.
    :ivar evidence: the evidence of the case, by field.
    :ivar form: the form of the last review that a reviewer answered.
    """

    def __init__(
        self,
        kind: str,
        dispute: str,
        connection: str | None = None,
        text: str = "Delivered.",
        **staging: Any,
    ) -> None:
        self.kind, self.dispute = kind, dispute
        self.connection = connection or f"{kind}_default"
        self.run_id = uuid.uuid4().hex
        self.conf: dict[str, Any] = {}
        self.form: dict[str, Any] = {}
        self.evidence: dict[str, Any] = case(kind, dispute, text)["evidence"]
        self._staging = staging

    def stage(self) -> dict[str, Any]:
        given = {"provider": self.kind, "dispute": self.dispute, "evidence": self.evidence}
        return self._run(
            StageEvidenceOperator(task_id="stage", cases=[given], conn_id=self.connection, **self._staging)
        )

    def review(self, staged: dict[str, Any]) -> dict[str, Any]:
        return self._run(ReviewEvidenceOperator(task_id="review", staged=[staged], policy=ALL))

    def ask(
        self,
        staged: dict[str, Any],
        answer: str = "Submit",
        four_eyes_from: dict[str, int] | None = None,
        **event: Any,
    ) -> dict[str, Any]:
        """Answer the review of a record as a reviewer and return the new record.

        :param answer: the start of the chosen option.
        :param four_eyes_from: see :class:`ReviewEvidenceOperator`; None by default.
        :param event: further entries of the event with which Airflow resumes the task.
        """
        review = ReviewEvidenceOperator(task_id="review", staged=[staged], four_eyes_from=four_eyes_from)
        form = self.form = {}
        with pytest.MonkeyPatch.context() as patch:
            # Airflow calls this function to show a form to reviewers.
            patch.setattr(hitl, "upsert_hitl_detail", lambda **given: form.update(given))
            with pytest.raises(TaskAwaitingInput) as parked:
                self._run(review)
        [option] = [option for option in form["options"] if option.startswith(answer)]
        event = {
            "chosen_options": [option],
            "params_input": {"concede_confirm": self.dispute} if answer == "Concede" else {},
            "responded_by_user": {"id": "ana", "name": "ana"},
            "responded_at": datetime.now(UTC),
            **event,
        }
        review.execute = lambda context: review.execute_complete(  # type: ignore[method-assign]
            context, event, **(parked.value.kwargs or {})
        )
        return self._run(review)

    def approve(self, *, asking: bool = False) -> dict[str, Any]:
        """Stage and approve the dispute; return the approved record.

        :param asking: whether a reviewer approves; by default a policy does.
        """
        staged = self.stage()
        assert staged["state"] == "staged", staged["reason"]
        approved = self.ask(staged) if asking else self.review(staged)
        assert approved["state"] == "approved", approved["reason"]
        return approved

    def submit(self, approved: dict[str, Any], try_number: int = 1) -> dict[str, Any]:
        """Run the submit task and return its record; another call is a later try of the same task."""
        return self._run(SubmitEvidenceOperator(task_id="submit", approved=[approved]), try_number)

    def break_off(self, approved: dict[str, Any]) -> None:
        """Claim the dispute and do nothing else, like a submit task that is killed after its claim."""
        asyncio.run(self._claim(approved))

    def end(self, approved: dict[str, Any], state: str, reason: str, *, is_settled: bool = True) -> None:
        """Write the end of the submit task to the ledger."""

        async def end() -> None:
            claim = await self._claim(approved)
            await claim.end(state, reason, None, {}, is_settled=is_settled)

        asyncio.run(end())

    async def _claim(self, approved: dict[str, Any]) -> LinkClaim:
        task = hashlib.sha256(f"test/{self.run_id}/submit/-1".encode()).hexdigest()[:32]
        return await steps.claim(api_of(self.connection), Record.from_dict(approved), Kind.SUBMIT, task)

    def _run(self, operator: BaseOperator, try_number: int = 1) -> dict[str, Any]:
        value = run(operator, try_number, self.run_id, self.conf)
        [record] = json.loads(value) if isinstance(value, str) else value
        return dict(record)


def submissions(sandbox: Sandbox, run: Contest) -> int:
    """Return how often a run's dispute was submitted."""
    return len(sandbox.dispute(run.dispute)["submissions"])
