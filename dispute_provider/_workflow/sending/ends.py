"""Decide the end of a record after a final call, from what the dispute shows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Snapshot, differing_names
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import End, Link, Trust
from dispute_provider._workflow.failures import failed, unread
from dispute_provider._workflow.refusals import (
    cannot_be_answered,
    is_as_approved,
    refuse_submission,
    stage_unclear,
    was_answered,
)
from dispute_provider._workflow.sending.decisions import Step
from dispute_provider._workflow.sending.outcome import Outcome, SendResult
from dispute_provider.exceptions import ConflictError

# Returns the end of a record whose dispute must not get the call; None if it may.
Refuse = Callable[[Record, Snapshot], Record | None]

_BY_US_OR_ANOTHER = "by this run or, at the same moment, by someone else"
_BY_AN_EARLIER_TRY = "an earlier try of this task, or someone else"
# The words for the call that answered a dispute, by the state of its end.
_CALLS: Mapping[str, str] = {
    State.SUBMITTED: "submitted it",
    State.SUBMITTED_DIFFERS: "submitted it",
    State.CONCEDED: "conceded it",
    State.UNKNOWN: "may have answered it",
}


def confirmed_end(api: Api, record: Record, outcome: Outcome[Snapshot]) -> Record:
    """Return the end of a submission that the dispute shows."""
    assert outcome.after is not None
    assert outcome.before is not None
    assert outcome.sent is not None
    resumed = outcome.claim is not None and outcome.claim.place.entry > 1
    sent, request_id = outcome.sent, outcome.sent.request_id
    differing = _differing(record, outcome.before, outcome.after)
    names = ", ".join(differing)
    if not sent.is_denied:
        doubt = "" if sent.is_confirmed else f", {_BY_US_OR_ANOTHER}"
        if differing:
            reason = (
                f"submitted, but the dispute differs from the approval in {names}{doubt}; "
                "check the dispute now"
            )
            return record.ended(State.SUBMITTED_DIFFERS, reason, request_id)
        after = f" after: {sent.problem.message.rstrip('. ')}" if sent.problem else ""
        return record.ended(State.SUBMITTED, f"{outcome.confirmation}{after}{doubt}", request_id)
    how = _denial(sent)
    if not differing:
        if resumed:
            return _resumed_end(record, request_id)
        reason = f"submitted with the approved evidence, {_BY_US_OR_ANOTHER} ({how})"
        return record.ended(State.SUBMITTED, reason, request_id)
    if api.holds_one_of_a_name and {each.name for each in outcome.before.evidence} & {*differing}:
        # Our request contained its own evidence, which the dispute would show.
        reason = f"someone else submitted it, with other evidence, differing in {names} ({how})"
        return record.ended(State.ALREADY_SUBMITTED, reason, request_id)
    reason = (
        f"submitted with other evidence than approved, differing in {names}, {_BY_US_OR_ANOTHER} ({how}); "
        "check the dispute now"
    )
    return record.ended(State.SUBMITTED_DIFFERS, reason, request_id)


def unsent_end(
    api: Api, record: Record, outcome: Outcome[Snapshot], what: str, refuse: Refuse = refuse_submission
) -> Record:
    """Return the end of a final call that this try did not send, or that the dispute does not show.

    :param what: ``not submitted`` or ``not conceded``.
    :param refuse: returns the end if a reading rules out the call.
    """
    found, was_tried = outcome.before, outcome.link is not None
    match outcome.step:
        case Step.ANSWERED | Step.REFUSED:
            assert found is not None
            end = refuse(record, found) or record.ended(State.REFUSED, f"{what}: it was refused")
            if outcome.step is Step.REFUSED and was_tried and not _is_at_approved(record, found):
                # The API may have opened the dispute again, and not every API shows earlier answers.
                return maybe_sent_end(end)
            other = outcome.end if outcome.step is Step.ANSWERED else None
            is_shared = other is not None and other.is_shared
            return replace(end, reason=end.reason + _by(other), maybe_ours=was_tried or is_shared)
        case Step.ENDED_BEFORE if outcome.end:
            return _stored_end(record, outcome.end, found)
        case Step.SUPERSEDED if outcome.end:
            reason = (
                f"another final call for this dispute ended {outcome.end.state} since it was approved "
                f"({outcome.end.reason}); review it again"
            )
            return record.ended(State.REFUSED, reason)
        case Step.DAMAGED:
            reason = (
                "the ledger's files for this dispute were edited or cannot be read; "
                "restore them from a backup"
            )
            if was_tried:
                return record.ended(State.UNKNOWN, f"an earlier try may have sent it; {reason}")
            return record.ended(State.HELD, f"{what}: {reason}")
        case Step.WAIT if outcome.read_error:
            return unread(record, what, outcome.read_error, was_tried)
        case Step.WAIT:
            if outcome.is_ours:
                reason = "an earlier try may have sent it, and the due date is too close to wait for it"
                return record.ended(State.UNKNOWN, f"{reason}; check the dispute now")
            held = record.ended(State.HELD, f"{what}: another task is working on this dispute")
            return replace(held, retry_after=timing.TAKEOVER_AFTER)
        case _:
            return unconfirmed_end(api, record, outcome, what)


def maybe_sent_end(end: Record) -> Record:
    """Return the end of a record that an earlier try may have sent, and that must not be sent any more.

    :param end: the record, refused or held for that reason.
    """
    reason = f"an earlier try may have sent it; since then: {end.reason}. Check the dispute"
    return end.ended(State.UNKNOWN, reason)


def _is_at_approved(record: Record, found: Snapshot) -> bool:
    """Return whether a dispute is still at the approved stage, with the approved due date."""
    return found.dispute.is_at(record.stage, record.due_at)


def _by(other: End | None) -> str:
    """Return the words to add to a reason: which call of ours may have answered the dispute.

    :param other: the end of another final call since the approval; None if there is none.
    """
    if other is None:
        return ""
    did = _CALLS.get(other.state)
    if other.is_shared:
        did = did or "may have answered it"
        return f"; an earlier try of this task, or another final call of ours, {did}"
    return f"; another final call of ours {did}" if did else ""


def _stored_end(record: Record, end: End, found: Snapshot | None) -> Record:
    """Return the end of a record whose own link ended before this try."""
    state = State(end.state)
    if state == State.UNKNOWN and found:
        if was_answered(record, found.dispute):
            return earlier_try_end(record, found)
        if refusal := cannot_be_answered(record, found):
            return record.ended(State.UNKNOWN, f"{end.reason}; since then: {refusal.reason}", end.request_id)
    return record.ended(state, end.reason, end.request_id)


def earlier_try_end(record: Record, found: Snapshot, link: Link | None = None) -> Record:
    """Return the end of a record that an earlier try, or someone else, submitted.

    :param link: the link under which the earlier try may have sent it; None by default.
    """
    if not _is_at_approved(record, found):
        return record.ended(State.UNKNOWN, f"an earlier try may have sent it, {stage_unclear(found)}")
    if is_as_approved(record, found):
        return _resumed_end(record)
    reason = f"submitted with other evidence than approved, by {_BY_AN_EARLIER_TRY}; check the dispute now"
    # If a file of the ledger was edited, it may have recorded another task's submission.
    is_damaged = link is not None and any(claim.trust is Trust.BAD for claim in link.claims)
    return record.ended(State.UNKNOWN if is_damaged else State.SUBMITTED_DIFFERS, reason)


def unconfirmed_end(api: Api, record: Record, outcome: Outcome[Snapshot], what: str) -> Record:
    """Return the end of a final call that the dispute does not show.

    :param what: ``not submitted`` or ``not conceded``.
    """
    sent = outcome.sent or SendResult()
    problem, request_id = sent.problem, sent.request_id
    if problem and outcome.is_repeatable(has_key=api.submits_under_a_key):
        held = record.ended(State.HELD, f"{what}: {problem}", request_id)
        # Another request holds the key; its effect shows once it has arrived or can no longer arrive.
        pause = timing.TAKEOVER_AFTER if isinstance(problem, ConflictError) else 0.0
        return replace(held, retry_after=problem.retry_after or pause, maybe_ours=True)
    if problem and outcome.is_refused:
        return failed(record, what, problem)
    if outcome.link and not outcome.is_settled and not outcome.read_error:
        reason = f"an earlier try may have sent it, and this one was answered: {problem or 'accepted'}"
        return record.ended(State.UNKNOWN, f"{reason}; check the dispute, do not send again", request_id)
    facts = " | ".join(str(error) for error in (problem, outcome.read_error) if error) or "it was accepted"
    reason = f"sent, but the dispute does not show it ({facts}); check the dispute, do not send again"
    return record.ended(State.UNKNOWN, reason, request_id)


def _resumed_end(record: Record, request_id: str | None = None) -> Record:
    reason = f"{_BY_AN_EARLIER_TRY}, sent it as it was approved; confirmed by reading back"
    return record.ended(State.SUBMITTED, reason, request_id)


def _denial(sent: SendResult) -> str:
    if sent.problem:
        return f"the API answered {sent.problem.status}: {sent.problem.message.rstrip('. ')}"
    return "the API repeated its answer to the same request"


def _differing(record: Record, before: Snapshot, after: Snapshot) -> list[str]:
    """Return what differs from the approval: names of evidence, the stage, the number of submissions."""
    moved = not after.dispute.is_at(before.dispute.stage, before.dispute.due)
    more = after.dispute.submissions > before.dispute.submissions + 1
    return [
        *differing_names(before, after, record.documents),
        *(["its stage"] if moved else []),
        *(["its number of submissions"] if more else []),
    ]
