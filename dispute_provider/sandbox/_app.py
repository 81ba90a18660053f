"""Route each request to its API, apply faults, and keep the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from dispute_provider.sandbox._control import Control
from dispute_provider.sandbox._faults import Fault
from dispute_provider.sandbox._moov import api as moov
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe import api as stripe
from dispute_provider.sandbox._wire import Call, Response, split_path

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_APIS = {"v1": stripe, "accounts": moov, "oauth2": moov, "ping": moov}


class SandboxApp:
    """The ASGI application. Faults that end a connection need ``sandbox.hang_up`` in the server's scope."""

    def __init__(self) -> None:
        self.control = Control()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        call = await _read(scope, receive)
        world = self.control.world
        call.time = world.clock.now()
        if call.segments[0] == "_sandbox":
            world.tick()
            await _send(send, self.control.answer(call, scope["client"][0]))
            return
        api = _APIS.get(call.segments[0])
        if api is None:
            world.journal.append(call, Response(404))
            await _send(send, Response(404))
            return
        api.route(call)
        fault = world.faults.take(call)
        if fault is not None and fault.effect == "repeat":
            call = await _repeat(world, api, call, fault)
        reply = await _work(world, api, call, fault)
        if reply is not None:
            api.dress(call, reply)
        if fault is not None and fault.hangs_up:
            world.journal.append(call, reply if fault.effect == "truncate" else None)
            await _hang_up(scope, receive, send, fault, reply)
        elif reply is not None:
            world.journal.append(call, reply)
            await _send(send, reply)


async def _repeat(world: World, api: Any, call: Call, fault: Fault) -> Call:
    """Carry out all but the last copy of a request that a proxy repeats, and return the last one."""
    for _ in range(fault.copies):
        copy = replace(call)
        reply = await _work(world, api, call, None)
        assert reply is not None
        api.dress(call, reply)
        call.fault = fault.name
        world.journal.append(call, reply)
        api.route(copy)
        copy.time = world.clock.now()
        call = copy
    return call


async def _work(world: World, api: Any, call: Call, fault: Fault | None) -> Response | None:
    """Return the answer; None if the connection ends before the request is carried out."""
    if fault is not None:
        call.fault = fault.name
        if fault.before:
            return None if fault.hangs_up else fault.spoil(call, None)
        call.stored_500 = fault.effect == "stored-500"
        if call.stored_500 and call.api == "moov":
            return Response(500)
    if limit := world.exceeded_limit(call):
        call.fault = call.fault or "rate-limit"
        limited: Response = api.too_many(call, limit)
        return limited
    call.hold = world.settings.latency + (fault.seconds if fault and fault.effect == "delay" else 0)
    world.tick()
    reply: Response = world.oddities.apply(call, await api.answer(world, call))
    if fault is None:
        return reply
    if fault.effect == "delay-after":
        await fault.delay_answer()
    return fault.spoil(call, reply)


async def _read(scope: Scope, receive: Receive) -> Call:
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    raw_path = scope["raw_path"].decode("latin-1")
    return Call(
        method=scope["method"],
        path=raw_path,
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(chunks),
        time=0,
        segments=split_path(raw_path),
    )


def _start(reply: Response) -> dict[str, Any]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.content_type:
        headers.append((b"content-type", reply.content_type.encode("latin-1")))
    if reply.status != 204:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send(send: Send, reply: Response) -> None:
    await send(_start(reply))
    await send({"type": "http.response.body", "body": reply.body})


async def _hang_up(scope: Scope, receive: Receive, send: Send, fault: Fault, reply: Response | None) -> None:
    if fault.effect == "truncate" and reply is not None:
        await send(_start(reply))
        half = reply.body[: len(reply.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
    scope["sandbox.hang_up"](reset=fault.effect == "reset")
    while (await receive())["type"] != "http.disconnect":
        # The server would answer 500 if this returned before it noticed the disconnect.
        pass
