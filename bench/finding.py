"""Measure how a sweep finds the cases of open disputes by their addresses, next to few and many old cases."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.bodies import EVIDENCE
from bench.timing import Table
from dispute_provider._cases.known_cases import KnownCases
from dispute_provider._cases.open_disputes import read_cases
from tests.disputes import snapshot

_OPEN = 200
_OLD = 1000, 10_000
_ROUNDS = 7
_DELAY = 0.03
_ABOUT = f"sweep of {_OPEN} open disputes"


def growth(table: Table) -> float:
    """Return the CPU time of a sweep next to 10,000 old cases, as a multiple of that next to 1,000."""
    spent: dict[int, list[float]] = {old: [] for old in _OLD}
    with tempfile.TemporaryDirectory(prefix="bench-cases-") as folder:
        for old in _OLD:
            _write(Path(folder, str(old)), old)
        # The sweeps take turns. The first of each imports and compiles, and is not counted.
        for _ in range(1 + _ROUNDS):
            for old, each in spent.items():
                began = time.process_time()
                _sweep(f"{folder}/{old}")
                each.append(time.process_time() - began)
    few, many = (each[1:] for each in spent.values())
    for old, each in zip(_OLD, (few, many), strict=True):
        table.add(_ABOUT, f"{old:,} old cases on disk", median(each) * 1000, "ms of CPU", rounds=_ROUNDS)
    return round(median(many) / median(few), 3)


def _write(root: Path, old: int) -> None:
    for path, content in _cases(old):
        place = root / path
        place.parent.mkdir(parents=True)
        place.write_bytes(content)


def object_store(table: Table) -> None:
    """Measure the same on an S3 stand-in that takes 30 ms for each request."""
    with _s3() as (root, requests):
        written = 0
        for old in _OLD:
            files = [*_cases(old)]
            _put(root, files[written:])
            written = len(files)
            requests.delay, before = _DELAY, requests.count
            began = time.perf_counter()
            _sweep(root)
            seconds, requests.delay = time.perf_counter() - began, 0.0
            calls = requests.count - before
            table.add(_ABOUT, f"{old:,} old cases on S3, 30 ms", seconds, "s", requests=calls)


def _cases(old: int) -> Iterator[tuple[str, bytes]]:
    """Yield the paths and contents of the open disputes' cases, then of old ones."""
    for dispute in (*_open(), *(f"du_old{number:06}" for number in range(old))):
        case = {"provider": "stripe", "dispute": dispute, "evidence": EVIDENCE}
        yield f"stripe/{dispute}/case.json", json.dumps(case).encode()


def _open() -> list[str]:
    return [f"du_open{number:06}" for number in range(_OPEN)]


def _sweep(root: str) -> None:
    disputes = {each: snapshot(each).dispute for each in _open()}
    found = read_cases("stripe", disputes, root, KnownCases({}))
    if len(found.found) != _OPEN:
        raise RuntimeError(f"found {len(found.found)} of {_OPEN} cases")


def _put(root: str, files: list[tuple[str, bytes]]) -> None:
    from dispute_provider._cases.storage import storage_path

    place = storage_path(root)
    place.fs.pipe({f"{place.path}/{path}": content for path, content in files})


class _Requests:
    """Counts and delays the requests to an S3 stand-in."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.count = 0
        self.delay = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        time.sleep(self.delay)
        with self._lock:
            self.count += 1
            return list(self._app(environ, start_response))


@contextmanager
def _s3() -> Iterator[tuple[str, _Requests]]:
    import s3fs  # type: ignore[import-untyped]
    from airflow.sdk.io import attach
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *args: Any) -> None:
            """Log nothing."""

    # The module does not export the two names to type checkers.
    moto: Any = importlib.import_module("moto.server")
    requests = _Requests(moto.DomainDispatcherApplication(moto.create_backend_app))
    server = make_server("127.0.0.1", 0, requests, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }
    attach("s3", fs=s3fs.S3FileSystem()).fs.mkdir("cases")
    try:
        yield "s3://cases/root", requests
    finally:
        server.shutdown()
        server.server_close()
