"""A check that raises just before the write: no byte of the request leaves, on any connection."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from intercepting import Authority, Interceptor

from dispute_provider._contracts import contract
from dispute_provider._contracts.request import Request
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._transport.client import Client
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.http import HttpTransport
from dispute_provider._transport.network import Network
from dispute_provider._transport.transport import (
    HttpRequest,
    HttpResponse,
    NoResponseError,
    NotConnectedError,
)
from dispute_provider.exceptions import AmbiguousError

# Requests per second.
_RATE = 5.0
_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Recorder:
    """A server that keeps every byte of each connection, and answers each request.

    :param tls: its certificate and key; None for a server without TLS.
    """

    def __init__(self, tls: Path | None = None) -> None:
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
        self.connections: list[bytearray] = []
        recorder = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                received = bytearray()
                recorder.connections.append(received)
                with contextlib.suppress(OSError):
                    stream = context.wrap_socket(self.request, server_side=True) if context else self.request
                    while piece := stream.recv(65536):
                        received.extend(piece)
                        head = received[received.rindex(b" HTTP/1.1") :].lower()
                        has_body = b"content-length: " in head and b"content-length: 0" not in head
                        if received.endswith(b"END" if has_body else b"\r\n\r\n"):
                            stream.sendall(_ANSWER)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(params=["http", "https", "proxy"])
def reached(
    request: pytest.FixtureRequest, authority: Authority
) -> Iterator[tuple[Recorder, str, ConnectionSettings]]:
    """A server, the URL to reach it by, and the settings that do."""
    certificate = authority.issue("server", ("127.0.0.1", "api.stripe.com"))
    recorder = Recorder(certificate if request.param == "https" else None)
    with contextlib.ExitStack() as stack:
        stack.callback(recorder.close)
        url, proxy = recorder.url, None
        if request.param == "proxy":
            company = stack.enter_context(Interceptor(recorder.url, certificate))
            url, proxy = "https://api.stripe.com", f"http://{company.address}"
        network = Network(proxy=proxy, ca_bundle=str(authority.bundle))
        yield recorder, url, _settings(url, network)


def _settings(url: str, network: Network | None = None) -> ConnectionSettings:
    return ConnectionSettings(
        "stripe", url, "Bearer key", {}, None, False, _RATE, network=network or Network()
    )


class RefusedError(Exception):
    """What a check raises."""


def _refuse() -> None:
    raise RefusedError


def _request(url: str, body: bytes | None, check: Callable[[], None] | None) -> HttpRequest:
    method = "POST" if body else "GET"
    return HttpRequest(method, f"{url}/v1/disputes/du_1", {"Authorization": "Bearer key"}, body, check)


@contextlib.asynccontextmanager
async def _transport(settings: ConnectionSettings) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport(settings)
    try:
        yield transport
    finally:
        await transport.close()


@pytest.mark.parametrize(
    "body", [None, b"submit=true END", b"x" * 300_000 + b"END"], ids=["none", "small", "large"]
)
def test_a_check_that_raises_sends_nothing(
    reached: tuple[Recorder, str, ConnectionSettings], body: bytes | None
) -> None:
    recorder, url, settings = reached

    async def send() -> None:
        async with _transport(settings) as transport:
            with pytest.raises(RefusedError):
                await transport.send(_request(url, body, _refuse))
            await asyncio.sleep(0.05)

    asyncio.run(send())
    assert [bytes(received) for received in recorder.connections] in ([b""], [])


@pytest.mark.parametrize("body", [None, b"submit=true END"], ids=["none", "small"])
def test_a_check_that_raises_sends_nothing_on_a_connection_in_use(
    reached: tuple[Recorder, str, ConnectionSettings], body: bytes | None
) -> None:
    recorder, url, settings = reached
    checked: list[int] = []

    async def send() -> None:
        async with _transport(settings) as transport:
            first = await transport.send(_request(url, b"first END", lambda: checked.append(1)))
            assert first.status == 200
            before = [bytes(received) for received in recorder.connections]
            assert len(before) == 1
            with pytest.raises(RefusedError):
                await transport.send(_request(url, body, _refuse))
            await asyncio.sleep(0.05)
            assert [bytes(received) for received in recorder.connections] == before
            # And what comes after goes out whole.
            assert (await transport.send(_request(url, b"third END", None))).status == 200

    asyncio.run(send())
    assert checked == [1]
    assert b"".join(map(bytes, recorder.connections)).count(b"POST ") == 2


class Claim:
    """A claim that notes what is asked of it, and when.

    :param refuses: what raises: ``take`` or ``check``.
    """

    def __init__(self, refuses: str = "") -> None:
        self._refuses = refuses
        self.asked: list[tuple[str, float]] = []

    async def acquire(self, operation: str) -> None:
        self._note("take", operation)

    def check(self, operation: str) -> None:
        self._note("check", operation)

    def _note(self, what: str, operation: str) -> None:
        self.asked.append((what, asyncio.get_running_loop().time()))
        if what == self._refuses:
            raise NotClaimedError("not yours", operation=operation, is_lost=True)

    @property
    def order(self) -> list[str]:
        return [what for what, _ in self.asked]


_FINAL = Request.of(contract.load("moov")["submitDisputeEvidence"], accountID=_ID, disputeID=_ID)


async def _sent(client: Client, claim: Claim) -> Any:
    return await client.send(_FINAL, "Bearer key", claim)


def _with_client(settings: ConnectionSettings, work: Callable[[Client], Any]) -> Any:
    async def run() -> Any:
        async with Client(settings) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder()
    yield server
    server.close()


@pytest.mark.parametrize(("refuses", "asked"), [("take", ["take"]), ("check", ["take", "check"])])
def test_what_is_not_claimed_is_not_sent_and_not_tried_again(
    recorder: Recorder, refuses: str, asked: list[str]
) -> None:
    claim = Claim(refuses)
    with pytest.raises(NotClaimedError):
        _with_client(_settings(recorder.url), lambda client: _sent(client, claim))
    assert claim.order == asked
    assert not b"".join(map(bytes, recorder.connections))


def test_a_claim_is_taken_after_the_limiter_s_turn(recorder: Recorder) -> None:
    claims = [Claim() for _ in range(4)]

    async def all_at_once(client: Client) -> None:
        await asyncio.gather(*(_sent(client, claim) for claim in claims), return_exceptions=True)

    _with_client(_settings(recorder.url), all_at_once)
    assert all(claim.order == ["take", "check"] for claim in claims)
    taken = sorted(claim.asked[0][1] for claim in claims)
    assert all(later - earlier > 0.5 / _RATE for earlier, later in pairwise(taken))
    # And each is written soon after it was taken, however long the others wait.
    assert all(claim.asked[1][1] - claim.asked[0][1] < 1.0 for claim in claims)


def test_each_attempt_takes_the_claim_anew_and_none_follows_one_that_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes: list[Exception] = [NotConnectedError(), NotConnectedError(), NoResponseError(late=False)]
    claim = Claim()

    class Transport:
        def __init__(self, settings: ConnectionSettings) -> None:
            pass

        async def send(self, request: HttpRequest) -> HttpResponse:
            outcome = outcomes.pop(0)
            if isinstance(outcome, NoResponseError):
                assert request.check is not None
                request.check()
            raise outcome

        async def close(self) -> None:
            pass

    async def no_pause(seconds: float) -> None:
        pass

    monkeypatch.setattr(Client, "transport", Transport)
    monkeypatch.setattr(Client, "sleep", staticmethod(no_pause))
    with pytest.raises(AmbiguousError):
        _with_client(_settings("http://127.0.0.1:1"), lambda client: _sent(client, claim))
    assert claim.order == ["take", "take", "take", "check"]
    assert not outcomes
