"""Staging and submitting, the same for every API: each a small state machine that ends in a named state.

What happened is decided by reading the dispute back, never by an error's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from dispute_provider.evidence.case import Case
from dispute_provider.evidence.documents import Document
from dispute_provider.evidence.record import Record, State
from dispute_provider.evidence.snapshot import Dispute, Snapshot, differing_names
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    InvalidCaseError,
    RateLimitedError,
    ServerError,
)
from dispute_provider.hooks.api import Api, Steps, Wait

# Seconds between the readings that look for a submission whose answer told nothing.
_LOOK_AGAIN_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)


def stage(api: Api, case: Case, documents: Mapping[str, Document], record: Record) -> Steps[Record]:
    """Put a case's evidence on its dispute without submitting it, and read it back."""
    try:
        before = yield from api.read(case.dispute, case.account)
        record = record.seen(before)
        if end := _cannot_be_answered(record, before):
            return end
        if mismatch := api.check_case(case, before.dispute):
            return record.ended(State.REFUSED, mismatch)
        uploaded = yield from api.write(case, documents, before)
        after = yield from api.read(case.dispute, case.account)
    except InvalidCaseError as error:
        return record.ended(State.REFUSED, str(error))
    except ApiError as error:
        return record.ended(_state_after(error), f"not staged: {error}", error.request_id)
    record = replace(record, documents=uploaded, notes=before.dispute.notes).seen(after)
    return record.ended(State.STAGED, f"{len(after.evidence)} pieces of evidence staged, not submitted")


def submit(api: Api, record: Record, now: datetime | None = None) -> Steps[Record]:
    """Send what was approved, once: read, compare, one call, read back."""
    try:
        before = yield from api.read(record.dispute, record.account)
    except ApiError as error:
        return record.ended(_state_after(error), f"not submitted: {error}", error.request_id)
    if end := _refuse_submission(record, before, now):
        return end

    request_id: str | None = None
    problem: ApiError | None = None
    try:
        answer = yield from api.submission(before, record.digest or "")
        request_id = answer.request_id
    except (AmbiguousError, ConflictError) as error:
        problem, request_id = error, error.request_id
    except ApiError as error:
        return record.ended(_state_after(error), f"not submitted: {error}", error.request_id)
    return (yield from _read_back(api, record, before, request_id, problem))


def _read_back(
    api: Api, record: Record, before: Snapshot, request_id: str | None, problem: ApiError | None
) -> Steps[Record]:
    """Decide from the dispute itself whether the submission arrived, and whether as approved."""
    unread: ApiError | None = None
    for pause in _LOOK_AGAIN_AFTER:
        yield Wait(pause)
        try:
            after = yield from api.read(record.dispute, record.account)
        except ApiError as error:
            unread = error
            continue
        unread = None
        if not _answered(before.dispute, after.dispute):
            if isinstance(problem, ConflictError):
                return record.ended(State.REFUSED, f"not submitted: {problem}", request_id)
            continue
        if differing := differing_names(before, after, record.documents):
            names = ", ".join(differing)
            if isinstance(problem, ConflictError):
                reason = f"somebody else submitted other evidence; it differs in {names}"
                return record.ended(State.ALREADY_SUBMITTED, reason, request_id)
            reason = f"submitted, but what went out differs from what was approved in {names}; look at it now"
            return record.ended(State.SUBMITTED_DIFFERS, reason, request_id)
        if isinstance(problem, ConflictError):
            return record.ended(
                State.ALREADY_SUBMITTED, "submitted before, with the same evidence", request_id
            )
        how = (
            f"confirmed by reading back after: {problem.message}" if problem else "confirmed by reading back"
        )
        return record.ended(State.SUBMITTED, how, request_id)
    facts = " | ".join(str(error) for error in (problem, unread) if error) or "it was accepted"
    reason = f"sent, but the dispute does not show it ({facts}); look at the dispute, do not send again"
    return record.ended(State.UNKNOWN, reason, request_id)


def _answered(before: Dispute, after: Dispute) -> bool:
    """Whether the stage that was open in ``before`` has been answered since."""
    return (
        after.submissions > before.submissions
        or after.submitted_at != before.submitted_at
        or (after.submitted and after.stage == before.stage)
    )


def _cannot_be_answered(record: Record, found: Snapshot, now: datetime | None = None) -> Record | None:
    dispute = found.dispute
    if dispute.submitted:
        return record.ended(
            State.ALREADY_SUBMITTED, f"this {dispute.stage} was answered before: {dispute.status}"
        )
    if dispute.closed:
        return record.ended(State.REFUSED, dispute.closed)
    if dispute.past_due(now):
        return record.ended(State.REFUSED, f"the due date has passed: {record.seen(found).due_text}")
    return None


def _refuse_submission(record: Record, found: Snapshot, now: datetime | None) -> Record | None:
    dispute = found.dispute
    if dispute.stage != record.stage or dispute.submissions != record.submissions:
        if dispute.submitted or dispute.submissions != record.submissions:
            reason = "the stage that was approved was answered before"
            return record.ended(
                State.ALREADY_SUBMITTED, f"{reason}; it is now {dispute.stage}, {dispute.status}"
            )
        return record.ended(State.REFUSED, f"it is now at {dispute.stage}; that needs a review of its own")
    if end := _cannot_be_answered(record, found, now):
        return end
    if not found.evidence:
        return record.ended(State.REFUSED, "there is no evidence on the dispute")
    if found.digest(record.documents) != record.digest:
        return record.ended(State.REFUSED, "the evidence has changed since it was approved; review it again")
    return None


def _state_after(error: ApiError) -> State:
    """Where a failure that sent nothing final leaves a dispute: worth trying again, open, or refused."""
    if isinstance(error, RateLimitedError | ServerError):
        return State.HELD
    return State.UNKNOWN if isinstance(error, AmbiguousError) else State.REFUSED
