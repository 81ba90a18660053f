"""Answer Stripe's dispute calls for any id as fast as Python can, in a separate process.

The server remembers staged evidence and submissions, and returns its counters at ``/_bench``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from math import log
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from bench.bodies import Shop

_TOO_MANY = (
    b'{"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}}'
)
_DISPUTES = "/v1/disputes/"
# How an API names the limit in a refusal.
_REASONS = {"account": "global-rate", "endpoint": "endpoint-rate"}
# The median and the 99th percentile of slow answers are 300 ms and 3 s.
_MEDIAN, _SIGMA = 0.3, 0.99


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a server answers.

    :param delay: seconds that each answer takes.
    :param is_slow: whether answers take as long as at a busy API: 300 ms in the median, 3 s at the 99th
        percentile.
    :param account: the most requests in any one second; 0, the default, for no limit.
    :param endpoint: the most requests of one method and path in any one second; 0, the default, for no
        limit.
    :param refused: share of requests that are refused at random (429).
    """

    delay: float = 0.0
    is_slow: bool = False
    account: float = 0.0
    endpoint: float = 0.0
    refused: float = 0.0

    def seconds(self) -> float:
        """Return the seconds that the next answer takes."""
        return random.lognormvariate(log(_MEDIAN), _SIGMA) if self.is_slow else self.delay


class _Counters:
    """Count requests, and enforce limits over each period of one second."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._windows: defaultdict[str, deque[float]] = defaultdict(deque)
        self.refused = 0
        self.refused_at_random = 0
        self.accepted: list[float] = []

    def refusal(self, endpoint: str) -> str | None:
        """Count a request; return the limit that it exceeds, or None.

        A request that is refused counts for no limit.
        """
        now = time.monotonic()
        limits = {"account": self._behaviour.account, f"endpoint {endpoint}": self._behaviour.endpoint}
        for name, most in limits.items():
            window = self._windows[name]
            while window and window[0] <= now - 1.0:
                window.popleft()
            if most and len(window) >= most:
                self.refused += 1
                return name.partition(" ")[0]
        if random.random() < self._behaviour.refused:  # noqa: S311  # no secret
            self.refused_at_random += 1
            return "random"
        for name in limits:
            self._windows[name].append(now)
        self.accepted.append(now)
        return None


class _Protocol(asyncio.Protocol):
    """One connection: it answers one request after another, each once it is complete."""

    transport: asyncio.Transport

    def __init__(self, shop: Shop, counters: _Counters, behaviour: Behaviour) -> None:
        self._shop, self._counters, self._behaviour = shop, counters, behaviour
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
        status, reason, body = self._answer(method, path, rest[:length])
        number = len(self._counters.accepted)
        about = (
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Request-Id: req_{number:08}{reason}"
        )
        reply = f"HTTP/1.1 {status}\r\n{about}\r\n\r\n".encode() + body
        if seconds := self._behaviour.seconds():
            asyncio.get_running_loop().call_later(seconds, self.transport.write, reply)
        else:
            self.transport.write(reply)

    def _answer(self, method: str, path: str, body: bytes) -> tuple[str, str, bytes]:
        """Return the status, further headers and the body."""
        path, _, query = path.partition("?")
        if path == "/_bench":
            counted = vars(self._counters) | {"submissions": self._shop.submissions}
            return "200 OK", "", json.dumps(counted, default=str).encode()
        dispute = path.removeprefix(_DISPUTES)
        if limit := self._counters.refusal(f"{method} {path.removesuffix(dispute)}"):
            reason = f"\r\nStripe-Rate-Limited-Reason: {_REASONS[limit]}" if limit in _REASONS else ""
            return "429 Too Many Requests", reason, _TOO_MANY
        if method == "POST":
            changes = parse_qsl(body.decode())
            self._shop.stage(
                dispute, {key[9:-1]: text for key, text in changes if key.startswith("evidence[")}
            )
            if ("submit", "true") in changes:
                self._shop.submissions[dispute] += 1
        return "200 OK", "", self._shop.show(dispute, expanded=bool(query))


@contextmanager
def running(**behaviour: Any) -> Iterator[str]:
    """Start a server; yield its address.

    :param behaviour: see :class:`Behaviour`.
    """
    asked = json.dumps(asdict(Behaviour(**behaviour)))
    command = [sys.executable, "-m", "bench.server", asked]
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


def counters(url: str) -> dict[str, Any]:
    """Return what a server has counted."""
    with urlopen(f"{url}/_bench") as answer:  # noqa: S310  # our own server
        counted: dict[str, Any] = json.load(answer)
    return counted


async def _serve(behaviour: Behaviour) -> None:
    shop, counted = Shop(), _Counters(behaviour)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(shop, counted, behaviour), "127.0.0.1", 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    names = ", ".join(each.name for each in fields(Behaviour))
    parser.add_argument("behaviour", help=f"a JSON object with any of: {names}")
    asyncio.run(_serve(Behaviour(**json.loads(parser.parse_args().behaviour))))
