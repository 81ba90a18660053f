"""Answer Stripe's dispute calls for any id as fast as Python can, in a separate process.

The server remembers staged evidence and submissions, and returns its counters at ``/_bench``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

from bench.bodies import Shop

_TOO_MANY = (
    b'{"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}}'
)
_DISPUTES = "/v1/disputes/"


class _Counters:
    """Count requests.

    :param rate: the most requests in any one second; 0 for no limit.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._last_second: deque[float] = deque()
        self.accepted = 0
        self.refused = 0
        self.first = self.last = 0.0

    def is_one_too_many(self) -> bool:
        now = time.monotonic()
        if self._rate:
            while self._last_second and self._last_second[0] <= now - 1.0:
                self._last_second.popleft()
            if len(self._last_second) >= self._rate:
                self.refused += 1
                return True
            self._last_second.append(now)
        self.first = self.first or now
        self.last = now
        self.accepted += 1
        return False


class _Protocol(asyncio.Protocol):
    """One connection: it answers one request after another, each once it is complete."""

    transport: asyncio.Transport

    def __init__(self, shop: Shop, counters: _Counters, delay: float) -> None:
        self._shop, self._counters, self._delay = shop, counters, delay
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        line, *headers = head.decode("latin-1").split("\r\n")
        length = next((int(each[15:]) for each in headers if each.lower().startswith("content-length:")), 0)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path, _ = line.split(" ")
        status, body = self._answer(method, path, rest[:length])
        number = self._counters.accepted
        about = (
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nRequest-Id: req_{number:08}"
        )
        reply = f"HTTP/1.1 {status}\r\n{about}\r\n\r\n".encode() + body
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self.transport.write, reply)
        else:
            self.transport.write(reply)

    def _answer(self, method: str, path: str, body: bytes) -> tuple[str, bytes]:
        path, _, query = path.partition("?")
        if path == "/_bench":
            counted = vars(self._counters) | {"submissions": self._shop.submissions}
            return "200 OK", json.dumps(counted, default=list).encode()
        if self._counters.is_one_too_many():
            return "429 Too Many Requests", _TOO_MANY
        dispute = path.removeprefix(_DISPUTES)
        if method == "POST":
            fields = parse_qsl(body.decode())
            self._shop.stage(
                dispute, {key[9:-1]: text for key, text in fields if key.startswith("evidence[")}
            )
            if ("submit", "true") in fields:
                self._shop.submissions[dispute] += 1
        return "200 OK", self._shop.show(dispute, expanded=bool(query))


@contextmanager
def running(*, delay: float = 0.0, rate: float = 0.0) -> Iterator[str]:
    """Start a server; yield its address.

    :param delay: seconds that each answer takes.
    :param rate: requests in any one second above which they are refused; 0 for no limit.
    """
    command = [sys.executable, "-m", "bench.server", "--delay", str(delay), "--rate", str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own module
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def given_or_own(base_url: str | None) -> Iterator[str]:
    """Yield the address of the given server, or of a new one."""
    if base_url:
        yield base_url.rstrip("/")
        return
    with running() as url:
        yield url


async def _serve(delay: float, rate: float) -> None:
    shop, counters = Shop(), _Counters(rate)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(shop, counters, delay), "127.0.0.1", 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each answer takes")
    parser.add_argument("--rate", type=float, default=0.0, help="most requests in any one second")
    options = parser.parse_args()
    asyncio.run(_serve(options.delay, options.rate))
