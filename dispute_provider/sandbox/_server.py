"""Run the sandbox in a process or in a thread of a test."""

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
    """An HTTP protocol that lets the application end its connection."""

    app: Callable[[Scope, Receive, Send], Awaitable[None]]

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        inner = self.app

        def hang_up(reset: bool) -> None:
            if reset:
                # Closing with SO_LINGER 0 sends RST instead of FIN.
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
    """Return a listening socket; port 0 means any free port.

    :raises OSError: if the address cannot be used.
    """
    return socket.create_server((host, port), backlog=1024)


def server(application: SandboxApp) -> _Server:
    """Return a server that stops quickly and keeps idle connections open."""
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
    """A control request that the sandbox refused: an unknown field, an invalid value or an unknown id."""


class Sandbox:
    """A sandbox that runs in a thread while its context is open: ``with Sandbox() as sandbox:``.

    Every method raises :class:`SandboxError` if the sandbox refuses the request. Times are Unix seconds on
    the sandbox's clock, amounts are in minor currency units.

    :param host: address to listen on; by default ``127.0.0.1``.
    :param port: port to listen on; 0, the default, for any free port.
    :ivar url: base URL of both APIs, such as ``http://127.0.0.1:8030``.
    :raises OSError: if the address cannot be used.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = bind(host, port)
        self.url = url_of(self._socket)
        self._server = server(SandboxApp())
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        if not self._server.listening.wait(10):
            raise SandboxError("the sandbox did not start within 10 seconds")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def reset(self) -> None:
        """Restore the state of a new sandbox, including its clock, settings and journal."""
        self._ask("POST", "reset")

    def create_dispute(self, **fields: Any) -> dict[str, Any]:
        """Create a dispute.

        :param fields: ``api``: ``stripe`` or ``moov``, required. All other fields have defaults:

            - both APIs: ``id``, ``account`` (added if unknown), ``amount`` (2500), ``currency``, ``status``,
              ``created``, ``outcome`` (the decision some time after a submission: ``won``, ``lost``, at
              Stripe also ``escalate``, at Moov ``closed`` or ``resolved``), ``due_by``, or ``due_in`` in
              seconds from now (one week);
            - ``evidence``: texts and files by the API's names. A file is ``{"filename": ..., "content":
            text}``
              or ``{"filename": ..., "base64": ...}``; with only a filename it is a small PDF. At Moov, a list
              of them for several pieces of one type;
            - Stripe: ``reason``, ``livemode``, ``brand``, ``payment_method``, ``network_reason_code``,
              ``enhanced_eligibility_types``, ``metadata``, ``case_type``, ``charge``, ``payment_intent``,
              ``intended_submission_method``, ``shows_submission_method``;
            - Moov: ``networkReasonCode``, ``networkReasonDescription``, ``merchant``, ``cardholder``,
              ``transfer``, ``phase``, ``submittedOn``.
        :return: the dispute, as by :meth:`dispute`.
        """
        return dict(self._ask("POST", "disputes", fields))

    def create_disputes(self, disputes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create several disputes in one request.

        :param disputes: the fields of each, as for :meth:`create_dispute`.
        :return: the disputes in the same order.
        """
        return list(self._ask("POST", "disputes", disputes))

    def edit_dispute(self, identifier: str, **fields: Any) -> dict[str, Any]:
        """Change a dispute outside the API, as a colleague, the network or the issuer would.

        :param identifier: the dispute's id.
        :param fields: the fields of :meth:`create_dispute` except ``id``, ``account``, ``created`` and
            ``livemode``. ``evidence`` adds to the evidence of the dispute. Also: ``submit`` (True submits the
            evidence, as a colleague in the dashboard would), ``reopen`` (True opens a new stage), and at Moov
            ``remove`` (ids of evidence to remove).
        :return: the changed dispute, as by :meth:`dispute`.
        """
        return dict(self._ask("PATCH", f"disputes/{identifier}", fields))

    def dispute(self, identifier: str) -> dict[str, Any]:
        """Return a dispute.

        :param identifier: the dispute's id.
        :return: ``api``, ``id``, ``account``, ``stage``, ``status``, ``outcome``, ``evidence``,
            ``submissions`` (what was sent to the bank, in order) and ``object`` (the API's own object).
        """
        return dict(self._ask("GET", f"disputes/{identifier}"))

    def disputes(self) -> list[dict[str, Any]]:
        """Return all disputes of both APIs, as by :meth:`dispute`."""
        return list(self._ask("GET", "disputes"))

    def create_charge(self, **fields: Any) -> dict[str, Any]:
        """Create a Stripe charge; a dispute created later with its id as ``charge`` disputes it.

        :param fields: the fields of the charge, such as ``id``, ``account`` and ``created`` in Unix seconds.
        :return: the charge.
        """
        return dict(self._ask("POST", "charges", fields))

    def add_account(self, **fields: Any) -> None:
        """Add an account.

        :param fields: ``api`` and ``id``, required; ``livemode``, by default False; ``origin``, the Origin
            header that Moov requires, by default any; ``keys``: at Stripe ``{key: "read" or "write"}``, at
            Moov ``{public key: secret key}``.
        """
        self._ask("POST", "accounts", fields)

    def clock(self, **fields: Any) -> float:
        """Change the sandbox's clock, if fields are given, and run the actions that have become due.

        :param fields: ``advance``: seconds to move it forward; ``set``: Unix seconds to set it to;
            ``frozen``: whether to stop it.
        :return: the sandbox's time in Unix seconds.
        """
        return float(self._ask("POST", "clock", fields)["now"])

    def fault(self, **fields: Any) -> dict[str, Any]:
        """Add a rule that injects a fault into matching requests.

        :param fields: ``effect``, required, and any of these:

            - which requests: ``api``, ``method``, ``path`` (a regular expression), ``operation``
              (operationId), ``dispute`` and ``account``; by default all;
            - how many: ``nth``, the first matching request that is affected, by default 1; ``times``, how
              many are affected, by default 1, None for all; ``probability`` from 0 to 1, with ``seed``,
              affects a random part of them;
            - ``name``: for :meth:`remove_fault`, by default the effect.

            The effects:

            - ``status``: answer with ``status`` (500), ``headers`` and ``body``;
            - ``redirect``: answer with a redirect to ``to`` (scheme and host), by default with status 307;
            - ``drop-before``, ``drop-after``: end the connection before or after carrying out the request;
            - ``reset``: reset the connection;
            - ``truncate``: end the connection halfway through the answer;
            - ``delay``, ``delay-after``: wait for ``seconds`` before or after carrying out the request;
            - ``wrong-json``, ``wrong-type``: answer with unexpected JSON or with HTML;
            - ``repeat``: carry out the request ``copies`` (1) more times, as a proxy would;
            - ``stored-500``: answer 500; Stripe stores this answer under the idempotency key.

            ``after=True`` carries out the request before a ``status``, ``redirect`` or ``reset``.
        :return: the rule, with ``matched`` and ``spoilt``: the numbers of matching and affected requests.
        """
        return dict(self._ask("POST", "faults", fields))

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules, as by :meth:`fault`."""
        return list(self._ask("GET", "faults"))

    def remove_fault(self, name: str) -> None:
        """Remove the rules with a name; answers that they delay are sent at once."""
        self._ask("DELETE", f"faults/{quote(name, safe='')}")

    def clear_faults(self) -> None:
        """Remove all rules; answers that they delay are sent at once."""
        self._ask("DELETE", "faults")

    def odd(self, **fields: Any) -> dict[str, Any]:
        """Edit successful answers, to imitate an API's oddities.

        :param fields: ``of``: the id of the object to edit, by default the whole body; ``operation``: only
            answers to this operationId, by default all; ``remove``: JSON pointers (RFC 6901) to remove;
            ``set``: values by JSON pointer, where the pointer "" replaces the object.
        :return: the edit.
        """
        return dict(self._ask("POST", "oddities", fields))

    def oddities(self) -> list[dict[str, Any]]:
        """Return the edits of :meth:`odd`, in the order in which they apply."""
        return list(self._ask("GET", "oddities"))

    def clear_oddities(self) -> None:
        """Remove all edits of :meth:`odd`."""
        self._ask("DELETE", "oddities")

    def settings(self, **fields: Any) -> dict[str, Any]:
        """Change settings, if fields are given.

        :param fields: any of these:

            - ``permissive`` (False): accept and count a second submission in the same stage;
            - ``unguarded`` (False): as ``permissive``, and ignore idempotency keys;
            - ``rate_limit`` (0): requests that each API accepts per second; 0 for no limit;
            - ``endpoint_limit`` (0): the same for each endpoint;
            - ``file_limit`` (0): the same for uploads and downloads of files together;
            - ``settle_after`` (3): seconds from a submission to its outcome;
            - ``latency`` (0): seconds that every API request waits before it is carried out;
            - ``stale_submit`` (False): Moov answers a submission with the dispute as it was before;
            - ``token_seconds`` (3600): lifetime of Moov's tokens;
            - ``absolute_expiry`` (True): Moov's ``expires_in`` is a time in Unix seconds, not a duration;
            - ``refresh_tokens`` (True): Moov issues refresh tokens.
        :return: all settings.
        """
        return dict(self._ask("POST", "settings", fields))

    def journal(self, **fields: Any) -> list[dict[str, Any]]:
        """Return the API requests so far, in order of completion; control requests are not included.

        :param fields: values that entries must have, such as ``operation="PostFiles"``; by default all
            entries.
        :return: for each request ``seq``, ``time``, ``api``, ``operation``, ``method``, ``path``, ``query``,
            ``headers``, ``content_type``, ``raw_body``, ``body`` (decoded), ``status``, ``answer_summary``
            (its first 300 characters), ``request_id``, ``changed`` (whether it changed anything),
            ``submitted`` (whether it submitted evidence), ``dispute``, ``account`` and ``fault`` (the rule
            that affected it). Keys and tokens are redacted; files are described by length and sha256.
        """
        return [
            entry
            for entry in self._ask("GET", "journal")
            if all(entry[name] == value for name, value in fields.items())
        ]

    def clear_journal(self) -> None:
        """Empty the journal."""
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
