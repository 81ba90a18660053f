"""Tell whether a dispute is still what was approved, and why it takes no answer. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Dispute, Snapshot


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
    if was_answered(record, dispute):
        which = "the evidence that was approved" if is_as_approved(record, found) else "other evidence"
        how = f"with {which}; it is now {dispute.status}"
        if not dispute.is_at(record.stage, record.due_at):
            how = stage_unclear(found)
        return record.ended(State.ALREADY_SUBMITTED, f"it was answered since it was approved, {how}")
    if dispute.stage != record.stage and not dispute.unsupported:
        return record.ended(State.REFUSED, f"it is now at {dispute.stage}; that needs a review of its own")
    if end := cannot_be_answered(record, found):
        return end
    if not found.evidence:
        return record.ended(State.REFUSED, "there is no evidence on the dispute")
    if found.digest(record.documents) != record.digest:
        what = "its due date" if is_as_approved(record, found) else "the evidence"
        return record.ended(State.REFUSED, f"{what} has changed since it was approved; review it again")
    return None


def was_answered(record: Record, found: Dispute) -> bool:
    """Whether anything has been submitted since the approval."""
    known = (record.submissions or 0, record.submitted_at)
    return found.submitted or (found.submissions, found.submitted_at) != known


def is_as_approved(record: Record, found: Snapshot) -> bool:
    """Whether a dispute that was answered holds exactly what was approved, at the stage that was."""
    as_approved = replace(found.dispute, submissions=record.submissions or 0, due=record.due_at)
    return replace(found, dispute=as_approved).digest(record.documents) == record.digest


def stage_unclear(found: Snapshot) -> str:
    """Of a dispute that was answered and has moved: which of its stages was answered, no API says."""
    now = f"{found.dispute.stage}: {found.dispute.status}"
    return f"at the stage that was approved or at another stage; it is now at {now}"
