"""Create and edit disputes outside the APIs, as a network, an issuer or a colleague would."""

from __future__ import annotations

import base64
import mimetypes
import secrets
import uuid
from typing import Any

from dispute_provider.sandbox._accounts import MOOV_ACCOUNT, MOOV_MERCHANT, STRIPE_ACCOUNT
from dispute_provider.sandbox._forms import page_count, sniff
from dispute_provider.sandbox._moov import evidence as moov_evidence
from dispute_provider.sandbox._objects.moov import EVIDENCE_TYPES, PHASES, STATUSES, MoovDispute, MoovEvidence
from dispute_provider.sandbox._objects.stripe import (
    ANSWERABLE,
    CLOSED,
    EVIDENCE_KEYS,
    FILES,
    StripeDispute,
    StripeFile,
)
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe import disputes as stripe_disputes
from dispute_provider.sandbox._stripe.charges import mark_disputed
from dispute_provider.sandbox._stripe.params import SUBMISSION_METHODS

WEEK = 7 * 86400
_SEED = uuid.UUID("5a4db0c5-0000-4000-8000-000000000000")
_STRIPE = {
    "amount": 2500, "currency": "usd", "reason": "fraudulent", "livemode": False, "brand": "visa",
    "payment_intent": "", "network_reason_code": "10.4", "enhanced_eligibility_types": (), "metadata": {},
    "outcome": None, "evidence": {}, "case_type": "", "charge": "", "created": 0, "status": "needs_response",
    "intended_submission_method": "manual", "shows_submission_method": True, "payment_method": "card",
}  # fmt: skip
_MOOV = {
    "amount": 2500, "currency": "USD", "networkReasonCode": "10.4", "networkReasonDescription": None,
    "merchant": MOOV_MERCHANT, "cardholder": None, "transfer": "", "phase": "chargeback", "outcome": None,
    "evidence": {}, "created": 0, "status": "response-needed", "submittedOn": None,
}  # fmt: skip
_STRIPE_STATUSES = {*ANSWERABLE, *ANSWERABLE.values(), *CLOSED}


def create(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """Create a dispute of either API from the fields of :meth:`Sandbox.create_dispute`.

    :raises ValueError: for an unknown field or an invalid value.
    """
    match given.get("api"):
        case "stripe":
            return describe(world, _create_stripe(world, dict(given)))
        case "moov":
            return describe(world, _create_moov(world, dict(given)))
    raise ValueError("api must be stripe or moov")


def describe(world: World, dispute: StripeDispute | MoovDispute) -> dict[str, Any]:
    """Return the API's object, with the facts that only the sandbox knows."""
    common = {
        "id": dispute.id,
        "account": dispute.account,
        "status": dispute.status,
        "outcome": dispute.outcome,
        "submissions": dispute.submissions,
    }
    if isinstance(dispute, StripeDispute):
        shown = dispute.render(world.clock.now(), "2026-10-28")
        evidence: Any = {key: value for key, value in shown["evidence"].items() if value}
        return {"api": "stripe", **common, "stage": dispute.stage, "evidence": evidence, "object": shown}
    items = [item.render() for item in dispute.evidence.values()]
    return {"api": "moov", **common, "stage": dispute.phase, "evidence": items, "object": dispute.render()}


def find(world: World, identifier: str) -> StripeDispute | MoovDispute:
    """Return the dispute of either API with an id.

    :raises KeyError: if there is none.
    """
    return world.stripe.get(identifier) or world.moov[identifier]


def edit(world: World, identifier: str, given: dict[str, Any]) -> dict[str, Any]:
    """Change a dispute outside the APIs, by the fields of :meth:`Sandbox.edit_dispute`.

    :raises KeyError: if there is no such dispute.
    :raises ValueError: for an unknown field or an invalid value.
    """
    dispute = find(world, identifier)
    if isinstance(dispute, StripeDispute):
        _edit_stripe(world, dispute, dict(given))
    else:
        _edit_moov(world, dispute, dict(given))
    return describe(world, dispute)


def _create_stripe(world: World, given: dict[str, Any]) -> StripeDispute:
    number = next(world.sequence)
    identifier = str(given.pop("id", f"dp_sandbox{number:08d}"))
    if identifier in world.stripe:
        raise ValueError(f"dispute {identifier} already exists")
    account = world.add_account("stripe", given.pop("account", None) or STRIPE_ACCOUNT).id
    due = _due(world, given, WEEK)
    value = _fill(given, _STRIPE)
    if value["status"] not in _STRIPE_STATUSES:
        raise ValueError(f"unknown status {value['status']}")
    _check_method(value["intended_submission_method"])
    intent = value.pop("payment_intent")
    evidence = value.pop("evidence")
    inquiry = value["status"].startswith("warning")
    dispute = StripeDispute(
        id=identifier,
        account=account,
        due_by=None if due is None else int(due),
        charge=value.pop("charge") or f"ch_sandbox{number:08d}",
        payment_intent=f"pi_sandbox{number:08d}" if intent == "" else intent,
        created=int(value.pop("created") or world.clock.now()),
        case_type=value.pop("case_type") or ("inquiry" if inquiry else "chargeback"),
        enhanced_eligibility_types=list(value.pop("enhanced_eligibility_types")),
        metadata=dict(value.pop("metadata")),
        **value,
    )
    _stage_stripe(world, dispute, evidence)
    world.stripe[identifier] = dispute
    mark_disputed(world, dispute)
    stripe_disputes.watch_due_date(world, dispute)
    stripe_disputes.announce(world, dispute, "charge.dispute.created")
    return dispute


def _create_moov(world: World, given: dict[str, Any]) -> MoovDispute:
    number = next(world.sequence)
    identifier = str(given.pop("id", uuid.uuid5(_SEED, f"dispute {number}")))
    if identifier in world.moov or str(uuid.UUID(identifier)) != identifier:
        raise ValueError(f"dispute {identifier} already exists, or its id is not a UUID in lower case")
    account = world.add_account("moov", given.pop("account", None) or MOOV_ACCOUNT).id
    due = _due(world, given, WEEK)
    value = _fill(given, _MOOV)
    if value["status"] not in STATUSES or value["phase"] not in PHASES:
        raise ValueError(f"unknown status {value['status']} or phase {value['phase']}")
    evidence = value.pop("evidence")
    dispute = MoovDispute(
        id=identifier,
        account=account,
        respond_by=world.clock.now() + WEEK if due is None else due,
        transfer=value.pop("transfer") or str(uuid.uuid5(_SEED, f"transfer {number}")),
        created=float(value.pop("created") or world.clock.now()),
        network_reason_code=value.pop("networkReasonCode"),
        network_reason_description=value.pop("networkReasonDescription"),
        submitted=value.pop("submittedOn"),
        **value,
    )
    _stage_moov(world, dispute, evidence)
    world.moov[identifier] = dispute
    moov_evidence.watch_deadline(world, dispute)
    return dispute


def _edit_stripe(world: World, dispute: StripeDispute, given: dict[str, Any]) -> None:
    _stage_stripe(world, dispute, given.pop("evidence", {}))
    if given.pop("submit", False):
        stripe_disputes.submit(world, dispute, "manual")
    reopened = given.pop("reopen", False)
    if {"due_by", "due_in"} & given.keys() or reopened:
        due = _due(world, given, WEEK)
        dispute.due_by = None if due is None else int(due)
        stripe_disputes.watch_due_date(world, dispute)
    if reopened:
        given.setdefault("status", "needs_response")
        dispute.case_type = given.get("case_type", "chargeback")
    status = given.pop("status", dispute.status)
    if status not in _STRIPE_STATUSES:
        raise ValueError(f"unknown status {status}")
    _check_method(given.get("intended_submission_method"))
    metadata = given.pop("metadata", None)
    dispute.metadata = dispute.metadata if metadata is None else dict(metadata)
    for name, value in given.items():
        if name not in _STRIPE or name in ("created", "livemode"):
            raise ValueError(f"{name} cannot be edited")
        setattr(dispute, name, value)
    mark_disputed(world, dispute)
    if reopened:
        dispute.stage_submitted = False
    if status != dispute.status:
        stripe_disputes.set_status(world, dispute, status)
    if "outcome" in given:
        stripe_disputes.settle_later(world, dispute)
    stripe_disputes.announce(world, dispute, "charge.dispute.updated")


def _check_method(method: Any) -> None:
    if method is not None and method not in SUBMISSION_METHODS:
        raise ValueError(f"unknown intended_submission_method {method}")


def _edit_moov(world: World, dispute: MoovDispute, given: dict[str, Any]) -> None:
    for identifier in given.pop("remove", []):
        del dispute.evidence[identifier]
    _stage_moov(world, dispute, given.pop("evidence", {}))
    if given.pop("submit", False):
        moov_evidence.send(world, dispute)
    reopened = given.pop("reopen", False)
    if reopened:
        given.setdefault("status", "response-needed")
        given.setdefault("phase", "chargeback")
    if {"due_by", "due_in"} & given.keys() or reopened:
        dispute.respond_by = _due(world, given, WEEK) or world.clock.now() + WEEK
        moov_evidence.watch_deadline(world, dispute)
    given = {_MOOV_NAMES.get(name, name): value for name, value in given.items()}
    if given.get("status", STATUSES[0]) not in STATUSES or given.get("phase", PHASES[0]) not in PHASES:
        raise ValueError(f"unknown status {given.get('status')} or phase {given.get('phase')}")
    for name, value in given.items():
        if name not in _MOOV_EDITABLE:
            raise ValueError(f"{name} cannot be edited")
        setattr(dispute, name, value)
    if "outcome" in given:
        moov_evidence.settle_later(world, dispute)


_MOOV_NAMES = {
    "networkReasonCode": "network_reason_code",
    "networkReasonDescription": "network_reason_description",
    "submittedOn": "submitted",
}
_MOOV_EDITABLE = {
    "amount", "currency", "merchant", "cardholder", "transfer", "phase", "outcome", "status",
    *_MOOV_NAMES.values(),
}  # fmt: skip


def _fill(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - defaults.keys() - {"api"}
    if unknown:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}")
    return {name: given.get(name, default) for name, default in defaults.items()}


def _due(world: World, given: dict[str, Any], default: float) -> float | None:
    """Return the due date in Unix seconds, from ``due_by`` or ``due_in``; None if ``due_by`` is null."""
    within = given.pop("due_in", default)
    due = given.pop("due_by", world.clock.now() + within)
    return None if due is None else float(due)


_BLANK = """%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>> endobj
trailer <</Root 1 0 R>>
%%EOF
"""


def _content(given: dict[str, Any]) -> tuple[str, bytes]:
    """Return the name and bytes of a file; see :meth:`Sandbox.create_dispute`."""
    if "base64" in given:
        return given["filename"], base64.b64decode(given["base64"])
    content = given.get("content", _BLANK)
    return given["filename"], content.encode("latin-1")


def _stage_stripe(world: World, dispute: StripeDispute, evidence: dict[str, Any]) -> None:
    for name, value in evidence.items():
        if name not in (*EVIDENCE_KEYS, "enhanced_evidence", "appeal"):
            raise ValueError(f"unknown evidence field {name}")
        if name in FILES and isinstance(value, dict):
            filename, content = _content(value)
            file = StripeFile(
                id=value.get("id") or f"file_{secrets.token_hex(12)}",
                account=dispute.account,
                livemode=dispute.livemode,
                created=int(world.clock.now()),
                purpose="dispute_evidence",
                filename=filename,
                content=content,
                type=sniff(content) or "application/pdf",
                pages=page_count(content),
            )
            world.files[file.id] = file
            value = file.id
        value = {} if name == "enhanced_evidence" and not value else value
        dispute.evidence = {**dispute.evidence, name: value}


def _stage_moov(world: World, dispute: MoovDispute, evidence: dict[str, Any]) -> None:
    now = world.clock.now()
    for kind, values in evidence.items():
        if kind not in EVIDENCE_TYPES:
            raise ValueError(f"unknown evidence type {kind}")
        for value in values if isinstance(values, list) else [values]:
            item = MoovEvidence(dispute.id, kind, now, now)
            if isinstance(value, str):
                item.text = value
            else:
                item.filename, item.content = _content(value)
                item.mime_type = sniff(item.content) or mimetypes.guess_type(item.filename)[0]
            dispute.evidence[item.id] = item
