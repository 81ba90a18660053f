"""Change a Moov dispute: evidence, submitting, accepting, and what follows."""

from __future__ import annotations

import json
from typing import Any

from dispute_provider.sandbox._forms import FormError, Upload, multipart, sniff
from dispute_provider.sandbox._moov.auth import MoovError
from dispute_provider.sandbox._objects.moov import (
    EVIDENCE_TYPES,
    FILE_TYPES,
    MAX_FILE,
    MAX_TEXT,
    MoovDispute,
    MoovEvidence,
)
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._wire import Call, Response, json_response, utf16_length

OPEN = "response-needed"


async def upload_file(world: World, call: Call, dispute: MoovDispute) -> Response:
    upload, kind = _file_form(call, await _parts(call))
    _refuse_unless_open(dispute)
    now = world.clock.now()
    item = MoovEvidence(
        dispute=dispute.id,
        type=kind,
        created=now,
        updated=now,
        filename=upload.filename,
        mime_type=upload.content_type,
        content=upload.content,
    )
    return _keep(call, dispute, item)


def upload_text(world: World, call: Call, dispute: MoovDispute) -> Response:
    given = _json(call, {"text", "evidenceType"})
    _check_text(given.get("text"))
    _check_type(given.get("evidenceType"))
    _refuse_unless_open(dispute)
    now = world.clock.now()
    item = MoovEvidence(dispute.id, given["evidenceType"], now, now, text=given["text"])
    return _keep(call, dispute, item)


def update(world: World, call: Call, dispute: MoovDispute, item: MoovEvidence) -> Response:
    given = _json(call, {"text", "evidenceType"})
    if "text" in given:
        _check_text(given["text"])
        if item.content is not None:
            raise MoovError(400, "a file has no text")
    if "evidenceType" in given:
        _check_type(given["evidenceType"])
    if not given:
        raise MoovError(400, "there is nothing to change")
    if dispute.status != OPEN:
        # The operation documents no 409.
        raise MoovError(400, "the dispute takes no evidence any more")
    item.text = given.get("text", item.text)
    item.type = given.get("evidenceType", item.type)
    item.updated = world.clock.now()
    call.changed = True
    return json_response(200, item.render())


def delete(call: Call, dispute: MoovDispute, item: MoovEvidence) -> Response:
    _refuse_unless_open(dispute)
    del dispute.evidence[item.id]
    call.changed = True
    return Response(204)


def submit(world: World, call: Call, dispute: MoovDispute) -> Response:
    _refuse_body(call)
    settings = world.settings
    again = dispute.status == "under-review" and (settings.permissive or settings.unguarded)
    if not again:
        _refuse_unless_open(dispute)
    if not dispute.evidence:
        raise MoovError(400, "the dispute has no evidence")
    before = dispute.render()
    send(world, dispute, call.request_id)
    call.changed = call.submitted = True
    return json_response(200, before if settings.stale_submit else dispute.render())


def send(world: World, dispute: MoovDispute, request: str | None = None) -> None:
    """Send the uploaded evidence to the bank.

    :param request: the API request that submitted it, if any.
    """
    now = world.clock.now()
    dispute.status = "under-review"
    dispute.submitted = now
    for item in dispute.evidence.values():
        item.submitted = now
    dispute.submissions.append(
        {
            "time": now,
            "request": request,
            "stage": dispute.phase,
            "evidence": [item.render() for item in dispute.evidence.values()],
        }
    )
    settle_later(world, dispute)


def accept(world: World, call: Call, dispute: MoovDispute) -> Response:
    _refuse_body(call)
    _refuse_unless_open(dispute)
    dispute.status = "accepted"
    call.changed = True
    return json_response(200, dispute.render())


def settle_later(world: World, dispute: MoovDispute) -> None:
    """Schedule the issuer's decision, ``settle_after`` seconds from now, if an outcome is set."""
    count = len(dispute.submissions)

    def settle() -> None:
        if dispute.outcome and dispute.status == "under-review" and len(dispute.submissions) == count:
            dispute.status = dispute.outcome

    world.at(world.clock.now() + world.settings.settle_after, settle)


def watch_deadline(world: World, dispute: MoovDispute) -> None:
    """Let a dispute expire that was not answered in time."""
    respond_by = dispute.respond_by

    def expire() -> None:
        if dispute.respond_by == respond_by and dispute.status == OPEN:
            dispute.status = "expired"

    world.at(respond_by, expire)


def _keep(call: Call, dispute: MoovDispute, item: MoovEvidence) -> Response:
    dispute.evidence[item.id] = item
    call.changed = True
    return json_response(201, item.render_created())


def _refuse_unless_open(dispute: MoovDispute) -> None:
    if dispute.status != OPEN:
        raise MoovError(409, f"the dispute is {dispute.status}")


def _refuse_body(call: Call) -> None:
    if call.body:
        raise MoovError(400, "the request takes no body")


def _check_text(text: Any) -> None:
    if not isinstance(text, str) or not text:
        raise MoovError(400, "text is required")
    if utf16_length(text) > MAX_TEXT:
        raise MoovError(400, f"text has at most {MAX_TEXT} characters")


def _check_type(kind: Any) -> None:
    if kind not in EVIDENCE_TYPES:
        raise MoovError(400, "evidenceType is not one of the types")


def _json(call: Call, allowed: set[str]) -> dict[str, Any]:
    if call.content_type != "application/json":
        raise MoovError(400, "the body must be JSON")
    try:
        given = json.loads(call.body)
    except ValueError:
        raise MoovError(400, "the body is not JSON") from None
    call.decoded = given
    if not isinstance(given, dict) or given.keys() - allowed:
        raise MoovError(400, f"the body takes {' and '.join(sorted(allowed))}")
    return given


async def _parts(call: Call) -> dict[str, Any]:
    if call.content_type != "multipart/form-data":
        raise MoovError(400, "the body must be multipart/form-data")
    try:
        parts = await multipart(call.headers["content-type"], call.body)
    except FormError as error:
        raise MoovError(400, str(error)) from None
    call.decoded = dict(parts)
    if len(call.decoded) != len(parts) or call.decoded.keys() - {"file", "evidenceType"}:
        raise MoovError(400, "the form takes one file and one evidenceType")
    return dict(parts)


def _file_form(call: Call, parts: dict[str, Any]) -> tuple[Upload, str]:
    """Return the file and its type.

    :raises MoovError: 422, naming every invalid field.
    """
    wrong: dict[str, Any] = {}
    if parts.get("evidenceType") not in EVIDENCE_TYPES:
        wrong["evidenceType"] = "is not one of the types"
    upload = parts.get("file")
    at_fault: dict[str, str] = {}
    if not isinstance(upload, Upload) or not upload.filename:
        at_fault["filename"] = "a file with a name is required"
    elif not upload.content or len(upload.content) > MAX_FILE:
        at_fault["filename"] = f"the file must have 1 to {MAX_FILE} bytes"
    elif upload.content_type.lower() not in FILE_TYPES:
        at_fault["mimeType"] = f"must be one of {', '.join(FILE_TYPES)}"
    elif sniff(upload.content) != upload.content_type.lower():
        at_fault["mimeType"] = "is not what the file holds"
    if at_fault:
        wrong["file"] = at_fault
    if wrong:
        raise MoovError(422, wrong)
    assert isinstance(upload, Upload)
    return upload, parts["evidenceType"]
