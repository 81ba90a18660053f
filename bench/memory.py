"""Measure the memory of staging by the number of cases, read from JSON Lines and returned as a reference.

Each number is staged by a new process. Its state is stored on disk: in production, Airflow's API server
stores it, outside of the worker's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench import ours, server
from bench.bodies import cases, new_disputes
from bench.timing import Table

SIZES = (1_000, 10_000, 100_000)
_STATUS = Path("/proc/self/status")


def growth(table: Table, most: int = SIZES[-1]) -> float | None:
    """Return the peak memory of the largest number of cases as a multiple of that of the smallest.

    :param most: larger numbers are left out.
    :returns: None if the largest was left out, or the system does not report memory.
    """
    if not _STATUS.exists():
        return None
    peaks: list[float] = []
    for size in [size for size in SIZES if size <= most]:
        with tempfile.TemporaryDirectory(prefix="bench-") as home, server.running() as url:
            with Path(home, "cases.jsonl").open("w", encoding="utf-8") as file:
                for dispute in new_disputes(size):
                    file.writelines(json.dumps(case) + "\n" for case in cases([dispute]))
            command = [sys.executable, "-m", "bench.memory", "--home", home, "--base-url", url]
            figures = json.loads(subprocess.check_output(command, text=True))  # noqa: S603  # ourselves
        if figures["states"] != {"staged": size}:
            raise RuntimeError(f"not all of {size} were staged: {figures['states']}")
        peaks.append(figures["peak_mib"])
        table.add("memory of staging", f"{size:,} cases", peaks[-1], "MiB", seconds=figures["seconds"])
    return round(peaks[-1] / peaks[0], 3) if len(peaks) == len(SIZES) else None


class _OnDisk:
    """A state store on disk."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / sha256(name.encode()).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str, default: Any = None) -> Any:
        path = self._path(key)
        return json.loads(path.read_bytes()) if path.exists() else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._path(key).write_text(json.dumps(value))

    def _path(self, key: str) -> Path:
        return self._folder / sha256(key.encode()).hexdigest()


def _stage(url: str, home: Path) -> dict[str, Any]:
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__DISPUTE__CASE_ROOTS": str(home),
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(home / "store"),
    }
    operator = ours.operator(url, str(home / "cases.jsonl"))
    context = ours.context(lambda name: _OnDisk(home / "state", name))
    began = time.perf_counter()
    reference = asyncio.run(operator.aexecute(context))
    seconds = time.perf_counter() - began
    return {"states": reference["states"], "seconds": round(seconds, 1), "peak_mib": _peak()}


def _peak() -> float:
    """Return this process's peak resident memory in MiB.

    getrusage does not do: its figure starts with the parent's memory.
    """
    kib = next(line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(kib) / 1024, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a folder that contains cases.jsonl")
    parser.add_argument("--base-url", required=True, help="a server that answers Stripe's dispute calls")
    options = parser.parse_args()
    print(json.dumps(_stage(options.base_url, options.home)))
