"""Safeguards of submissions. Each function knocks one out."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace


def _no_key() -> None:
    from dispute_provider.apis.stripe import StripeApi

    async def submission(self: Any, approved: Any, record: Any) -> Any:
        evidence = {entry.name: entry.id or entry.text or entry.value for entry in approved.evidence}
        dispute = approved.dispute
        return await self.call(
            "PostDisputesDispute", dispute.account, dispute=dispute.id, evidence=evidence, submit=True
        )

    StripeApi.submission = submission  # type: ignore[method-assign]


def _no_stage_in_key() -> None:
    from dispute_provider.apis.stripe import StripeApi
    from dispute_provider.evidence.snapshot import sha256_of

    original = StripeApi.submission

    async def submission(self: Any, approved: Any, record: Any) -> Any:
        dispute = replace(approved.dispute, stage="", submissions=0)
        digest = sha256_of(approved.manifest(record.documents)["evidence"])
        return await original(self, replace(approved, dispute=dispute), replace(record, digest=digest))

    StripeApi.submission = submission  # type: ignore[method-assign]


def _no_attempt_number() -> None:
    from dispute_provider.operators import review_evidence

    review_evidence.unknown_ends = lambda context, records: Counter()


def _no_reading_back() -> None:
    from dispute_provider.evidence.record import State
    from dispute_provider.exceptions import ConflictError
    from dispute_provider.workflow import final_call
    from dispute_provider.workflow import submit as protocol

    async def do_not_look(
        api: Any, read: Any, shows: Any, settle: float = 0.0, looks: Any = None
    ) -> tuple[None, None]:
        return None, None

    def believe(api: Any, record: Any, outcome: Any, what: str) -> Any:
        problem, request_id = outcome.sent.problem, outcome.sent.request_id
        state = State.SUBMITTED if problem is None else State.UNKNOWN
        state = State.REFUSED if isinstance(problem, ConflictError) else state
        return record.ended(state, f"as it was answered: {problem}", request_id)

    final_call.read_back, protocol.not_shown = do_not_look, believe


def _resent_after_504() -> None:
    from dispute_provider.exceptions import AmbiguousError
    from dispute_provider.transport import retries as attempts

    original = attempts.may_resend

    def may_resend(request: Any, error: BaseException) -> bool:
        again = isinstance(error, AmbiguousError) and error.status == 504
        return original(request, error) or again

    attempts.may_resend = may_resend


def _no_intent() -> None:
    from dispute_provider.state.submission_journal import SubmissionJournal

    SubmissionJournal.intend = lambda self, records: None  # type: ignore[method-assign]


def _no_ends() -> None:
    from dispute_provider.state.submission_journal import SubmissionJournal

    SubmissionJournal.ended = lambda self, record: None  # type: ignore[method-assign]


def _no_settling() -> None:
    from dispute_provider.state.submission_journal import SubmissionJournal

    SubmissionJournal.seconds_until_settled = lambda self, record: 0.0  # type: ignore[method-assign]


def _no_settling_of_others() -> None:
    from dispute_provider.state import submission_journal

    original = submission_journal.SubmissionJournal.seconds_until_settled

    def seconds_until_settled(self: Any, record: Any) -> float:
        return original(self, record) if self.intended(record) else 0.0

    submission_journal.SubmissionJournal.seconds_until_settled = seconds_until_settled  # type: ignore[method-assign]


def _no_settling_of_other_sends() -> None:
    from dispute_provider.state import submission_journal

    original = submission_journal.SubmissionJournal.seconds_until_settled

    def seconds_until_settled(self: Any, record: Any) -> float:
        return original(self, record) if self.intended(record) or self.same_submission(record) else 0.0

    submission_journal.SubmissionJournal.seconds_until_settled = seconds_until_settled  # type: ignore[method-assign]


def _stages_guessed() -> None:
    from dispute_provider.evidence.snapshot import Dispute
    from dispute_provider.workflow import submit as protocol

    original = protocol._is_ours

    def is_ours(record: Any, found: Any) -> bool:
        stage = record.stage or found.dispute.stage
        return original(record, replace(found, dispute=replace(found.dispute, stage=stage)))

    protocol._is_ours = is_ours
    Dispute.is_at = lambda self, stage, due: True  # type: ignore[method-assign]


def _no_lock() -> None:
    from tests.chaos import run

    run.submission_lock = lambda scene, needed: contextlib.nullcontext()


def _no_look_at_what_went_out() -> None:
    from dispute_provider.workflow import submit as protocol

    protocol._differing = lambda record, before, after: []


def _no_due_date() -> None:
    from dispute_provider.evidence.snapshot import Dispute

    Dispute.past_due = lambda self, now=None: False  # type: ignore[method-assign]


def _unknown_sent_again() -> None:
    from dispute_provider.workflow import submit as protocol

    original = protocol.submit

    def submit(api: Any, record: Any, *, may_send: bool = True, **options: Any) -> Any:
        return original(api, record, **options)

    protocol.submit = submit


def _sent_for_each_record() -> None:
    from dispute_provider.tasks import submitter
    from dispute_provider.tasks.dispute_groups import DisputeGroup

    submitter.by_dispute = lambda records, rank: [DisputeGroup([record]) for record in records]


def _resent_after_429() -> None:
    from dispute_provider.exceptions import RateLimitedError
    from dispute_provider.transport import retries as attempts

    original = attempts.may_resend
    attempts.may_resend = lambda request, error: (
        (request.is_final and isinstance(error, RateLimitedError)) or original(request, error)
    )


def _denials_believed() -> None:
    from dispute_provider.workflow import final_call

    original = final_call.read_back

    async def read_back(
        api: Any, read: Any, shows: Any, settle: float = 0.0, looks: int | None = None
    ) -> Any:
        if looks == final_call._LOOKS_AFTER_DENIAL:
            return None, None
        return await original(api, read, shows, settle, looks)

    final_call.read_back = read_back


def _no_receipts() -> None:
    from dispute_provider.state.receipts import Receipts

    Receipts.write = lambda self, record: None  # type: ignore[method-assign]


SAFEGUARDS: dict[str, Callable[[], None]] = {
    "Stripe's submission has no idempotency key": _no_key,
    "the key does not tell stages apart": _no_stage_in_key,
    "the key does not count unknown ends": _no_attempt_number,
    "the answer is believed, nothing is read back": _no_reading_back,
    "a submission is sent again after a 504": _resent_after_504,
    "the intent to send is not stored": _no_intent,
    "how a try ended is not stored": _no_ends,
    "what is under way is not waited for": _no_settling,
    "what other runs have under way is not waited for": _no_settling_of_others,
    "other sends under way at the dispute are not waited for": _no_settling_of_other_sends,
    "which stage was answered is guessed": _stages_guessed,
    "no lock between runs that submit": _no_lock,
    "what went out is not compared": _no_look_at_what_went_out,
    "what ended unknown is sent again": _unknown_sent_again,
    "the due date is not checked": _no_due_date,
    "records of one dispute are sent one by one": _sent_for_each_record,
    "a final call is sent again after a 429, unread": _resent_after_429,
    "an answer that denies the submission is believed": _denials_believed,
    "what was sent has no receipt": _no_receipts,
}
