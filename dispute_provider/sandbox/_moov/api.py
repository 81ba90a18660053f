"""Route Moov's requests and carry out the operations."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

from dispute_provider.sandbox._clock import iso
from dispute_provider.sandbox._moov import evidence
from dispute_provider.sandbox._moov.auth import MoovError, authorize, create_token, revoke_token
from dispute_provider.sandbox._moov.lists import list_disputes
from dispute_provider.sandbox._objects.moov import MoovDispute
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._wire import Call, Response, json_response

_VERSION = re.compile(r"v\d{4}\.(01|04|07|10)\.\d{2}|latest")


def route(call: Call) -> None:
    """Set the operation, account and dispute of a call; an unknown path or method leaves no operation."""
    call.api = "moov"
    call.request_id = str(uuid.uuid4())
    match call.segments:
        case ["accounts", account, *_]:
            call.account = account
        case _:
            pass
    match call.segments[2:]:
        case ["disputes", dispute, *_]:
            call.dispute = dispute
        case _:
            pass
    match call.method, call.segments:
        case "GET", ["ping"]:
            call.operation = "ping"
        case "POST", ["oauth2", "token"]:
            call.operation = "createAccessToken"
        case "POST", ["oauth2", "revoke"]:
            call.operation = "revokeAccessToken"
        case "GET", ["accounts", _]:
            call.operation = "getAccount"
        case "GET", ["accounts", _, "disputes"]:
            call.operation = "listDisputes"
        case "GET", ["accounts", _, "disputes", _]:
            call.operation = "getDispute"
        case "POST", ["accounts", _, "disputes", _, "accept"]:
            call.operation = "acceptDispute"
        case "GET", ["accounts", _, "disputes", _, "evidence"]:
            call.operation = "listDisputeEvidence"
        case "POST", ["accounts", _, "disputes", _, "evidence-file"]:
            call.operation = "uploadDisputeEvidenceFile"
        case "POST", ["accounts", _, "disputes", _, "evidence-text"]:
            call.operation = "uploadDisputeEvidenceText"
        case "POST", ["accounts", _, "disputes", _, "evidence", "submit"]:
            call.operation = "submitDisputeEvidence"
        case "GET", ["accounts", _, "disputes", _, "evidence", _]:
            call.operation = "getDisputeEvidence"
        case "PATCH", ["accounts", _, "disputes", _, "evidence", _]:
            call.operation = "updateDisputeEvidence"
        case "DELETE", ["accounts", _, "disputes", _, "evidence", _]:
            call.operation = "deleteDisputeEvidenceFile"
        case "GET", ["accounts", _, "disputes", _, "evidence", _, "data"]:
            call.operation = "getDisputeEvidenceData"


async def answer(world: World, call: Call) -> Response:
    """Carry out a routed request."""
    try:
        if not call.operation or not _VERSION.fullmatch(call.headers.get("x-moov-version", "latest")):
            raise MoovError(404)
        if call.operation not in ("createAccessToken", "revokeAccessToken"):
            authorize(world, call)
        if call.hold:
            await asyncio.sleep(call.hold)
        return await _act(world, call)
    except MoovError as error:
        return error.answer()


def dress(call: Call, reply: Response) -> None:
    """Add the header that every answer of the API has."""
    reply.headers["x-request-id"] = call.request_id


def too_many(call: Call, limit: str) -> Response:
    return Response(429, b"", {"Retry-After": "1"})


async def _act(world: World, call: Call) -> Response:
    match call.operation:
        case "ping":
            return Response(200, b"", {})
        case "createAccessToken":
            return create_token(world, call)
        case "revokeAccessToken":
            return revoke_token(world, call)
        case "getAccount":
            return json_response(200, _account(world, call))
        case "listDisputes":
            return json_response(200, list_disputes(world, call))
    dispute = _dispute(world, call)
    match call.operation:
        case "getDispute":
            return json_response(200, dispute.render())
        case "listDisputeEvidence":
            return json_response(200, [item.render() for item in dispute.evidence.values()])
        case "uploadDisputeEvidenceFile":
            return await evidence.upload_file(world, call, dispute)
        case "uploadDisputeEvidenceText":
            return evidence.upload_text(world, call, dispute)
        case "acceptDispute":
            return evidence.accept(world, call, dispute)
        case "submitDisputeEvidence":
            return evidence.submit(world, call, dispute)
    item = dispute.evidence.get(call.segments[5])
    if item is None:
        raise MoovError(404)
    match call.operation:
        case "getDisputeEvidence":
            return json_response(200, item.render())
        case "updateDisputeEvidence":
            return evidence.update(world, call, dispute, item)
        case "deleteDisputeEvidenceFile":
            return evidence.delete(call, dispute, item)
    if item.content is None:
        raise MoovError(404)
    return Response(200, item.content, {}, item.mime_type)


def _dispute(world: World, call: Call) -> MoovDispute:
    dispute = world.moov.get(call.dispute or "")
    if dispute is None or dispute.account != call.account:
        raise MoovError(404)
    return dispute


def _account(world: World, call: Call) -> dict[str, Any]:
    account = world.accounts["moov", call.account or ""]
    return {
        "accountID": account.id,
        "accountType": "business",
        "createdOn": iso(0),
        "displayName": "Sandbox",
        "mode": "production" if account.livemode else "sandbox",
        "profile": {"business": {"legalBusinessName": "Sandbox", "ownersProvided": True}},
        "updatedOn": iso(0),
        "verification": {"status": "verified", "verificationStatus": "verified"},
    }
