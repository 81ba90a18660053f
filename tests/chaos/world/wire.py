"""The wire: a real aiohttp client and the sandbox's real HTTP server, joined in memory in one event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector
from uvicorn.server import ServerState

from dispute_provider.sandbox._app import SandboxApp
from dispute_provider.sandbox._server import _Protocol, server
from tests.chaos.world.clock import boot_time, without_context
from tests.chaos.world.worker import WorkersTransport

_ADDRESS = ("127.0.0.1", 1)
# The sandbox asks its end of a connection for these.
_SOCKET = SimpleNamespace(
    getpeername=lambda: _ADDRESS, getsockname=lambda: _ADDRESS, setsockopt=lambda *option: None
)
# None: the connection is made. Otherwise what stands in its way.
Obstacle = Callable[[], str | None]


class _Pipe(asyncio.Transport):
    """One end of a connection. What is written arrives at the other end in the loop's next turn."""

    peer: _Pipe
    protocol: asyncio.Protocol

    def __init__(self, loop: asyncio.AbstractEventLoop, *, socket: Any = None) -> None:
        super().__init__()
        self._loop = loop
        self._closed = False
        self._socket = socket

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket if name == "socket" else default

    def is_closing(self) -> bool:
        return self._closed

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._closed:
            without_context(self._loop, self.peer._receive, bytes(data))

    def close(self) -> None:
        self._end(None, None)

    def abort(self) -> None:
        self._end(None, ConnectionResetError(104, "Connection reset by peer"))

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def pause_reading(self) -> None:
        """Nothing is so large here."""

    def resume_reading(self) -> None:
        """Nothing is so large here."""

    def _receive(self, data: bytes) -> None:
        if not self._closed:
            self.protocol.data_received(data)

    def _end(self, own: Exception | None, theirs: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        without_context(self._loop, self.protocol.connection_lost, own)
        without_context(self._loop, self.peer._ended, theirs)

    def _ended(self, error: Exception | None) -> None:
        if self._closed:
            return
        if error is None:
            self.protocol.eof_received()
        self._closed = True
        without_context(self._loop, self.protocol.connection_lost, error)


class _Connector(BaseConnector):
    """Connects to the sandbox, whatever the address."""

    allowed_protocol_schema_set = frozenset({"http", "https"})

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109  # the base class's name
        match self._wire.obstacle():
            case "refused":
                raise aiohttp.ClientConnectorError(req.connection_key, ConnectionRefusedError(111, "refused"))
            case "timeout":
                await asyncio.sleep(timeout.sock_connect or 0)
                raise aiohttp.ConnectionTimeoutError("no connection in time")
        return contextvars.Context().run(self._connect)

    def _connect(self) -> ResponseHandler:
        loop = self._loop
        ours, theirs = _Pipe(loop), _Pipe(loop, socket=_SOCKET)
        ours.peer, theirs.peer = theirs, ours
        client = ResponseHandler(loop)
        ours.protocol, theirs.protocol = client, _Protocol(self._wire.config, ServerState(), {}, loop)
        client.connection_made(ours)
        theirs.protocol.connection_made(theirs)
        return client


class Wire:
    """Leads every session of the hooks to the sandbox."""

    def __init__(self, application: SandboxApp) -> None:
        self.config = server(application).config
        # So that a request of a worker that was frozen finds its connection open.
        self.config.timeout_keep_alive = 3600
        self.config.load()
        self.obstacle: Obstacle = lambda: None

    def install(self) -> None:
        from dispute_provider._transport.client import Client
        from dispute_provider._transport.http import HttpTransport

        Client.clock = staticmethod(boot_time)
        Client.transport = lambda settings: WorkersTransport(HttpTransport(settings, _Connector(self)))
