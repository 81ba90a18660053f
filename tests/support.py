"""Helpers for the tests, including a server that can misbehave in ways that no real API does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import pytest

from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._ledger.stores import FolderStore
from dispute_provider._transport.client import Client
from dispute_provider.sandbox import Sandbox


def register(dag: Any) -> None:
    """Register a test's DAG in Airflow's database, as the DAG processor would."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)


def chains_of(sandbox: Sandbox) -> Path:
    """Return the ledger's folder for the chains of the sandbox's disputes."""
    return Path(os.environ["AIRFLOW_HOME"], "dispute_ledger", quote(urlsplit(sandbox.url).netloc, safe=""))


def forget_chains(sandbox: Sandbox) -> None:
    """Delete the chains of the sandbox's disputes from the ledger."""
    shutil.rmtree(chains_of(sandbox), ignore_errors=True)


def pass_time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip all waits and advance the clocks instead; return a list of the waits, in seconds."""
    waited: list[float] = []
    now, clock = FolderStore.now, DisputeLedger.clock

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(Client, "sleep", staticmethod(sleep))
    monkeypatch.setattr(FolderStore, "now", lambda self: now(self) + sum(waited))
    monkeypatch.setattr(DisputeLedger, "clock", staticmethod(lambda: clock() + sum(waited)))
    return waited


class Connect(Protocol):
    """Creates an Airflow connection to the sandbox and returns its id; ``fields`` override its defaults."""

    def __call__(self, kind: str, conn_id: str | None = None, **fields: Any) -> str: ...


@dataclass(frozen=True)
class Asked:
    """A received request, with lower-case header names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Peer:
    """An HTTP server on loopback that records its requests: ``with Peer(answer) as peer:``."""

    def __init__(self, answer: Callable[[Asked], Reply] = lambda asked: Reply()) -> None:
        self.asked: list[Asked] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                asked = Asked(self.command, self.path, headers, body)
                peer.asked.append(asked)
                reply = answer(asked)
                self.send_response_only(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                """Log nothing to the console."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def children() -> set[int]:
    """Return the ids of this process's children."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        # Processes may end during the search.
        with contextlib.suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.add(int(process.name))
    return found


def memory_store(folder: str) -> str:
    """Return the address of a folder in a memory file system, which is not the local disk."""
    import fsspec
    from airflow.sdk.io import attach, store

    # Airflow would keep a store that an earlier test has used without a file system.
    store._STORE_CACHE.pop("memory", None)
    attach("memory", fs=fsspec.filesystem("memory"))
    return f"memory://{folder}"
