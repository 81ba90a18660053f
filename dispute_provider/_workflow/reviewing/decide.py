"""Decide each dispute of a review: by an answer, by a policy, or at the deadline. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from dispute_provider._evidence.deadlines import URGENT
from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._evidence.record import (
    CONCEDE,
    EDIT,
    HOLD,
    REJECT,
    SUBMIT,
    Approval,
    Record,
    State,
    person,
)
from dispute_provider._workflow.reviewing import review
from dispute_provider._workflow.reviewing.four_eyes import ANONYMOUS, FourEyes

_STATES = {
    SUBMIT: State.APPROVED,
    CONCEDE: State.APPROVED,
    HOLD: State.HELD,
    EDIT: State.HELD,
    REJECT: State.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that an answer must meet.

    :param four_eyes: who may approve disputes of large amounts.
    :param at_deadline: the policy that decides unanswered disputes; None holds them.
    :param allow_anonymous: whether an answer without a login may approve.
    :param triggered_by: name of the Airflow user who triggered the review's run; None for a scheduled run.
    """

    four_eyes: FourEyes = field(default_factory=FourEyes)
    at_deadline: ApprovalPolicy | None = None
    allow_anonymous: bool = False
    triggered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision about one dispute.

    :param record: the record in its new state, unsigned; it has an approval if a person or a policy decided.
    :param meaning: the reviewer's decision without the note; None if no person decided.
    """

    record: Record
    meaning: str | None = None


def decide(
    records: Sequence[Record],
    event: Mapping[str, Any],
    rules: Rules,
    now: datetime,
) -> list[Ruling]:
    """Return the decision about each record, in the order of the records.

    :param event: the event with which Airflow resumes the review: an answer, a timeout or another error.
    """
    user = event.get("responded_by_user")
    if event.get("error_type") == "timeout" and rules.at_deadline:
        return _at_deadline(records, rules.at_deadline, rules.four_eyes, now)
    if "error" in event or not user:
        return _all_held(records, "no answer in time; nothing was sent")
    responder = f"{user.get('name')} ({user.get('id')})"
    if user.get("id") == ANONYMOUS and not rules.allow_anonymous:
        return _all_held(records, "answered without a login; only a logged-in user can approve")
    decisions = review.decide(records, event["chosen_options"] or [], event["params_input"] or {})
    if isinstance(decisions, str):
        return _all_held(records, f"the answer from {person(responder)} is invalid: {decisions}")
    answered_at = event["responded_at"].isoformat()
    return [_by_person(r, decisions[r.dispute], user, responder, answered_at, rules) for r in records]


def _by_person(
    record: Record,
    decision: review.Decision,
    user: Mapping[str, Any],
    responder: str,
    answered_at: str,
    rules: Rules,
) -> Ruling:
    """Return a reviewer's decision about one dispute.

    A decision that the four-eyes rule refuses counts as no answer, so the next sweep asks again.
    """
    if decision.action in (SUBMIT, CONCEDE) and (
        objection := rules.four_eyes.objection(record, user, rules.triggered_by)
    ):
        return Ruling(review.held(record, f"{objection} – {person(responder)}"))
    ended = record.ended(_STATES[decision.action], f"{decision.reason} – {person(responder)}")
    # What one person approved alone must not become an amount that needs two.
    below = None if rules.four_eyes.is_required(record) else rules.four_eyes.limit(record)
    approval = Approval(decision.action, responder, answered_at, below=below)
    return Ruling(replace(ended, approval=approval), decision.meaning)


def _at_deadline(
    records: Sequence[Record],
    policy: ApprovalPolicy,
    four_eyes: FourEyes,
    now: datetime,
) -> list[Ruling]:
    """Return a policy's decisions about unanswered disputes; disputes that are due much later are held."""
    first = min((record.due_at for record in records if record.due_at), default=None)
    rulings: list[Ruling] = []
    for record in records:
        if first and record.due_at and record.due_at - first > URGENT:
            reason = "no answer, and the policy decides only close to the due date; review it again"
            rulings.append(Ruling(review.held(record, reason)))
        else:
            rulings += by_policy([record], policy, four_eyes, now)
    return rulings


def policy_objection(record: Record, policy: ApprovalPolicy, four_eyes: FourEyes) -> str | None:
    """Return why a policy may not approve a dispute; None if it approves it."""
    if problem := policy.objection(record):
        return problem
    if four_eyes.is_required(record):
        return "four eyes are required"
    return "an earlier submission ended unknown" if record.last_end == State.UNKNOWN else None


def by_policy(
    records: Sequence[Record],
    policy: ApprovalPolicy,
    four_eyes: FourEyes,
    now: datetime,
) -> list[Ruling]:
    """Return the disputes that a policy approves; the others are held, with the reason."""
    rulings: list[Ruling] = []
    for record in records:
        if problem := policy_objection(record, policy, four_eyes):
            reason = f"no answer in time, and the {policy.approver} did not approve it: {problem}"
            rulings.append(Ruling(review.held(record, reason)))
        else:
            ended = record.ended(State.APPROVED, f"approved by the {policy.approver}")
            limits = (policy.limit(record), four_eyes.limit(record))
            below = min(limit for limit in limits if limit is not None)
            approval = Approval(SUBMIT, policy.approver, now.isoformat(), below=below)
            rulings.append(Ruling(replace(ended, approval=approval)))
    return rulings


def _all_held(records: Sequence[Record], reason: str) -> list[Ruling]:
    return [Ruling(review.held(record, reason)) for record in records]
