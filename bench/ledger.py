"""Measure what the ledger adds per dispute that is staged and submitted: time, CPU, calls to its store."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterable
from statistics import median
from typing import Any

from bench.bodies import EVIDENCE
from bench.timing import Table

_DISPUTES, _ROUNDS = 100, 5
_DELAY = 0.03
_RATE = 10_000


class _Counted:
    """A store that counts and delays its calls.

    :param delay: seconds per call.
    """

    def __init__(self, store: Any, delay: float) -> None:
        self._store, self._delay, self.calls = store, delay, 0

    def _wait(self) -> None:
        self.calls += 1
        if self._delay:
            time.sleep(self._delay)

    def create(self, path: str, content: bytes) -> bool:
        self._wait()
        return bool(self._store.create(path, content))

    def list(self, folder: str) -> Any:
        self._wait()
        return self._store.list(folder)

    def read(self, paths: Iterable[str]) -> Any:
        self._wait()
        return self._store.read(paths)

    def now(self) -> float:
        self._wait()
        return float(self._store.now())


def cost(table: Table) -> dict[str, float]:
    """Stage and submit disputes at a sandbox, with the ledger in memory, on disk, and 30 ms away.

    :returns: per dispute, of the ledger on disk over that in memory: seconds of CPU as a ratio, and calls.
    """
    from dispute_provider._ledger.stores import FolderStore, MemoryStore
    from dispute_provider.sandbox import Sandbox

    seconds: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    calls: dict[str, float] = {}
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="ledger-") as home:
        for turn in range(_ROUNDS):
            stores = {
                "in memory": _Counted(MemoryStore(), 0.0),
                "on disk": _Counted(FolderStore(f"{home}/{turn}"), 0.0),
                "on disk, 30 ms": _Counted(FolderStore(f"{home}/{turn}-slow"), _DELAY),
            }
            for name, store in stores.items():
                sandbox.reset()
                began, worked = time.perf_counter(), time.process_time()
                asyncio.run(_contest(sandbox, store))
                seconds.setdefault(name, []).append((time.perf_counter() - began) / _DISPUTES)
                cpu.setdefault(name, []).append((time.process_time() - worked) / _DISPUTES)
                calls[name] = store.calls / _DISPUTES
    for name in seconds:
        table.add("ledger, per dispute", name, median(seconds[name]) * 1000, "ms", rounds=_ROUNDS)
        table.add("ledger, per dispute", name, median(cpu[name]) * 1000, "ms CPU", rounds=_ROUNDS)
        table.add("ledger, per dispute", name, calls[name], "calls")
    pairs = zip(cpu["on disk"], cpu["in memory"], strict=True)
    return {
        "ledger_cpu": round(median(one / other for one, other in pairs), 3),
        "ledger_calls": calls["on disk"],
    }


async def _contest(sandbox: Any, store: Any) -> None:
    """Stage and submit disputes concurrently; each must end as submitted."""
    from dispute_provider._evidence.case import Case
    from dispute_provider._evidence.record import Record, State
    from dispute_provider._ledger.ledger import Ledger
    from dispute_provider._ledger.signing import KeyringSigner
    from dispute_provider._signatures import Keyring
    from dispute_provider._tasks.batch import Apis, all_of
    from dispute_provider._workflow.sending.submit import submit
    from dispute_provider._workflow.staging.write_evidence import stage

    connection = {
        "conn_type": "stripe",
        "host": sandbox.url,
        "password": "sk_test_sandbox",
        "extra": {"rate_limit": _RATE},
    }
    os.environ["AIRFLOW_CONN_BENCH_LEDGER"] = json.dumps(connection)
    disputes = [sandbox.create_dispute(api="stripe")["id"] for _ in range(_DISPUTES)]
    ledger, signer = Ledger(store), KeyringSigner(Keyring([b"a key of the bench"]))
    async with Apis() as apis:
        api = await apis.of("bench_ledger")

        async def contest(dispute: str) -> Record:
            chain = ledger.for_dispute("bench", "stripe", dispute, signer)
            case = Case.parse({"provider": "stripe", "dispute": dispute, "evidence": EVIDENCE})
            record = Record("stripe", "bench_ledger", dispute, State.STAGED, "")
            staged = await stage(api, case, {}, record, chain, "stage")
            return await submit(api, staged, chain, "submit")

        ends = await all_of(disputes, contest)
    if any(end.state != State.SUBMITTED for end in ends):
        raise RuntimeError(f"not all were submitted: {ends[0].log_line()}")
