"""Change a Stripe dispute: staging, submitting, conceding, and the network's decision."""

from __future__ import annotations

import copy
import secrets
from typing import Any

from dispute_provider.sandbox._objects.stripe import (
    ANSWERABLE,
    CLOSED,
    FILE_LIFE,
    FILES,
    LONG_TEXT,
    SHORT_TEXT,
    StripeDispute,
)
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe.params import (
    MAX_TEXT,
    StripeError,
    check_compelling_evidence,
    invalid,
    merge,
)
from dispute_provider.sandbox._wire import Call, utf16_length

MAGIC = {"winning_evidence": "won", "losing_evidence": "lost", "escalate_inquiry_evidence": "escalate"}
RESPONSE_SECONDS = 7 * 86400
NETWORK_GRACE = 86400
"""Seconds from a missed due date until the dispute is lost."""
MAX_BYTES = 4_500_000
MAX_PAGES = {"mastercard": 19}
MAX_PAGES_OTHERS = 49


def update(world: World, call: Call, dispute: StripeDispute, given: dict[str, Any]) -> None:
    """Stage the given evidence, and submit it if requested. A refusal changes nothing."""
    changes: dict[str, Any] = given.get("evidence") or {}
    method = given.get("intended_submission_method", dispute.intended_submission_method)
    submits = given.get("submit", bool(changes))
    _refuse_if_closed(dispute)
    if method and dispute.intended_submission_method is None:
        message = "Smart Disputes is not available for this account"
        raise invalid(message, "intended_submission_method", "smart_disputes_not_available")
    evidence = dispute.evidence
    if changes:
        _refuse_at_the_stage(dispute, changes)
        # The evidence is replaced, not changed in place, because earlier answers refer to it.
        evidence = copy.deepcopy(evidence)
        merge(evidence, changes)
        evidence["enhanced_evidence"] = evidence["enhanced_evidence"] or {}
        _check_files(world, dispute, evidence, changes)
        texts = [evidence[name] for name in (*LONG_TEXT, *SHORT_TEXT)]
        if dispute.stage == "appeal":
            texts = [_appeal_card(evidence).get("reason_for_filing")]
        total = sum(utf16_length(text or "") for text in texts)
        if total > MAX_TEXT:
            raise invalid(f"The texts have {total} characters together and may have {MAX_TEXT}", "evidence")
    if changes or submits:
        _refuse_unless_answerable(world, dispute)
    if submits:
        if not dispute.for_the_bank(evidence):
            raise _refused("There is no evidence to submit", "submit")
        _check_totals(world, dispute, evidence)
        check_compelling_evidence(evidence["enhanced_evidence"])
    dispute.metadata = _merge_metadata(dispute, given.get("metadata"))
    dispute.evidence = evidence
    dispute.intended_submission_method = method
    call.changed = bool(submits or given.keys() & {"evidence", "metadata", "intended_submission_method"})
    if submits:
        call.submitted = True
        submit(world, dispute, "manual", call.request_id)
    if call.changed:
        announce(world, dispute, "charge.dispute.updated")


def close(world: World, call: Call, dispute: StripeDispute) -> None:
    """Concede a dispute."""
    _refuse_if_closed(dispute)
    if dispute.status not in ANSWERABLE:
        raise _refused("A dispute that is under review cannot be conceded")
    call.changed = True
    set_status(world, dispute, "lost")


def set_status(world: World, dispute: StripeDispute, status: str) -> None:
    """Set a dispute's status with its consequences; an answerable status opens a new stage."""
    before = dispute.status
    dispute.status = status
    if status in ANSWERABLE:
        dispute.stage_submitted = False
    if dispute.stage == "chargeback" and status not in CLOSED and not dispute.withdrawn:
        dispute.withdrawn = True
        announce(world, dispute, "charge.dispute.funds_withdrawn")
    if status in CLOSED and before not in CLOSED:
        announce(world, dispute, "charge.dispute.closed")
    if status == "won" and before != "won":
        announce(world, dispute, "charge.dispute.funds_reinstated")


def watch_due_date(world: World, dispute: StripeDispute) -> None:
    """Schedule what happens at the due date: automatic submission or, later, loss (an inquiry closes)."""
    if not dispute.due_by:
        return
    due = dispute.due_by

    def submit_by_itself() -> None:
        staged = dispute.for_the_bank(dispute.evidence)
        automatic = dispute.intended_submission_method not in (None, "manual") and staged
        if automatic and dispute.due_by == due and dispute.status in ANSWERABLE:
            submit(world, dispute, "smart_disputes")
            announce(world, dispute, "charge.dispute.updated")

    def lapse() -> None:
        if dispute.due_by == due and dispute.status in ANSWERABLE:
            set_status(world, dispute, "warning_closed" if dispute.stage == "inquiry" else "lost")

    world.at(due, submit_by_itself)
    world.at(max(due, world.clock.now()) + NETWORK_GRACE, lapse)


def settle_later(world: World, dispute: StripeDispute) -> None:
    """Schedule the network's decision, ``settle_after`` seconds from now."""
    count = len(dispute.submissions)

    def settle() -> None:
        if dispute.status not in ANSWERABLE.values() or len(dispute.submissions) != count:
            return
        magic = None if dispute.livemode else MAGIC.get(dispute.evidence.get("uncategorized_text") or "")
        outcome = magic or dispute.outcome
        inquiry = dispute.stage == "inquiry"
        if outcome == "escalate" and inquiry:
            escalate(world, dispute)
        elif outcome in ("won", "lost"):
            set_status(world, dispute, "warning_closed" if inquiry and outcome == "won" else outcome)

    world.at(world.clock.now() + world.settings.settle_after, settle)


def escalate(world: World, dispute: StripeDispute, due_by: int | None = None) -> None:
    """Turn an inquiry into a chargeback: a new stage with a new due date."""
    dispute.case_type = "chargeback"
    dispute.due_by = due_by or int(world.clock.now()) + RESPONSE_SECONDS
    set_status(world, dispute, "needs_response")
    watch_due_date(world, dispute)
    announce(world, dispute, "charge.dispute.updated")


def announce(world: World, dispute: StripeDispute, kind: str) -> None:
    """Add an event to the list of GET /v1/events."""
    now = world.clock.now()
    world.events.append(
        {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "account": dispute.account,
            "created": int(now),
            "data": {"object": dispute.render(now, "2026-10-28")},
            "livemode": dispute.livemode,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
    )


def submit(world: World, dispute: StripeDispute, method: str, request: str | None = None) -> None:
    """Send the staged evidence to the bank.

    :param request: the API request that submitted it, if any.
    """
    dispute.submissions.append(
        {
            "time": world.clock.now(),
            "method": method,
            "request": request,
            "stage": dispute.stage,
            "evidence": dispute.for_the_bank(dispute.evidence),
        }
    )
    dispute.stage_submitted = True
    dispute.status = ANSWERABLE.get(dispute.status, dispute.status)
    settle_later(world, dispute)


def _merge_metadata(dispute: StripeDispute, given: Any) -> dict[str, str]:
    if given is None:
        return dispute.metadata
    merged = {} if given == "" else {**dispute.metadata, **given}
    kept = {name: value for name, value in merged.items() if value != ""}
    if len(kept) > 50:
        raise invalid("There may be 50 metadata keys", "metadata")
    return kept


def _refused(message: str, param: str | None = None) -> StripeError:
    """Return a refusal because of the dispute's state, which an idempotency key stores."""
    return StripeError(400, message, param=param, kept=True)


def _refuse_if_closed(dispute: StripeDispute) -> None:
    if dispute.status in CLOSED:
        raise _refused("This dispute is already closed")


def _refuse_at_the_stage(dispute: StripeDispute, changes: dict[str, Any]) -> None:
    """Refuse evidence other than an appeal at the appeal stage, and an appeal at any other stage."""
    if dispute.stage == "appeal":
        if other := sorted(changes.keys() - {"appeal"}):
            raise _refused("An appeal takes evidence[appeal] and no other evidence", f"evidence[{other[0]}]")
    elif "appeal" in changes:
        message = "Appeal evidence is taken only when the status is appeal_needs_response"
        raise _refused(message, "evidence[appeal]")


def _appeal_card(evidence: dict[str, Any]) -> dict[str, Any]:
    return (evidence.get("appeal") or {}).get("card") or {}


def _refuse_unless_answerable(world: World, dispute: StripeDispute) -> None:
    settings = world.settings
    if not dispute.due_by:
        raise _refused("This dispute takes no response")
    if dispute.past_due(world.clock.now()):
        raise _refused("The due date of this dispute has passed")
    if dispute.status not in ANSWERABLE and not (settings.permissive or settings.unguarded):
        raise _refused("Evidence was submitted for this dispute before")


def _check_files(
    world: World, dispute: StripeDispute, evidence: dict[str, Any], changes: dict[str, Any]
) -> None:
    named = [(f"evidence[{name}]", changes[name]) for name in FILES if changes.get(name)]
    named += [
        ("evidence[appeal][card][supporting_files]", file)
        for file in _appeal_card(changes).get("supporting_files") or []
    ]
    for at, identifier in named:
        file = world.files.get(identifier)
        if file is None or (file.account, file.livemode) != (dispute.account, dispute.livemode):
            raise invalid(f"There is no file {identifier}", at, "resource_missing")
        if file.purpose != "dispute_evidence":
            raise invalid(f"The file {identifier} was not uploaded as dispute evidence", at)
        if file.created + FILE_LIFE < world.clock.now():
            raise invalid(f"The file {identifier} has expired", at)
    _check_totals(world, dispute, evidence)


def _check_totals(world: World, dispute: StripeDispute, evidence: dict[str, Any]) -> None:
    """Check the limits of a dispute's files; no other limits are documented for appeals."""
    named = [evidence.get(name) for name in FILES]
    if dispute.stage == "appeal":
        named = _appeal_card(evidence).get("supporting_files") or []
    attached = [world.files[file] for file in named if file in world.files]
    if sum(len(file.content) for file in attached) > MAX_BYTES:
        raise invalid(f"The files have more than {MAX_BYTES} bytes together", "evidence")
    limit = MAX_PAGES.get(dispute.brand, MAX_PAGES_OTHERS)
    if sum(file.pages for file in attached) > limit:
        raise invalid(
            f"The files have more than {limit} pages together",
            "evidence",
            "dispute_evidence_page_limit_exceeded",
        )
