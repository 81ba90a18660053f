"""Submit evidence, the same way for every API: a small state machine that ends in a named state.

What happened is decided by reading the dispute back, never by an error's text.
"""

from __future__ import annotations

from msgspec.structs import replace

from dispute_provider.apis.api import Api
from dispute_provider.contracts.answers import Answer
from dispute_provider.evidence.record import Record, State
from dispute_provider.evidence.snapshot import Dispute, Snapshot, differing_names, sha256_of
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    TryAgainError,
    UnreachableError,
    UnreadableAnswerError,
)
from dispute_provider.ledger import terms
from dispute_provider.ledger.chain import FINAL, Claimant, End, Kind
from dispute_provider.ledger.ledger import DisputeLedger
from dispute_provider.transport.claim import NotClaimedError
from dispute_provider.workflow.final_call import FinalCall, Outcome, Reading, Sent, Step, answered, tried

_BY_US_OR_ANOTHER = "by this run, or by somebody else in the same moment"
_BY_AN_EARLIER_TRY = "an earlier try of this task, or somebody else meanwhile"


class Submission(FinalCall[Snapshot]):
    """The call that submits what a record approves."""

    def __init__(self, api: Api, ledger: DisputeLedger, task: str, record: Record) -> None:
        super().__init__(api, ledger, claimant_of(record, Kind.SUBMIT, task))
        self._record = record

    async def read(self) -> Snapshot:
        return await self._api.read(self._record.dispute, self._record.account)

    def dispute(self, found: Snapshot) -> Dispute:
        return found.dispute

    async def send(self, api: Api, before: Snapshot, ordinal: int) -> Answer:
        return await api.submission(before, self._record, ordinal)

    def judge(self, found: Snapshot) -> Reading:
        if _was_answered(self._record, found.dispute):
            return Reading.ANSWERED
        return Reading.REFUSED if refuse_submission(self._record, found) else Reading.OPEN

    def shows(self, before: Snapshot, after: Snapshot) -> bool:
        return answered(before.dispute, after.dispute)


async def submit(api: Api, record: Record, ledger: DisputeLedger, task: str) -> Record:
    """Send what was approved, once: read, claim, one call, read back.

    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :returns: the record, ended; a submission and its end stand in the ledger.
    :raises LedgerError: if the ledger cannot be read: nothing was sent by this try.
    """
    outcome = await Submission(api, ledger, task, record).make()
    if outcome.step is Step.SEND and outcome.after:
        end = _shown_end(api, record, outcome)
    elif outcome.step is Step.EARLIER:
        assert outcome.before is not None
        end = _earlier_end(record, outcome.before)
    else:
        end = not_sent(api, record, outcome, "not submitted")
    return await noted(ledger, outcome, end)


def claimant_of(record: Record, kind: Kind, task: str) -> Claimant:
    """Return in whose name an answered record is worked on: every try of a task gives the same for it."""
    approval = sha256_of([task, record.signature])[:32]
    return Claimant(kind, record.stage, approval, record.digest, record.ledger_end)


async def sent_before(end: Record, ledger: DisputeLedger, task: str) -> Record:
    """Return the end of a record whose approval does not hold any more: an earlier try may have sent it.

    :param end: the record, refused or held for that.
    :raises LedgerError: if the ledger cannot be read.
    """
    chain = await ledger.look()
    claimants = [claimant_of(end, kind, task) for kind in FINAL]
    if own := next(filter(None, map(chain.end_of, claimants)), None):
        return end.ended(State(own.state), f"{own.reason}; since then: {end.reason}", own.request_id)
    if any(tried(chain, claimant) for claimant in claimants):
        reason = f"an earlier try may have sent it; since then: {end.reason}. Look at the dispute"
        return end.ended(State.UNKNOWN, reason)
    return end


async def noted(ledger: DisputeLedger, outcome: Outcome[Snapshot], end: Record) -> Record:
    """Write the end of a final call into the ledger; what cannot be written is kept with the record."""
    if end.state == State.HELD or not (outcome.claim or outcome.link):
        return end
    sent = outcome.sent
    if sent and sent.never_left:
        return end
    try:
        if outcome.claim:
            is_settled = outcome.is_settled or outcome.after is not None
            await outcome.claim.end(
                str(end.state), end.reason, end.request_id, end.to_dict(), is_settled=is_settled
            )
        elif outcome.link and outcome.link.last.by and outcome.step is Step.EARLIER:
            by = outcome.link.last.by
            await ledger.end(
                outcome.link.number,
                outcome.link.next_entry,
                by,
                str(end.state),
                end.reason,
                request_id=end.request_id,
                is_settled=True,
                record=end.to_dict(),
            )
    except TryAgainError as error:
        return replace(end, notes=(*end.notes, f"its end is not in the ledger yet: {error}"))
    return end


def not_sent(api: Api, record: Record, outcome: Outcome[Snapshot], what: str) -> Record:
    """Return the end of a final call that this try has not sent, or that the dispute does not show.

    :param what: ``not submitted`` or ``not conceded``.
    """
    found, was_tried = outcome.before, outcome.link is not None
    match outcome.step:
        case Step.ANSWERED | Step.REFUSED:
            assert found is not None
            end = refuse_submission(record, found) or record.ended(State.REFUSED, f"{what}: it was refused")
            if outcome.step is Step.ANSWERED and outcome.end and outcome.end.by.approval:
                end = replace(end, reason=f"{end.reason}; another run of ours {outcome.end.state} it")
            return replace(end, maybe_ours=was_tried)
        case Step.NOTED if outcome.end:
            return _noted_end(record, outcome.end, found)
        case Step.UNSEEN if outcome.end:
            reason = (
                f"another final call for this dispute ended {outcome.end.state} since it was approved "
                f"({outcome.end.reason}); review it again"
            )
            return record.ended(State.REFUSED, reason)
        case Step.DAMAGED:
            reason = "the ledger's files of this dispute were edited or cannot be read; look at them"
            return record.ended(State.HELD, f"{what}: {reason}")
        case Step.WAIT if outcome.unread:
            return unread(record, what, outcome.unread, was_tried)
        case Step.WAIT:
            if outcome.is_ours:
                reason = "an earlier try may have sent it, and its due date is too near to wait for it"
                return record.ended(State.UNKNOWN, f"{reason}; look at the dispute now")
            held = record.ended(State.HELD, f"{what}: another task is at work on this dispute")
            return replace(held, retry_after=terms.LAPSES_AFTER)
        case _:
            return not_shown(api, record, outcome, what)


def _noted_end(record: Record, end: End, found: Snapshot | None) -> Record:
    """Return the end of a record whose own link had ended before this try."""
    state = State(end.state)
    if state == State.UNKNOWN and found:
        if _was_answered(record, found.dispute):
            return _earlier_end(record, found)
        if refusal := cannot_be_answered(record, found):
            return record.ended(State.UNKNOWN, f"{end.reason}; it is now {refusal.reason}", end.request_id)
    return record.ended(state, end.reason, end.request_id)


def _earlier_end(record: Record, found: Snapshot) -> Record:
    """Return the end of a record that an earlier try, or somebody else meanwhile, has submitted."""
    if not found.dispute.is_at(record.stage, record.due_at):
        return record.ended(State.UNKNOWN, f"an earlier try may have sent it, {_stage_unclear(found)}")
    if _is_ours(record, found):
        return _resumed_end(record)
    reason = f"submitted with other evidence than approved, by {_BY_AN_EARLIER_TRY}; look at it now"
    return record.ended(State.SUBMITTED_DIFFERS, reason)


def not_shown(api: Api, record: Record, outcome: Outcome[Snapshot], what: str) -> Record:
    """The end of a final call that the dispute does not show.

    :param what: ``not submitted`` or ``not conceded``.
    """
    sent = outcome.sent or Sent()
    problem, request_id = sent.problem, sent.request_id
    if outcome.link and not outcome.is_settled and not (sent.never_left or outcome.unread):
        reason = f"an earlier try may have sent it, and this one was answered: {problem or 'accepted'}"
        return record.ended(State.UNKNOWN, f"{reason}; look at the dispute, do not send again", request_id)
    if problem and outcome.unread is None and not isinstance(problem, AmbiguousError):
        if not isinstance(problem, ConflictError):
            return failed(record, what, problem)
        if api.submits_under_a_key:
            # Another request holds the key or the dispute: the same one again does no harm.
            held = record.ended(State.HELD, f"{what}: {problem}", request_id)
            return replace(held, retry_after=problem.retry_after or 0.0, maybe_ours=True)
    facts = " | ".join(str(error) for error in (problem, outcome.unread) if error) or "it was accepted"
    reason = f"sent, but the dispute does not show it ({facts}); look at the dispute, do not send again"
    return record.ended(State.UNKNOWN, reason, request_id)


def _shown_end(api: Api, record: Record, outcome: Outcome[Snapshot]) -> Record:
    """The end of a submission that the dispute shows: by us or by another, as approved or not."""
    assert outcome.after is not None
    assert outcome.before is not None
    assert outcome.sent is not None
    resumed = outcome.claim is not None and outcome.claim.place.take > 1
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
        if _has_precursor(api, sent):
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
    return replace(end, maybe_ours=resumed)


def failed(record: Record, what: str, error: ApiError) -> Record:
    """Where a failure that sent nothing final leaves a dispute: worth trying again, unclear, or refused."""
    if isinstance(error, NotClaimedError):
        return replace(record.ended(State.HELD, f"{what}: {error}"), retry_after=error.retry_after or 0.0)
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
