"""Decide whether a dispute can be answered and is still as approved. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Dispute, Snapshot
from dispute_provider._explain.money import format_amount


def cannot_be_answered(record: Record, found: Snapshot) -> Record | None:
    """Return the end of a dispute that cannot be answered; None if it can."""
    dispute = found.dispute
    if dispute.submitted:
        reason = f"this {dispute.stage} has already been answered; its status is {dispute.status}"
        return record.ended(State.ALREADY_SUBMITTED, reason)
    if dispute.closed:
        return record.ended(State.REFUSED, dispute.closed)
    if dispute.past_due():
        return record.ended(State.REFUSED, f"the due date has passed: {record.seen(found).due_text}")
    if dispute.unsupported:
        return record.ended(State.HELD, dispute.unsupported)
    return None


def refuse_submission(record: Record, found: Snapshot) -> Record | None:
    """Return the end of a dispute that must not be submitted as approved; None if it may be."""
    dispute = found.dispute
    if was_answered(record, dispute):
        which = "the approved evidence" if is_as_approved(record, found) else "other evidence"
        how = f"with {which}; its status is now {dispute.status}"
        if not dispute.is_at(record.stage, record.due_at):
            how = stage_unclear(found)
        return record.ended(State.ALREADY_SUBMITTED, f"it was answered after it was approved, {how}")
    if dispute.stage != record.stage and not dispute.unsupported:
        reason = f"it has moved to the {dispute.stage} stage since it was approved; stage and review it again"
        return record.ended(State.REFUSED, reason)
    if end := cannot_be_answered(record, found):
        return end
    if not found.evidence:
        return record.ended(State.REFUSED, "the dispute has no evidence any more; stage and review it again")
    if found.digest(record.documents) != record.digest:
        what = "its due date" if is_as_approved(record, found) else "the evidence"
        return record.ended(State.REFUSED, f"{what} has changed since it was approved; review it again")
    return _refuse_amount(record, dispute)


def _refuse_amount(record: Record, found: Dispute) -> Record | None:
    """Return the end of a dispute whose amount its approval no longer covers; None if it does.

    A reviewer approves the evidence, whatever the amount; a policy, or one person where two may be required,
    only up to a limit.
    """
    below = record.approval.below if record.approval else None
    if below is None or (found.currency == record.currency and found.amount < below):
        return None
    limit = format_amount(below, record.currency or "")
    reason = f"{changed_amount(record, found)}, and its approval holds only below {limit}; review it again"
    return record.ended(State.REFUSED, reason)


def changed_amount(record: Record, found: Dispute) -> str:
    """Describe how the amount has changed since the approval."""
    now = format_amount(found.amount, found.currency)
    return f"its amount has changed since it was approved, from {record.money} to {now}"


def was_answered(record: Record, found: Dispute) -> bool:
    """Return whether the dispute was answered after the approval."""
    known = (record.submissions or 0, record.submitted_at)
    return found.submitted or (found.submissions, found.submitted_at) != known


def is_as_approved(record: Record, found: Snapshot) -> bool:
    """Return whether an answered dispute has exactly the approved evidence, at the approved stage."""
    as_approved = replace(found.dispute, submissions=record.submissions or 0, due=record.due_at)
    return replace(found, dispute=as_approved).digest(record.documents) == record.digest


def stage_unclear(found: Snapshot) -> str:
    """Describe a dispute that was answered and has moved on: no API shows which stage was answered."""
    now = f"{found.dispute.stage}: {found.dispute.status}"
    return f"but the API does not show at which stage; it is now at {now}"
