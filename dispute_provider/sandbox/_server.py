"""The sandbox as a process, and as a thread of a test."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from dispute_provider.sandbox._app import Receive, SandboxApp, Scope, Send

_NO_LINGER = struct.pack("ii", 1, 0)


class _Protocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]  # chosen when uvicorn is imported
    """Lets the application end its own connection."""

    app: Callable[[Scope, Receive, Send], Awaitable[None]]

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        inner = self.app

        def hang_up(reset: bool) -> None:
            if reset:
                # Closing without lingering sends RST instead of FIN.
                peer = transport.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                transport.abort()
            else:
                transport.close()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["sandbox.hang_up"] = hang_up
            await inner(scope, receive, send)

        self.app = app


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    return socket.create_server((host, port), backlog=1024)


def server(application: SandboxApp) -> _Server:
    """A server that is quick to stop and keeps idle connections."""
    return _Server(
        uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=600,
            timeout_graceful_shutdown=1,
        )
    )


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class SandboxError(Exception):
    """A control request was refused."""


class Sandbox:
    """A sandbox in a thread of its own: `with Sandbox() as sandbox:`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = bind(host, port)
        self.url = url_of(self._socket)
        self._server = server(SandboxApp())
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        if not self._server.listening.wait(10):
            raise SandboxError("the sandbox did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def reset(self) -> None:
        """Forget everything, journal and settings included."""
        self._ask("POST", "reset")

    def create_dispute(self, **fields: Any) -> dict[str, Any]:
        """Make a dispute; `api` is stripe or moov."""
        return dict(self._ask("POST", "disputes", fields))

    def create_disputes(self, disputes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make many in one request."""
        return list(self._ask("POST", "disputes", disputes))

    def edit_dispute(self, identifier: str, **fields: Any) -> dict[str, Any]:
        """Edit one as a colleague, the network or the issuer would."""
        return dict(self._ask("PATCH", f"disputes/{identifier}", fields))

    def dispute(self, identifier: str) -> dict[str, Any]:
        """A dispute as it is, with its evidence and submissions."""
        return dict(self._ask("GET", f"disputes/{identifier}"))

    def disputes(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "disputes"))

    def create_charge(self, **fields: Any) -> dict[str, Any]:
        """Make a Stripe charge; one that a dispute made later names becomes the disputed one."""
        return dict(self._ask("POST", "charges", fields))

    def add_account(self, **fields: Any) -> None:
        """Make an account known, with `keys`."""
        self._ask("POST", "accounts", fields)

    def clock(self, **fields: Any) -> float:
        """Move (`advance` seconds, `set` unix) or stop (`frozen`) the clock; returns its time."""
        return float(self._ask("POST", "clock", fields)["now"])

    def fault(self, **fields: Any) -> dict[str, Any]:
        """Add a rule: `effect`, and what it matches."""
        return dict(self._ask("POST", "faults", fields))

    def faults(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "faults"))

    def remove_fault(self, name: str) -> None:
        """Remove the rules of a name; answers that they delay go out at once."""
        self._ask("DELETE", f"faults/{quote(name, safe='')}")

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    def odd(self, **fields: Any) -> dict[str, Any]:
        """Edit answers: `of` an object's id, `remove` JSON pointers, `set` values by pointer."""
        return dict(self._ask("POST", "oddities", fields))

    def oddities(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "oddities"))

    def clear_oddities(self) -> None:
        self._ask("DELETE", "oddities")

    def settings(self, **fields: Any) -> dict[str, Any]:
        """Change settings; returns all."""
        return dict(self._ask("POST", "settings", fields))

    def journal(self, **fields: Any) -> list[dict[str, Any]]:
        """Every API request so far; only those with the given values, as in `operation="PostFiles"`."""
        return [
            entry
            for entry in self._ask("GET", "journal")
            if all(entry[name] == value for name, value in fields.items())
        ]

    def clear_journal(self) -> None:
        self._ask("DELETE", "journal")

    def _ask(self, method: str, path: str, fields: Any = None) -> Any:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request(method, f"/_sandbox/{path}", json.dumps(fields) if fields else None)
            answer = connection.getresponse()
            data = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise SandboxError(data["error"])
        return data
