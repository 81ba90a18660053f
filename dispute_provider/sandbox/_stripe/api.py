"""Route Stripe's requests, apply idempotency keys and carry out the operations."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from dispute_provider.sandbox._forms import FormError, Upload, multipart, nest, page_count, pairs, sniff
from dispute_provider.sandbox._idempotency import Key, fingerprint
from dispute_provider.sandbox._objects.stripe import (
    FILES,
    StripeCharge,
    StripeDispute,
    StripeFile,
    payment_intent,
)
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe import disputes, params
from dispute_provider.sandbox._stripe.auth import VERSION, Caller, account_named, authenticate
from dispute_provider.sandbox._stripe.lists import page, within
from dispute_provider.sandbox._stripe.params import StripeError, invalid
from dispute_provider.sandbox._wire import Call, Response, json_response

MAX_FILE = 5_000_000
EVENT_LIFE = 30 * 86400
_EXPANDABLE = {"charge", "payment_intent", *(f"evidence.{name}" for name in FILES)}


def route(call: Call) -> None:
    """Set the operation and the dispute of a call; an unknown path or method leaves the operation empty."""
    call.api = "stripe"
    call.request_id = f"req_{secrets.token_hex(8)}"
    call.account = account_named(call)
    match call.method, call.segments[1:]:
        case "GET", ["disputes"]:
            call.operation = "GetDisputes"
        case "GET", ["disputes", dispute]:
            call.operation, call.dispute = "GetDisputesDispute", dispute
        case "POST", ["disputes", dispute]:
            call.operation, call.dispute = "PostDisputesDispute", dispute
        case "POST", ["disputes", dispute, "close"]:
            call.operation, call.dispute = "PostDisputesDisputeClose", dispute
        case "GET", ["charges", _]:
            call.operation = "GetChargesCharge"
        case "POST", ["files"]:
            call.operation = "PostFiles"
        case "GET", ["files", _]:
            call.operation = "GetFilesFile"
        case "GET", ["files", _, "contents"]:
            call.operation = "GetFilesFileContents"
        case "GET", ["account"]:
            call.operation = "GetAccount"
        case "GET", ["events"]:
            call.operation = "GetEvents"


async def answer(world: World, call: Call) -> Response:
    """Carry out a routed request, under its idempotency key if it has one."""
    taken: Key | None = None
    try:
        if not call.operation:
            raise StripeError(404, f"Nothing answers {call.method} {call.path}")
        caller = authenticate(world, call)
        call.account = caller.account
        given = await _decode(call)
        key = call.header("idempotency-key")
        if key is not None and call.method == "POST" and not world.settings.unguarded:
            if not key or len(key) > 255:
                raise invalid("An idempotency key has 1 to 255 characters")
            slot = (caller.account, caller.livemode, key)
            remembered = _remembered(world, call, slot, given)
            if remembered:
                return remembered
            taken = slot
        if call.hold:
            await asyncio.sleep(call.hold)
        result = _stored_500() if call.stored_500 else _act(world, call, caller, given)
    except FormError as error:
        result = invalid(str(error), error.name).answer()
    except StripeError as error:
        result = error.answer()
        if taken and not error.kept:
            world.idempotency.release(taken)
            taken = None
    if taken:
        world.idempotency.keep(taken, result)
    return result


def dress(call: Call, reply: Response) -> None:
    """Add the headers that every answer of the API has."""
    reply.headers["Request-Id"] = call.request_id
    reply.headers["Stripe-Version"] = call.header("stripe-version") or VERSION
    key = call.header("idempotency-key")
    if key and call.method == "POST":
        reply.headers["Idempotency-Key"] = key


def too_many(call: Call, limit: str) -> Response:
    reason = "global-rate" if limit == "account" else "endpoint-rate"
    return json_response(
        429,
        {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}},
        {"Retry-After": "1", "Stripe-Rate-Limited-Reason": reason},
    )


def _stored_500() -> Response:
    return StripeError(500, "Something went wrong on the server's side", type_="api_error").answer()


async def _decode(call: Call) -> dict[str, Any]:
    if call.operation == "PostFiles":
        if call.content_type != "multipart/form-data":
            raise FormError("A file is sent as multipart/form-data")
        call.decoded = nest(await multipart(call.headers["content-type"], call.body))
    elif call.method == "POST":
        if call.query:
            raise FormError("Parameters of a POST belong into its body")
        if call.body and call.content_type != "application/x-www-form-urlencoded":
            raise FormError("The body must be application/x-www-form-urlencoded")
        try:
            call.decoded = nest(pairs(call.body.decode("ascii")))
        except UnicodeDecodeError:
            raise FormError("The form is not percent-encoded") from None
    else:
        call.decoded = nest(pairs(call.query))
    decoded: dict[str, Any] = call.decoded
    return decoded


def _remembered(world: World, call: Call, slot: Key, given: dict[str, Any]) -> Response | None:
    asked = fingerprint(call.method, call.path, given)
    known = world.idempotency.begin(slot, asked, call.request_id, world.clock.now())
    if known is None:
        return None
    if known.fingerprint != asked:
        raise StripeError(
            400, "This idempotency key came with another request before", type_="idempotency_error"
        )
    if known.answer is None:
        raise StripeError(
            409,
            "Another request with this idempotency key is at work",
            type_="idempotency_error",
            code="idempotency_key_in_use",
        )
    first = known.answer
    headers = {**first.headers, "Idempotent-Replayed": "true", "Original-Request": known.request_id}
    return Response(first.status, first.body, headers, first.content_type)


def _act(world: World, call: Call, caller: Caller, given: dict[str, Any]) -> Response:
    match call.operation:
        case "GetDisputes":
            return _list_disputes(world, caller, call, params.DISPUTES(given, ""))
        case "GetDisputesDispute":
            given = params.ONLY_EXPAND(given, "")
            _check_expand(given.get("expand", []))
            dispute = _dispute(world, call, caller)
        case "PostDisputesDispute":
            given = params.UPDATE(given, "")
            _check_expand(given.get("expand", []))
            dispute = _dispute(world, call, caller)
            disputes.update(world, call, dispute, given)
        case "PostDisputesDisputeClose":
            given = params.ONLY_EXPAND(given, "")
            _check_expand(given.get("expand", []))
            dispute = _dispute(world, call, caller)
            disputes.close(world, call, dispute)
        case "GetChargesCharge":
            params.ONLY_EXPAND(given, "")
            return json_response(200, _charge(world, call, caller).render())
        case "PostFiles":
            return _upload(world, call, caller, params.FILE(given, ""))
        case "GetFilesFile":
            params.ONLY_EXPAND(given, "")
            return json_response(200, _file(world, call, caller).render(call.base_url))
        case "GetFilesFileContents":
            file = _file(world, call, caller)
            return Response(200, file.content, {}, file.type)
        case "GetAccount":
            params.ONLY_EXPAND(given, "")
            return json_response(200, _account(caller))
        case _:
            return _list_events(world, caller, params.EVENTS(given, ""))
    return json_response(200, _show(world, call, caller, dispute, given.get("expand", [])))


def _dispute(world: World, call: Call, caller: Caller) -> StripeDispute:
    dispute = world.stripe.get(call.dispute or "")
    if dispute is None or (dispute.account, dispute.livemode) != (caller.account, caller.livemode):
        raise StripeError(
            404, f"There is no dispute {call.dispute}", code="resource_missing", param="dispute", kept=True
        )
    return dispute


def _file(world: World, call: Call, caller: Caller) -> StripeFile:
    file = world.files.get(call.segments[2])
    if file is None or (file.account, file.livemode) != (caller.account, caller.livemode):
        raise StripeError(404, f"There is no file {call.segments[2]}", code="resource_missing", param="id")
    return file


def _charge(world: World, call: Call, caller: Caller) -> StripeCharge:
    charge = world.charges.get(call.segments[2])
    if charge is None or (charge.account, charge.livemode) != (caller.account, caller.livemode):
        raise StripeError(404, f"There is no charge {call.segments[2]}", code="resource_missing", param="id")
    return charge


def _check_expand(expand: list[str], prefix: str = "") -> None:
    for path in expand:
        if not path.startswith(prefix) or path.removeprefix(prefix) not in _EXPANDABLE:
            raise invalid(f"{path} cannot be expanded", "expand")


def _show(
    world: World, call: Call, caller: Caller, dispute: StripeDispute, expand: list[str], prefix: str = ""
) -> dict[str, Any]:
    shown = dispute.render(world.clock.now(), caller.version)
    for path in expand:
        name = path.removeprefix(prefix)
        if name == "charge":
            shown["charge"] = world.charges[dispute.charge].render()
        elif name == "payment_intent":
            shown["payment_intent"] = payment_intent(dispute)
        else:
            key = name.removeprefix("evidence.")
            file = world.files.get(dispute.evidence[key] or "")
            if file:
                shown["evidence"][key] = file.render(call.base_url)
    return shown


def _list_disputes(world: World, caller: Caller, call: Call, given: dict[str, Any]) -> Response:
    found = [
        dispute
        for dispute in world.stripe.values()
        if (dispute.account, dispute.livemode) == (caller.account, caller.livemode)
        and given.get("charge", dispute.charge) == dispute.charge
        and given.get("payment_intent", dispute.payment_intent) == dispute.payment_intent
        and within(dispute.created, given.get("created"))
    ]
    found.sort(key=lambda dispute: dispute.created)
    found.reverse()
    shown, more = page(found, given, lambda dispute: dispute.id)
    expand = given.get("expand", [])
    _check_expand(expand, "data.")
    data = [_show(world, call, caller, dispute, expand, "data.") for dispute in shown]
    return json_response(200, {"object": "list", "data": data, "has_more": more, "url": "/v1/disputes"})


def _list_events(world: World, caller: Caller, given: dict[str, Any]) -> Response:
    kinds = [*given.get("types", []), *([given["type"]] if "type" in given else [])]
    if len(kinds) > 20 or ("types" in given and "type" in given):
        raise invalid("Up to 20 types, or one type", "types")
    oldest = world.clock.now() - EVENT_LIFE
    found = [
        event
        for event in reversed(world.events)
        if (event["account"], event["livemode"]) == (caller.account, caller.livemode)
        and (not kinds or event["type"] in kinds or event["type"].rpartition(".")[0] + ".*" in kinds)
        and event["created"] >= oldest
        and within(event["created"], given.get("created"))
    ]
    shown, more = page(found, given, lambda event: str(event["id"]))
    return json_response(200, {"object": "list", "data": shown, "has_more": more, "url": "/v1/events"})


def _account(caller: Caller) -> dict[str, Any]:
    return {
        "id": caller.account,
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def _upload(world: World, call: Call, caller: Caller, given: dict[str, Any]) -> Response:
    upload: Upload = given["file"]
    kind = sniff(upload.content)
    if kind not in ("application/pdf", "image/jpeg", "image/png"):
        raise invalid("The file is no PDF, JPEG or PNG", "file")
    if len(upload.content) > MAX_FILE:
        raise invalid(f"The file has more than {MAX_FILE} bytes", "file")
    file = StripeFile(
        id=f"file_{secrets.token_hex(12)}",
        account=caller.account,
        livemode=caller.livemode,
        created=int(world.clock.now()),
        purpose=given["purpose"],
        filename=upload.filename,
        content=upload.content,
        type=kind,
        pages=page_count(upload.content),
    )
    world.files[file.id] = file
    call.changed = True
    return json_response(200, file.render(call.base_url))
