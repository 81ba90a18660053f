"""Run the sandbox as a process, with one address per worker, so that its journal shows who sent a request.

``python -m tests.scale.sandbox N`` prints N addresses, one per line, and serves both APIs at each of them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from dispute_provider.sandbox._app import SandboxApp
from dispute_provider.sandbox._server import bind, server, url_of

_AT_ONCE = 500


def main() -> None:
    listening = [bind("127.0.0.1", 0) for _ in range(int(sys.argv[1]))]
    for each in listening:
        print(url_of(each), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server(SandboxApp()).run(listening)


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the sandbox received.

    :param time: Unix seconds.
    :param worker: its sender, by the address that it was sent to.
    :param submits: whether it submitted evidence.
    :param body: decoded.
    """

    time: float
    api: str
    worker: str
    operation: str
    dispute: str | None
    status: int | None
    submits: bool
    body: Any


class Sandbox:
    """A running sandbox, and the requests of its journal that were read so far.

    :param workers: names; each gets an address.
    """

    def __init__(self, workers: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # our own interpreter and arguments
            [sys.executable, "-m", "tests.scale.sandbox", str(len(workers))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.address = {worker: self._process.stdout.readline().strip() for worker in workers}
        self._worker = {address.removeprefix("http://"): name for name, address in self.address.items()}
        self._client = httpx.Client(base_url=f"{self.address[workers[0]]}/_sandbox/", timeout=120)
        self._last = 0
        self.requests: list[Request] = []

    def create(self, disputes: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(disputes), _AT_ONCE):
            self._ask("POST", "disputes", json=list(disputes[start : start + _AT_ONCE]))

    def settle(self, **settings: Any) -> None:
        """Change its settings."""
        self._ask("POST", "settings", json=settings)

    def held(self) -> Iterator[dict[str, Any]]:
        """Yield every dispute with its evidence and submissions."""
        yield from self._ask("GET", "disputes")

    def look(self) -> list[Request]:
        """Return the requests since the last call."""
        entries = self._ask("GET", f"journal?since={self._last}")
        new = [self._read(entry) for entry in entries]
        self._last = max((entry["seq"] for entry in entries), default=self._last)
        self.requests += new
        return new

    def _read(self, entry: Mapping[str, Any]) -> Request:
        return Request(
            entry["time"],
            entry["api"],
            self._worker[entry["headers"]["host"]],
            entry["operation"],
            entry["dispute"],
            entry["status"],
            entry["submitted"],
            entry["body"],
        )

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        return self._client.request(method, path, **options).raise_for_status().json()


if __name__ == "__main__":
    main()
