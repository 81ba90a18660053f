"""The review: a person's yes to exactly the evidence that goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import TaskAwaitingInput

from dispute_provider.operators.batch import (
    Given,
    each,
    finish,
    records_of,
    resolve,
    run_key,
    secrets_of,
    take,
)
from dispute_provider.operators.progress import SUBMISSIONS, note_answers, unknown_ends

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.record import Record
    from dispute_provider.evidence.review import Decision
    from dispute_provider.evidence.snapshot import Snapshot
    from dispute_provider.hooks.transport import AsyncClient

_DEFAULT_BUFFER = timedelta(hours=6)
_SHORTEST_REVIEW = timedelta(minutes=5)
# Who answers where the simple auth manager takes everybody for an administrator.
_NOBODY = "Anonymous"


class ReviewEvidenceOperator(HITLOperator):
    """Ask a person which of the staged disputes are to be submitted.

    One dispute is shown in full, several as a table with a choice. The task waits without holding a slot.
    What nobody approves in time is held; nothing here ever fails the run for want of an answer.

    :param staged: records, or a task that returns them; those that are not ``staged`` pass through.
    :param buffer: the review ends so long before the earliest due date.
    :param four_eyes_from: by currency, the amount in minor units from which on the reviewer must be somebody
        else than who prepared the case.
    :param assigned_users: who may answer; everybody with the right to, where not given.
    :param notifiers: told once, when the review opens.
    :returns: one record per dispute: ``approved``, ``held`` or ``rejected``, the answer signed.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        staged: Given,
        buffer: timedelta = _DEFAULT_BUFFER,
        four_eyes_from: Mapping[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["outlets"] = [*kwargs.pop("outlets", ()), SUBMISSIONS]
        # Options and texts are made when the task runs; the base class wants some at parse time.
        super().__init__(subject="Review of evidence", options=["Submit none of them"], **kwargs)
        self.staged = take(self, staged)
        self.buffer = buffer
        self.four_eyes_from = {code.lower(): amount for code, amount in (four_eyes_from or {}).items()}

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from dispute_provider.evidence import review
        from dispute_provider.evidence.record import State, by_due_date

        # A review that is opened anew takes back what was answered to it before.
        note_answers(context, _name(context), [])
        given = records_of(resolve(self.staged, context))
        read, snapshots = asyncio.run(_read_again([r for r in given if r.state == State.STAGED]))
        to_decide = by_due_date([record for record in read if record.state == State.STAGED])
        late = [
            review.held(r, f"a review holds at most {review.LARGEST_REVIEW}; in a later one")
            for r in to_decide[review.LARGEST_REVIEW :]
        ]
        to_decide = to_decide[: review.LARGEST_REVIEW]
        passed = [r for r in given if r.state != State.STAGED]
        others = [*passed, *(r for r in read if r.state != State.STAGED), *late]
        if not to_decide:
            return finish(self, others)

        form = review.form(to_decide, snapshots)
        shown = {
            "records": [record.to_dict() for record in to_decide],
            "others": [record.to_dict() for record in others],
        }
        self._show(form)
        self.response_timeout = self._time_left(to_decide)
        self.log.info("review opened: %s", form.subject)
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            # The task resumes as a new instance that knows only what stands here.
            waiting.kwargs = {**(waiting.kwargs or {}), "shown": shown}
            raise
        raise AssertionError("the base class parks the task")

    def _show(self, form: Any) -> None:
        from airflow.sdk import Param
        from airflow.sdk.definitions.param import ParamsDict

        self.subject, self.body = form.subject, form.body
        self.options, self.multiple = list(form.options), form.multiple
        params = {
            "note": Param(
                "",
                type=["null", "string"],
                title="Note",
                description="Why; it is kept with your answer.",
                source="task",
            )
        }
        if form.rejectable:
            params["reject"] = Param(
                [],
                type=["null", "array"],
                items={"type": "string"},
                examples=list(form.rejectable),
                title="Reject",
                description="Disputes not to contest with this evidence. What is neither submitted nor "
                "rejected is held.",
                source="task",
            )
        self.params = ParamsDict(params)

    def _time_left(self, records: Sequence[Record]) -> timedelta | None:
        """Until the earliest due date less the buffer; once that has begun, until just before the date."""
        dues = [record.due_at for record in records if record.due_at]
        if not dues:
            return None
        left = min(dues) - datetime.now(UTC)
        return left - self.buffer if left > self.buffer else max(left - _SHORTEST_REVIEW, _SHORTEST_REVIEW)

    def execute_complete(
        self, context: Context, event: dict[str, Any], shown: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        if shown is None:
            raise ValueError("the task was resumed without what its review had shown")
        records = records_of(shown["records"])
        decided = self._decided(context, event, records)
        note_answers(context, _name(context), decided)
        return finish(self, [*decided, *records_of(shown["others"])])

    def _decided(self, context: Context, event: Mapping[str, Any], records: list[Record]) -> list[Record]:
        from dispute_provider.evidence import review
        from dispute_provider.evidence.record import Approval, State, sign

        who = event.get("responded_by_user")
        if "error" in event or not who:
            return [review.held(record, "nobody answered in time; nothing was sent") for record in records]
        responder = f"{who.get('name')} ({who.get('id')})"
        if who.get("id") == _NOBODY and not conf.getboolean("dispute", "allow_anonymous", fallback=False):
            reason = "answered without a login; only a person who is named can approve"
            return [review.held(record, reason) for record in records]
        decisions = review.decide(records, event["chosen_options"] or [], event["params_input"] or {})
        if isinstance(decisions, str):
            return [
                review.held(record, f"the answer of {responder} is void: {decisions}") for record in records
            ]

        decisions = {
            record.dispute: self._four_eyes(record, decisions[record.dispute], who) for record in records
        }
        states = {review.SUBMIT: State.APPROVED, review.HOLD: State.HELD, review.REJECT: State.REJECTED}
        run, secrets = run_key(context), secrets_of(records)
        return [
            replace(
                record.ended(states[decision.action], f"{decision.reason} – {responder}"),
                approval=sign(
                    secrets[record.connection],
                    run,
                    record,
                    Approval(
                        decision.action,
                        responder,
                        event["responded_at"].isoformat(),
                        _name(context),
                        attempt=1 + len(unknown_ends(context, record)),
                    ),
                ),
            )
            for record in records
            for decision in [decisions[record.dispute]]
        ]

    def _four_eyes(self, record: Record, decision: Decision, who: Mapping[str, Any]) -> Decision:
        """From a certain amount on, who prepared the case may not be who approves it."""
        from dispute_provider.evidence.review import HOLD, SUBMIT, Decision

        limit = self.four_eyes_from.get((record.currency or "").lower())
        own = {str(who.get(key, "")).casefold() for key in ("id", "name")}
        if decision.action != SUBMIT or limit is None or (record.amount or 0) < limit:
            return decision
        if not record.prepared_by:
            return Decision(HOLD, "four eyes are asked for, and nobody says who prepared the case")
        if record.prepared_by.casefold() in own:
            return Decision(HOLD, "four eyes are asked for: who prepared the case may not approve it")
        return decision


def _name(context: Context) -> str:
    """Which of the run's reviews this is."""
    return f"{context['ti'].task_id}/{context['ti'].map_index}"


async def _read_again(records: Sequence[Record]) -> tuple[list[Record], dict[str, Snapshot]]:
    """Read what the APIs hold now: it, and not what was staged an hour ago, is what a reviewer is shown."""
    from dispute_provider.evidence.record import State
    from dispute_provider.exceptions import ApiError
    from dispute_provider.hooks import protocol

    snapshots: dict[str, Snapshot] = {}

    async def read(client: AsyncClient, record: Record) -> Record:
        try:
            snapshot = await client.run_steps(client.api.read(record.dispute, record.account, details=True))
        except ApiError as error:
            return record.ended(State.HELD, f"not reviewed: {error}", error.request_id)
        fresh = record.seen(snapshot)
        if end := protocol.cannot_be_answered(fresh, snapshot):
            return end
        if fresh.digest != record.digest:
            fresh = replace(fresh, notes=(*fresh.notes, "what the API holds has changed since it was staged"))
        snapshots[record.dispute] = snapshot
        return fresh

    result: list[Record] = []
    for connection in sorted({record.connection for record in records}):
        result += await each(connection, [r for r in records if r.connection == connection], read)
    return result, snapshots
