"""Review evidence: a person approves exactly the evidence that goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import TaskAwaitingInput
from msgspec.structs import replace

from dispute_provider import config
from dispute_provider.evidence.deadlines import BUFFER, review_end
from dispute_provider.exceptions import DisputeError
from dispute_provider.state.approvals import SUBMISSIONS, open_review, unknown_ends
from dispute_provider.state.stores import run_key
from dispute_provider.state.sweep_store import ANSWERED, note_answers
from dispute_provider.tasks.batch import Apis, Given, accept_upstream, all_of, resolve
from dispute_provider.tasks.notifications import form_address, notify
from dispute_provider.tasks.operator_defaults import with_defaults
from dispute_provider.tasks.progress import BatchProgress
from dispute_provider.tasks.record_lists import RecordWriter, Value, count_of, records_of, return_value
from dispute_provider.tasks.signing import Signer

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.policy import ApprovalPolicy
    from dispute_provider.evidence.record import Approval, Record
    from dispute_provider.evidence.snapshot import Snapshot
    from dispute_provider.workflow.review import Decision, ReviewForm

# Who answers where the simple auth manager takes everybody for an administrator.
_NOBODY = "Anonymous"
# Disputes that are read before what becomes of them is decided; their texts are in memory meanwhile.
_AT_A_TIME = 500
_STAGE_AGAIN = "stage it again"


class ReviewEvidenceOperator(HITLOperator):
    """Ask a person what is to become of the staged disputes: submit, hold, edit, reject, concede.

    One dispute is shown in full, several as a table with a choice. The task waits without holding a slot, and
    ends with the earliest due date less the buffer. Nothing here ever fails the run for want of an answer.

    :param staged: records, or a task that returns them; those that are not ``staged`` pass through.
    :param buffer: the review ends so long before the earliest due date.
    :param four_eyes_from: by currency, the amount in minor units from which on the reviewer must be somebody
        else than who prepared the case; no policy approves these.
    :param at_deadline: decides then about what nobody has answered, and what it does not approve is held; all
        of that is held, and :class:`ReportOutcomeOperator` fails for it, where no policy is given.
    :param policy: approves before anybody is asked; what it does not approve is put to people.
    :param assigned_users: who may answer; everybody with the right to, where not given.
    :param notifiers: told once, when the review is open; they find ``message`` and ``link`` in their
        templates. One that fails fails nothing.
    :returns: one record per dispute: ``approved`` (to be submitted, or conceded: see its approval's action),
        ``held`` or ``rejected``, the answer signed; a reference to them where they are many.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        staged: Given,
        buffer: timedelta = BUFFER,
        four_eyes_from: Mapping[str, int] | None = None,
        at_deadline: ApprovalPolicy | None = None,
        policy: ApprovalPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs = with_defaults(kwargs, SUBMISSIONS, ANSWERED)
        # Options and texts are made when the task runs; the base class wants some at parse time.
        super().__init__(subject="Review of evidence", options=["Submit none of them"], **kwargs)
        self.staged = accept_upstream(self, staged)
        self.buffer = buffer
        self.four_eyes_from = {code.lower(): amount for code, amount in (four_eyes_from or {}).items()}
        self.at_deadline = at_deadline
        self.policy = policy

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, SUBMISSIONS, ANSWERED))

    def execute(self, context: Context) -> Value:
        from dispute_provider.workflow import review
        from dispute_provider.workflow.review_form import Ending

        # A review that is opened anew takes back what was answered to it before.
        name = open_review(context)
        signer = Signer(run_key(context))
        with RecordWriter(signer, self.log) as writer:
            to_decide, snapshots = asyncio.run(self._sift(context, name, writer))
            others = writer.value()
        if not to_decide:
            note_answers(context, records_of(others), {})
            return others

        now = datetime.now(UTC)
        until = review_end([record.due_at for record in to_decide], self.buffer, now)
        policy = self.at_deadline.name if self.at_deadline else None
        ending = Ending(until, _zone(), policy)
        form = review.form(to_decide, snapshots, ending)
        shown = {
            "review": name,
            "records": [signer.sealed(record).to_dict() for record in to_decide],
            "others": others,
        }
        self._show(form)
        self.response_timeout = max(until - now, timedelta(seconds=1)) if until else None
        self.log.info("review opened: %s", form.subject)
        notifiers, self.notifiers = self.notifiers, ()
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            # The task resumes as a new instance that knows only what stands here.
            waiting.kwargs = {**(waiting.kwargs or {}), "shown": shown}
            by_when = f", until {ending.time(until)}" if until else ""
            notify(notifiers, context, f"A review is open{by_when}: {form.subject}", form_address(context))
            raise
        raise AssertionError("the base class parks the task")

    async def _sift(
        self, context: Context, name: str, others: RecordWriter
    ) -> tuple[list[Record], dict[str, Snapshot]]:
        """Read what the APIs hold now: it, and not what was staged an hour ago, is what a reviewer is shown.

        Some hundred at a time, so that not all of them, and their texts, are in memory.

        :param others: takes those about which nobody is asked.
        :returns: those that people are to decide, soonest deadline first, and the readings of them.
        """
        from dispute_provider.evidence.record import State, by_due_date
        from dispute_provider.state import evidence_store
        from dispute_provider.workflow import review
        from dispute_provider.workflow.deduplicate import Deduplicator
        from dispute_provider.workflow.read_for_review import read_for_review

        to_decide: list[Record] = []
        snapshots: dict[str, Snapshot] = {}
        keep = evidence_store.put if evidence_store.is_configured() else None
        deduplicator = Deduplicator()

        async def read(record: Record) -> tuple[Record, Snapshot | None]:
            if record.state != State.STAGED:
                return record, None
            try:
                api = await apis.of(record.connection)
            except Exception as error:  # a connection that cannot be used must not stop the others
                return record.ended(State.HELD, f"not reviewed: {error}"), None
            return await read_for_review(api, record, keep)

        given = resolve(self.staged, context)
        records = Signer(run_key(context)).verified(records_of(given), _STAGE_AGAIN)
        async with (
            Apis() as apis,
            BatchProgress(context, "reading for the review", count_of(given)) as progress,
        ):
            while some := list(islice(records, _AT_A_TIME)):
                readings = await all_of(some, read)
                fresh = [record for record, _ in readings]
                progress.done(*fresh)
                to_decide, staged, refused = deduplicator.choose(
                    to_decide, [record for record in fresh if record.state == State.STAGED]
                )
                shown = {id(record): snapshot for record, snapshot in readings if snapshot}
                snapshots |= {record.dispute: shown[id(record)] for record in staged}
                approved = self._approved_before(context, name, some, staged)
                known = {record.dispute for record in approved}
                to_decide = by_due_date([*to_decide, *(r for r in staged if r.dispute not in known)])
                late = [
                    review.held(r, f"a review holds at most {review.LARGEST_REVIEW}; in a later one")
                    for r in to_decide[review.LARGEST_REVIEW :]
                ]
                del to_decide[review.LARGEST_REVIEW :]
                passed = [record for record in fresh if record.state != State.STAGED]
                for record in [*passed, *refused, *approved, *late]:
                    others.add(record)
                for dispute in snapshots.keys() - {record.dispute for record in to_decide}:
                    del snapshots[dispute]
        return to_decide, snapshots

    def _show(self, form: ReviewForm) -> None:
        from airflow.sdk import Param
        from airflow.sdk.definitions.param import ParamsDict

        self.subject, self.body = form.subject, form.body
        self.options, self.multiple = list(form.options), form.multiple
        self.params = ParamsDict(
            {
                name: Param(
                    field.default,
                    title=field.title,
                    description=field.description,
                    source="task",
                    **field.schema,
                )
                for name, field in form.fields.items()
            }
        )

    def _approved_before(
        self, context: Context, name: str, given: list[Record], read: list[Record]
    ) -> list[Record]:
        """What the policy approves without asking; of that, a sample is put to people all the same."""
        if self.policy is None:
            return []
        staged = {record.signature: record.digest for record in given}
        candidates = [
            record
            for record in read
            if record.digest == staged[record.signature] and not self.policy.is_sampled(record)
        ]
        return [r for r in self._by_policy(context, name, self.policy, candidates) if r.approval]

    def execute_complete(
        self, context: Context, event: dict[str, Any], shown: dict[str, Any] | None = None
    ) -> Value:
        if shown is None:
            raise ValueError("the task was resumed without what its review had shown")
        signer = Signer(run_key(context))
        records = list(records_of(shown["records"]))
        decided, why = self._decided(context, shown["review"], event, records)
        # A key may have been replaced while the review was open.
        checked = signer.verified(records, _STAGE_AGAIN)
        decided = [old if old.unverified else new for old, new in zip(checked, decided, strict=True)]

        def others() -> Iterator[Record]:
            return signer.verified(records_of(shown["others"]), _STAGE_AGAIN)

        note_answers(context, chain(decided, others()), why)
        for record in decided:
            self.log.info("%s", record.log_line())
        return return_value(chain(decided, others()), signer)

    def _decided(
        self, context: Context, name: str, event: Mapping[str, Any], records: list[Record]
    ) -> tuple[list[Record], dict[str, str]]:
        """The records after the answer; and by dispute what was decided, without the reviewer's own words."""
        from dispute_provider.evidence.record import CONCEDE, EDIT, HOLD, REJECT, SUBMIT, Approval, State
        from dispute_provider.workflow import review

        who = event.get("responded_by_user")
        if event.get("error_type") == "timeout" and self.at_deadline:
            return self._by_policy(context, name, self.at_deadline, records), {}
        if "error" in event or not who:
            return [review.held(r, "nobody answered in time; nothing was sent") for r in records], {}
        responder = f"{who.get('name')} ({who.get('id')})"
        if who.get("id") == _NOBODY and not config.allow_anonymous():
            reason = "answered without a login; only a person who is named can approve"
            return [review.held(r, reason) for r in records], {}
        decisions = review.decide(records, event["chosen_options"] or [], event["params_input"] or {})
        if isinstance(decisions, str):
            reason = f"the answer of {responder} is void: {decisions}"
            return [review.held(r, reason) for r in records], {}

        decisions = {r.dispute: self._four_eyes(r, decisions[r.dispute], who) for r in records}
        states = {
            SUBMIT: State.APPROVED,
            CONCEDE: State.APPROVED,
            HOLD: State.HELD,
            EDIT: State.HELD,
            REJECT: State.REJECTED,
        }
        at = event["responded_at"].isoformat()
        answered = [
            record.ended(states[decision.action], f"{decision.reason} – {responder}")
            for record in records
            for decision in [decisions[record.dispute]]
        ]
        answers = [Approval(decisions[record.dispute].action, responder, at) for record in records]
        meaning = {dispute: decision.meaning for dispute, decision in decisions.items()}
        return self._signed(context, name, answered, answers, unknown_ends(context, answered)), meaning

    def _by_policy(
        self, context: Context, name: str, policy: ApprovalPolicy, records: list[Record]
    ) -> list[Record]:
        """What a policy approves, signed as a person's answer is; the rest is held, and says why."""
        from dispute_provider.evidence.record import SUBMIT, Approval, State
        from dispute_provider.workflow import review

        answer = Approval(SUBMIT, policy.approver, datetime.now(UTC).isoformat())
        unknown = unknown_ends(context, records)
        decided: list[Record] = []
        for record in records:
            objection = policy.objection(record)
            if objection is None and self._needs_four_eyes(record):
                objection = "four eyes are asked for"
            if objection is None and unknown[record.dispute]:
                objection = "nobody knows whether it was sent before"
            if objection:
                reason = f"nobody answered in time, and the {policy.approver} did not approve it: {objection}"
                decided.append(review.held(record, reason))
            else:
                decided.append(record.ended(State.APPROVED, f"approved by the {policy.approver}"))
        approved = [record for record in decided if record.state == State.APPROVED]
        signed = iter(self._signed(context, name, approved, [answer] * len(approved), unknown))
        return [next(signed) if record.state == State.APPROVED else record for record in decided]

    def _signed(
        self,
        context: Context,
        name: str,
        records: list[Record],
        answers: list[Approval],
        unknown: Mapping[str, int],
    ) -> list[Record]:
        """Return the records with their answers, signed for this opening of the review.

        :param unknown: how many submissions of its stage ended *unknown* before, by dispute.
        """
        from dispute_provider.workflow import review

        signer = Signer(run_key(context))
        signed: list[Record] = []
        for record, answer in zip(records, answers, strict=True):
            approval = replace(answer, review=name, attempt=1 + unknown[record.dispute])
            try:
                signed.append(signer.sign(replace(record, approval=approval)))
            except DisputeError as error:
                reason = f"{record.reason}; but nothing can be done, its answer cannot be signed: {error}"
                signed.append(review.held(record, reason))
        return signed

    def _needs_four_eyes(self, record: Record) -> bool:
        limit = self.four_eyes_from.get((record.currency or "").lower())
        return limit is not None and (record.amount or 0) >= limit

    def _four_eyes(self, record: Record, decision: Decision, who: Mapping[str, Any]) -> Decision:
        """From a certain amount on, who prepared the case may not be who approves it, or gives it up."""
        from dispute_provider.evidence.record import CONCEDE, HOLD, SUBMIT
        from dispute_provider.workflow.review import Decision

        own = {str(who.get(key, "")).casefold() for key in ("id", "name")}
        if decision.action not in (SUBMIT, CONCEDE) or not self._needs_four_eyes(record):
            return decision
        if not record.prepared_by:
            return Decision(HOLD, "four eyes are asked for, and nobody says who prepared the case")
        if record.prepared_by.casefold() in own:
            return Decision(HOLD, "four eyes are asked for: who prepared the case may not approve it")
        return decision


def _zone() -> tzinfo | None:
    """The zone in which this Airflow tells times; None for that of its machine."""
    name = conf.get("core", "default_timezone", fallback="utc")
    if name == "system":
        return None
    return UTC if name.lower() == "utc" else ZoneInfo(name)
