"""Safeguards of submissions. Each function knocks one out."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.chaos.mutants.safeguard import Safeguard


def _no_key() -> None:
    from dispute_provider._apis.stripe import StripeApi

    async def submission(self: Any, approved: Any, record: Any, ordinal: int) -> Any:
        evidence = {entry.name: entry.id or entry.text or entry.value for entry in approved.evidence}
        dispute = approved.dispute
        return await self.call(
            "PostDisputesDispute", dispute.account, dispute=dispute.id, evidence=evidence, submit=True
        )

    StripeApi.submission = submission  # type: ignore[method-assign]


def _no_stage_in_key() -> None:
    from dispute_provider._apis import idempotency

    original = idempotency.final_key
    idempotency.final_key = lambda api, dispute, what, ordinal: original(
        api, replace(dispute, stage=""), what, 1
    )


def _digest_in_key() -> None:
    from dispute_provider._apis import idempotency
    from dispute_provider._apis.stripe import StripeApi

    original, key = StripeApi.submission, idempotency.final_key

    async def submission(self: Any, approved: Any, record: Any, ordinal: int) -> Any:
        idempotency.final_key = lambda *given: f"{key(*given)}-{record.signature}"
        try:
            return await original(self, approved, record, ordinal)
        finally:
            idempotency.final_key = key

    StripeApi.submission = submission  # type: ignore[method-assign]


def _no_ordinal_in_key() -> None:
    from dispute_provider._apis import idempotency

    original = idempotency.final_key
    idempotency.final_key = lambda api, dispute, what, ordinal: original(api, dispute, what, 1)


def _no_reading_back() -> None:
    from dispute_provider._evidence.record import State
    from dispute_provider._workflow.sending import ends, final_call
    from dispute_provider.exceptions import ConflictError

    async def do_not_look(api: Any, read: Any, shows: Any, looks: Any = None) -> tuple[None, None]:
        return None, None

    def believe(api: Any, record: Any, outcome: Any, what: str) -> Any:
        problem, request_id = outcome.sent.problem, outcome.sent.request_id
        state = State.SUBMITTED if problem is None else State.UNKNOWN
        state = State.REFUSED if isinstance(problem, ConflictError) else state
        return record.ended(state, f"as it was answered: {problem}", request_id)

    final_call.read_back, ends.unconfirmed_end = do_not_look, believe


def _earlier_reading_confirms() -> None:
    """Take the reading before the call as the one after it, if the answer does not show the dispute."""
    from dispute_provider._workflow.sending.submit import Submission

    def reading_in(self: Any, before: Any, answer: Any) -> Any:
        return self._api.snapshot_in(answer, self._record.account) or before

    Submission.reading_in = reading_in  # type: ignore[method-assign]


def _repetitions_believed() -> None:
    """Take an answer that the API repeats for the answer to this request."""
    from dispute_provider._contracts import answers

    answers._is_replayed = lambda api, headers: False


def _answers_evidence_unseen() -> None:
    """Take the evidence in the answer to a submission for the evidence that was read before."""
    from dispute_provider._workflow.sending.record_call import RecordCall
    from dispute_provider._workflow.sending.submit import Submission

    def reading_in(self: Any, before: Any, answer: Any) -> Any:
        found = RecordCall.reading_in(self, before, answer)
        return found and replace(found, evidence=before.evidence)

    Submission.reading_in = reading_in  # type: ignore[method-assign]


def _readings_of_any_age() -> None:
    from dispute_provider._ledger import timing

    timing.MAX_READING_AGE = 1e9


def _claims_ignored() -> None:
    """Have final calls sent again as others are: without a reading of the dispute."""
    from dispute_provider._transport.retries import Attempts

    original = Attempts._again

    def again(self: Attempts, state: Any) -> bool:
        self._is_claimed = False
        return original(self, state)

    Attempts._again = again  # type: ignore[method-assign]


def _resent_after_504() -> None:
    from dispute_provider._transport import retries as attempts
    from dispute_provider.exceptions import AmbiguousError

    original = attempts.may_resend

    def may_resend(request: Any, error: BaseException) -> bool:
        again = isinstance(error, AmbiguousError) and error.status == 504
        return original(request, error) or again

    attempts.may_resend = may_resend
    _claims_ignored()


def _stages_guessed() -> None:
    from dispute_provider._evidence.snapshot import Dispute
    from dispute_provider._workflow import refusals
    from dispute_provider._workflow.sending import ends

    original = refusals.is_as_approved

    def is_as_approved(record: Any, found: Any) -> bool:
        stage = record.stage or found.dispute.stage
        return original(record, replace(found, dispute=replace(found.dispute, stage=stage)))

    refusals.is_as_approved = ends.is_as_approved = is_as_approved
    Dispute.is_at = lambda self, stage, due: True  # type: ignore[method-assign]


def _no_look_at_what_went_out() -> None:
    from dispute_provider._workflow.sending import ends

    ends._differing = lambda record, before, after: []


def _no_due_date() -> None:
    from dispute_provider._evidence.snapshot import Dispute

    Dispute.past_due = lambda self, now=None: False  # type: ignore[method-assign]


def _sent_for_each_record() -> None:
    from dispute_provider._tasks import batch_submission
    from dispute_provider._tasks.dispute_groups import DisputeGroup

    batch_submission.by_dispute = lambda records: [DisputeGroup([record]) for record in records]


def _resent_after_429() -> None:
    from dispute_provider._transport import retries as attempts
    from dispute_provider.exceptions import RateLimitedError

    original = attempts.may_resend
    attempts.may_resend = lambda request, error: (
        (request.is_final and isinstance(error, RateLimitedError)) or original(request, error)
    )
    _claims_ignored()


def _denials_believed() -> None:
    from dispute_provider._workflow.sending import final_call

    original = final_call.read_back

    async def read_back(api: Any, read: Any, shows: Any, looks: int | None = None) -> Any:
        if looks == final_call._READS_AFTER_DENIAL:
            return None, None
        return await original(api, read, shows, looks)

    final_call.read_back = read_back


def _no_receipts() -> None:
    from dispute_provider._state.receipts import Receipts

    Receipts.write = lambda self, record: None  # type: ignore[method-assign]


SAFEGUARDS: dict[str, Safeguard] = {
    "Stripe's submission has no idempotency key": Safeguard(
        _no_key, "frozen after the check, another takes over"
    ),
    "the key does not tell stages apart": Safeguard(
        _no_stage_in_key, "an inquiry is answered and becomes a chargeback"
    ),
    "the key names the approval": Safeguard(_digest_in_key, "frozen after the check, another takes over"),
    "the key does not count earlier ends": Safeguard(_no_ordinal_in_key, "a dispute is opened again"),
    "the answer is believed, nothing is read back": Safeguard(
        _no_reading_back, "a submission is answered 409 after it was carried out"
    ),
    "the reading before the call confirms it": Safeguard(
        _earlier_reading_confirms, "a colleague touches the dispute just before the submission"
    ),
    "an answer that the API repeats is believed": Safeguard(
        _repetitions_believed, "two deployments without a common ledger submit at once"
    ),
    "the evidence in an answer is not compared": Safeguard(
        _answers_evidence_unseen, "a colleague touches the dispute just before the submission"
    ),
    "a reading of any age allows a final call": Safeguard(
        _readings_of_any_age, "frozen after the last reading"
    ),
    "a submission is sent again after a 504": Safeguard(
        _resent_after_504, "a submission is answered 504 after it was carried out"
    ),
    "which stage was answered is guessed": Safeguard(
        _stages_guessed, "an inquiry becomes a chargeback while its answer is in flight"
    ),
    "what went out is not compared": Safeguard(
        _no_look_at_what_went_out, "a colleague touches the dispute just before the submission"
    ),
    "the due date is not checked": Safeguard(_no_due_date, "the due date passes between two tries"),
    "records of one dispute are sent one by one": Safeguard(_sent_for_each_record, "two cases of two tasks"),
    "a final call is sent again after a 429, unread": Safeguard(
        _resent_after_429, "a submission is answered 429 after it was carried out"
    ),
    "an answer that denies the submission is believed": Safeguard(
        _denials_believed, "a submission is answered 400 after it was carried out"
    ),
    "what was sent has no receipt": Safeguard(_no_receipts, "two runs at once"),
}
