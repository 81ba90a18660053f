"""Submit evidence, the same way for every API: a small state machine that ends in a named state.

What happened is decided by reading the dispute back, never by an error's text.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from dispute_provider.apis.api import Api
from dispute_provider.evidence.record import Record, State
from dispute_provider.evidence.snapshot import Dispute, Snapshot, differing_names
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnreachableError,
    UnreadableAnswerError,
)
from dispute_provider.workflow.final_call import Outcome, Sent, send_and_look

_BY_US_OR_ANOTHER = "by this run, or by somebody else in the same moment"
_BY_AN_EARLIER_TRY = "an earlier try of this task, or somebody else meanwhile"


async def submit(
    api: Api,
    record: Record,
    *,
    resumed: bool = False,
    may_send: bool = True,
    settle: float = 0.0,
    same_submission: bool = False,
    is_shared: Callable[[], bool] = lambda: False,
) -> Record:
    """Send what was approved, once: read, compare, one call, read back.

    :param resumed: an earlier try of the same task may have sent it.
    :param may_send: False only looks whether what was sent has arrived.
    :param settle: seconds until an earlier send, of this task or another, has arrived or never will.
    :param same_submission: that send was the same as this one; under a key, both together are one.
    :param is_shared: whether another task has the same submission in flight; asked when the API denies ours.
    """
    try:
        before, end = await _look(api, record, resumed)
        decided = end and not resumed and end.state != State.REFUSED
        if settle and not decided and (end or not (same_submission and api.submits_under_a_key)):
            # What is under way still may make this a second one, or untrue.
            await api.wait(settle)
            before, end = await _look(api, record, resumed)
    except ApiError as error:
        return unread(record, "not submitted", error, resumed)
    if end and (may_send or end.state in (State.SUBMITTED, State.SUBMITTED_DIFFERS)):
        return end
    if not may_send:
        return record

    outcome = await send_and_look(
        api,
        lambda: api.read(record.dispute, record.account),
        before,
        lambda found: api.submission(found, record),
        lambda before, after: answered(before.dispute, after.dispute),
        lambda found: refuse_submission(record, found),
        settle,
    )
    if outcome.after:
        return _shown_end(api, record, outcome, resumed, is_shared)
    return outcome.end or not_shown(api, record, outcome, "not submitted")


async def _look(api: Api, record: Record, resumed: bool) -> tuple[Snapshot, Record | None]:
    """A fresh reading, and the end of a dispute that is not to be sent; None if it is."""
    found = await api.read(record.dispute, record.account)
    if resumed and _was_answered(record, found.dispute):
        if not found.dispute.is_at(record.stage, record.due_at):
            return found, record.ended(
                State.UNKNOWN, f"an earlier try may have sent it, {_stage_unclear(found)}"
            )
        if _is_ours(record, found):
            return found, _resumed_end(record)
        reason = f"submitted with other evidence than approved, by {_BY_AN_EARLIER_TRY}; look at it now"
        return found, record.ended(State.SUBMITTED_DIFFERS, reason)
    return found, refuse_submission(record, found)


def not_shown(api: Api, record: Record, outcome: Outcome[Snapshot], what: str) -> Record:
    """The end of a final call that the dispute does not show.

    :param what: ``not submitted`` or ``not conceded``.
    """
    problem, request_id = outcome.sent.problem, outcome.sent.request_id
    if problem and outcome.unread is None and not isinstance(problem, AmbiguousError):
        if not isinstance(problem, ConflictError):
            return failed(record, what, problem)
        if api.submits_under_a_key:
            # Another request holds the key or the dispute: the same one again does no harm.
            held = record.ended(State.HELD, f"{what}: {problem}", request_id)
            return replace(held, retry_after=problem.retry_after or 0.0)
    facts = " | ".join(str(error) for error in (problem, outcome.unread) if error) or "it was accepted"
    reason = f"sent, but the dispute does not show it ({facts}); look at the dispute, do not send again"
    return record.ended(State.UNKNOWN, reason, request_id)


def _shown_end(
    api: Api, record: Record, outcome: Outcome[Snapshot], resumed: bool, is_shared: Callable[[], bool]
) -> Record:
    """The end of a submission that the dispute shows: by us or by another, as approved or not."""
    assert outcome.after is not None
    sent, request_id = outcome.sent, outcome.sent.request_id
    differing = _differing(record, outcome.before, outcome.after)
    names = ", ".join(differing)
    if not sent.is_denied:
        doubt = "" if sent.is_confirmed else f", {_BY_US_OR_ANOTHER}"
        if differing:
            reason = (
                f"submitted, but what it shows differs from what was approved in {names}{doubt}; "
                "look at it now"
            )
            return record.ended(State.SUBMITTED_DIFFERS, reason, request_id)
        after = f" after: {sent.problem.message.rstrip('. ')}" if sent.problem else ""
        return record.ended(State.SUBMITTED, f"confirmed by reading back{after}{doubt}", request_id)
    how = _denial(sent)
    if not differing:
        if resumed:
            return _resumed_end(record, request_id)
        if _has_precursor(api, sent) and is_shared():
            reason = "another run, or this one, submitted it in the same moment, as it was approved"
            end = record.ended(State.ALREADY_SUBMITTED, reason, request_id)
            # A proxy that sends a request twice passes on the answer to the second.
            return replace(end, maybe_ours=True)
        reason = f"submitted with the evidence that was approved, {_BY_US_OR_ANOTHER} ({how})"
        return record.ended(State.SUBMITTED, reason, request_id)
    if api.holds_one_of_a_name and {each.name for each in outcome.before.evidence} & {*differing}:
        # The request carried its own evidence, so that the dispute would show that.
        reason = f"somebody else submitted it, with other evidence, differing in {names} ({how})"
        return record.ended(State.ALREADY_SUBMITTED, reason, request_id)
    reason = (
        f"submitted with other evidence than approved, differing in {names}, {_BY_US_OR_ANOTHER} ({how}); "
        "look at it now"
    )
    return record.ended(State.SUBMITTED_DIFFERS, reason, request_id)


def _resumed_end(record: Record, request_id: str | None = None) -> Record:
    reason = f"{_BY_AN_EARLIER_TRY}, sent it as it was approved; confirmed by reading back"
    return record.ended(State.SUBMITTED, reason, request_id)


def _has_precursor(api: Api, sent: Sent) -> bool:
    """Whether the API says that a request under the same key came first.

    Another conflict does not say so: a gateway may answer it after the API has acted on this very request.
    """
    if sent.answer:
        return sent.answer.replayed
    return sent.problem is not None and sent.problem.code is not None and sent.problem.code == api.key_in_use


def _denial(sent: Sent) -> str:
    if sent.problem:
        return f"the API answered {sent.problem.status}: {sent.problem.message.rstrip('. ')}"
    return "the API repeated its answer to the same request"


def _differing(record: Record, before: Snapshot, after: Snapshot) -> list[str]:
    """What went out otherwise than it was approved: evidence, and the stage that it answered."""
    moved = not after.dispute.is_at(before.dispute.stage, before.dispute.due)
    more = after.dispute.submissions > before.dispute.submissions + 1
    return [
        *differing_names(before, after, record.documents),
        *(["its stage"] if moved else []),
        *(["its number of submissions"] if more else []),
    ]


def answered(before: Dispute, after: Dispute) -> bool:
    """Whether the stage that was open in ``before`` has been answered since."""
    return (
        after.submissions > before.submissions
        or after.submitted_at != before.submitted_at
        or (after.submitted and after.stage == before.stage)
    )


def _is_ours(record: Record, found: Snapshot) -> bool:
    """Whether a dispute that was answered holds exactly what was approved, at the stage that was."""
    as_approved = replace(found.dispute, submissions=record.submissions or 0, due=record.due_at)
    return replace(found, dispute=as_approved).digest(record.documents) == record.digest


def _was_answered(record: Record, found: Dispute) -> bool:
    """Whether anything has been submitted since the approval."""
    known = (record.submissions or 0, record.submitted_at)
    return found.submitted or (found.submissions, found.submitted_at) != known


def _stage_unclear(found: Snapshot) -> str:
    """Of a dispute that was answered and has moved: which of its stages was answered, no API says."""
    now = f"{found.dispute.stage}: {found.dispute.status}"
    return f"at the stage that was approved or at another stage; it is now at {now}"


def cannot_be_answered(record: Record, found: Snapshot) -> Record | None:
    """The end of a dispute that takes no answer, or none any more; None if it does."""
    dispute = found.dispute
    if dispute.submitted:
        return record.ended(
            State.ALREADY_SUBMITTED, f"this {dispute.stage} was answered before: {dispute.status}"
        )
    if dispute.closed:
        return record.ended(State.REFUSED, dispute.closed)
    if dispute.past_due():
        return record.ended(State.REFUSED, f"the due date has passed: {record.seen(found).due_text}")
    if dispute.unsupported:
        return record.ended(State.HELD, dispute.unsupported)
    return None


def refuse_submission(record: Record, found: Snapshot) -> Record | None:
    """The end of a dispute that is not what was approved, or takes no answer any more; None if it is."""
    dispute = found.dispute
    if _was_answered(record, dispute):
        which = "the evidence that was approved" if _is_ours(record, found) else "other evidence"
        how = f"with {which}; it is now {dispute.status}"
        if not dispute.is_at(record.stage, record.due_at):
            how = _stage_unclear(found)
        return record.ended(State.ALREADY_SUBMITTED, f"it was answered since it was approved, {how}")
    if dispute.stage != record.stage and not dispute.unsupported:
        return record.ended(State.REFUSED, f"it is now at {dispute.stage}; that needs a review of its own")
    if end := cannot_be_answered(record, found):
        return end
    if not found.evidence:
        return record.ended(State.REFUSED, "there is no evidence on the dispute")
    if found.digest(record.documents) != record.digest:
        what = "its due date" if _is_ours(record, found) else "the evidence"
        return record.ended(State.REFUSED, f"{what} has changed since it was approved; review it again")
    return None


def unread(record: Record, what: str, error: ApiError, resumed: bool) -> Record:
    """The end of a dispute that cannot be read before a final call.

    :param resumed: an earlier try may have made that call.
    """
    end = failed(record, what, error)
    if resumed and end.retry_after is None:
        return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {error}", error.request_id)
    return end


def failed(record: Record, what: str, error: ApiError) -> Record:
    """Where a failure that sent nothing final leaves a dispute: worth trying again, unclear, or refused."""
    state = State.UNKNOWN if isinstance(error, AmbiguousError) else State.REFUSED
    mendable = AuthenticationError | PermissionDeniedError | UnreadableAnswerError | UnreachableError
    if isinstance(error, mendable):
        # Once the connection, the network or the answer is mended, the approval still holds.
        state = State.HELD
    if isinstance(error, AuthenticationError):
        note = "an approval given under another key does not hold: review it again if you replace the key"
        return record.ended(state, f"{what}: {error} ({note})", error.request_id)
    configured = isinstance(error, UnreachableError) and error.should_retry is False
    if configured or isinstance(error, UnreadableAnswerError):
        return record.ended(state, f"{what}: {error}", error.request_id)
    if isinstance(error, RateLimitedError | ServerError):
        held = record.ended(State.HELD, f"{what}: {error}", error.request_id)
        return replace(held, retry_after=error.retry_after or 0.0)
    return record.ended(state, f"{what}: {error}", error.request_id)
