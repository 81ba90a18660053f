"""Review staged evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import TaskAwaitingInput
from msgspec.structs import replace

from dispute_provider import _config as config
from dispute_provider._evidence.deadlines import BUFFER
from dispute_provider._state.approvals import SUBMISSIONS, open_review
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._state.stores import run_key
from dispute_provider._state.sweep_store import ANSWERED, save_answers
from dispute_provider._tasks.batch import Given, accept_upstream, resolve, user_of_run
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.notifications import form_address, notify
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.record_lists import RecordWriter, Value, records_of, return_value
from dispute_provider._tasks.review_reading import read_for_decision
from dispute_provider._tasks.signing import Signer
from dispute_provider._tasks.staged_records import STAGE_AGAIN
from dispute_provider.exceptions import DisputeError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.policy import ApprovalPolicy
    from dispute_provider._evidence.record import Record
    from dispute_provider._workflow.reviewing.decide import Ruling
    from dispute_provider._workflow.reviewing.four_eyes import FourEyes
    from dispute_provider._workflow.reviewing.review import ReviewForm


class ReviewEvidenceOperator(HITLOperator):
    """Wait for a reviewer to submit, hold, edit, reject or concede staged disputes.

    The form shows one dispute in full, or several as a table. The task waits without holding a worker slot.
    It ends ``buffer`` before the earliest due date; disputes due within a day do not end the review of later
    ones. The task never fails because of a missing answer.

    :param staged: records, or a task that returns them. Records in other states than ``staged`` pass through.
    :param buffer: time between the end of the review and the earliest due date. Default: 6 hours. Ignored if
        the review would then be open for less than an hour; it then ends 5 minutes before the due date.
    :param four_eyes_from: by currency code, the amount in minor currency units from which the reviewer must
        not be the preparer of the case or the user who triggered the staging run or the review. ``[dispute]
        people`` maps the preparers named in cases to Airflow users. No policy approves such a dispute.
        Default: None, no dispute requires four eyes.
    :param at_deadline: the policy that decides unanswered disputes due within a day of the earliest due date.
        With a policy, the review ends before the earliest due date. Default: None, which holds all unanswered
        disputes; :class:`ReportOutcomeOperator` then fails.
    :param policy: the policy that approves disputes before the review opens; only the others are reviewed.
        Default: None.
    :param assigned_users: the users who may answer, each as a dict with ``id`` and ``name``, such as
        :func:`~dispute_provider.reviewers` returns. Default: all users with the permission.
    :param notifiers: notified once, when the review opens; their templates have ``message`` and ``link``. A
        notifier that fails does not fail the task. Default: none.
    :param kwargs: arguments of Airflow's ``HITLOperator``. ``subject``, ``body``, ``options``, ``params`` and
        ``response_timeout`` are set by this operator.
    :raises ValueError: if ``buffer`` or an amount has the wrong type, or the task resumes without the records
        of its review.
    :returns: one record per dispute: ``approved`` (its approval's action is ``submit`` or ``concede``),
        ``held``, ``rejected`` or ``refused``. More than 250 records are written to ``[dispute]
        evidence_store`` if there is one, and the XCom is a reference to them.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#fff2cc"
    passes_on: ClassVar[str] = "staged"

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
        if four_eyes_from:
            from dispute_provider._evidence.policy import check_amounts

            check_amounts("four_eyes_from", four_eyes_from)
        if not isinstance(buffer, timedelta):
            raise ValueError(f"buffer must be a timedelta, such as timedelta(hours=6), not {buffer!r}")
        kwargs = with_defaults(kwargs, SUBMISSIONS, ANSWERED, LEDGER)
        # The base class requires a subject and options at parse time; the task replaces them when it runs.
        super().__init__(subject="Review of evidence", options=["Submit none"], **kwargs)
        self.staged = accept_upstream(self, staged)
        self.buffer = buffer
        self.four_eyes_from = {code.lower(): amount for code, amount in (four_eyes_from or {}).items()}
        self.at_deadline = at_deadline
        self.policy = policy

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, SUBMISSIONS, ANSWERED, LEDGER))

    def execute(self, context: Context) -> Value:
        from dispute_provider._workflow.reviewing import review
        from dispute_provider._workflow.reviewing.ending import ending_of

        # Opening the review again withdraws its earlier answers.
        name = open_review(context)
        connections = Connections()
        signer = Signer(run_key(context), connections)
        with RecordWriter(signer, self.log) as writer:
            reading = read_for_decision(
                context,
                resolve(self.staged, context),
                writer,
                signer,
                connections,
                lambda *read: self._approved(context, signer, name, *read),
            )
            to_decide, snapshots = asyncio.run(reading)
            others = writer.value()
        if not to_decide:
            save_answers(context, records_of(others), {}, is_only=self._is_only_review(context))
            return others

        now = datetime.now(UTC)
        policy = self.at_deadline.name if self.at_deadline else None
        ending = ending_of(to_decide, self.buffer, now, _zone(), policy)
        form = review.form(to_decide, snapshots, ending, now)
        shown = {
            "review": name,
            "records": [signer.sealed(record).to_dict() for record in to_decide],
            "others": others,
        }
        self._show(form)
        self.response_timeout = max(ending.until - now, timedelta(seconds=1)) if ending.until else None
        self.log.info("review opened: %s", form.subject)
        notifiers, self.notifiers = self.notifiers, ()
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            # The task resumes as a new instance that has only these arguments.
            waiting.kwargs = {**(waiting.kwargs or {}), "shown": shown}
            message = f"A review is open{ending.notice}: {form.subject}"
            notify(notifiers, context, message, form_address(context))
            raise
        raise AssertionError("the base class parks the task")

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

    def execute_complete(
        self, context: Context, event: dict[str, Any], shown: dict[str, Any] | None = None
    ) -> Value:
        from dispute_provider._workflow.reviewing.decide import Rules, decide

        if shown is None:
            raise ValueError("the task resumed without the records of its review. To do: clear the task")
        records = list(records_of(shown["records"]))
        rules = Rules(self._four_eyes(), self.at_deadline, config.allow_anonymous(), user_of_run(context))
        rulings = decide(records, event, rules, datetime.now(UTC))
        signer = Signer(run_key(context))
        decided = self._signed(signer, shown["review"], rulings)
        # The key may have changed while the review was open.
        checked = signer.verified(records, STAGE_AGAIN)
        decided = [old if old.unverified else new for old, new in zip(checked, decided, strict=True)]

        def others() -> Iterator[Record]:
            return signer.verified(records_of(shown["others"]), STAGE_AGAIN)

        meanings = {ruling.record.dispute: ruling.meaning for ruling in rulings if ruling.meaning}
        save_answers(context, chain(decided, others()), meanings, is_only=self._is_only_review(context))
        for record in decided:
            self.log.info("%s", record.log_line())
        return return_value(chain(decided, others()), signer)

    def _is_only_review(self, context: Context) -> bool:
        """Return whether the run has no other review, and this one is not mapped."""
        dag = self.get_dag()
        # A mapped task has the class of its operator as an attribute.
        kinds = [getattr(task, "operator_class", type(task)) for task in dag.tasks] if dag else []
        reviews = sum(issubclass(kind, ReviewEvidenceOperator) for kind in kinds)
        return reviews == 1 and context["ti"].map_index in (None, -1)

    def _approved(
        self, context: Context, signer: Signer, name: str, staged: list[Record], read: list[Record]
    ) -> list[Record]:
        """Return the disputes that the policy approves without a review; a sample of them is reviewed too."""
        from dispute_provider._workflow.reviewing.decide import by_policy, policy_objection

        if self.policy is None:
            return []
        four_eyes = self._four_eyes()
        digests = {record.signature: record.digest for record in staged}
        candidates = [
            record
            for record in read
            if record.digest == digests[record.signature] and not self.policy.is_sampled(record)
        ]
        for record in candidates:
            if problem := policy_objection(record, self.policy, four_eyes):
                self.log.info(
                    "%s needs a reviewer; the %s: %s", record.dispute, self.policy.approver, problem
                )
        rulings = by_policy(candidates, self.policy, four_eyes, datetime.now(UTC))
        return [record for record in self._signed(signer, name, rulings) if record.approval]

    def _signed(self, signer: Signer, name: str, rulings: Sequence[Ruling]) -> list[Record]:
        """Return the records of the rulings; decided ones are signed for this opening of the review."""
        from dispute_provider._workflow.reviewing import review

        signed: list[Record] = []
        for record in (ruling.record for ruling in rulings):
            if record.approval is None:
                signed.append(record)
                continue
            approval = replace(record.approval, review=name)
            try:
                signed.append(signer.sign(replace(record, approval=approval)))
            except DisputeError as error:
                reason = f"{record.reason}; the answer cannot be signed, so nothing is sent: {error}"
                signed.append(review.held(record, reason))
        return signed

    def _four_eyes(self) -> FourEyes:
        from dispute_provider._workflow.reviewing.four_eyes import FourEyes, people_of

        return FourEyes(self.four_eyes_from, people_of(config.people()))


def _zone() -> tzinfo | None:
    """Return Airflow's default time zone; None for the machine's."""
    name = conf.get("core", "default_timezone", fallback="utc")
    if name == "system":
        return None
    return UTC if name.lower() == "utc" else ZoneInfo(name)
