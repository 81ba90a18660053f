"""Measure the memory of staging and of submission by the number of cases, which are read from JSON Lines.

Each task is a new process and passes a reference to the next one. Its state is stored on disk: in production,
Airflow's API server stores it, outside of the worker's memory.
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
# Each task, and the state of its records.
_TASKS = {"stage": "staged", "review": "approved", "submit": "submitted"}
_STATUS = Path("/proc/self/status")


def growth(table: Table, most: int = SIZES[-1]) -> dict[str, float | None]:
    """Return the peak memory of the largest number of cases as a multiple of that of the smallest, by task.

    :param most: larger numbers are left out.
    :returns: None if the largest was left out, or the system does not report memory.
    """
    peaks: dict[str, list[float]] = {"stage": [], "submit": []}
    for size in [size for size in SIZES if size <= most and _STATUS.exists()]:
        with tempfile.TemporaryDirectory(prefix="bench-") as home, server.running() as url:
            with Path(home, "cases.jsonl").open("w", encoding="utf-8") as file:
                for dispute in new_disputes(size):
                    file.writelines(json.dumps(case) + "\n" for case in cases([dispute]))
            for task, state in _TASKS.items():
                command = [sys.executable, "-m", "bench.memory", task, "--home", home, "--base-url", url]
                figures = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])  # noqa: S603  # ourselves
                if figures["states"] != {state: size}:
                    raise RuntimeError(f"not all of {size} are {state}: {figures['states']}")
                peak, seconds = figures["peak_mib"], figures["seconds"]
                table.add(f"memory of the task {task}", f"{size:,} cases", peak, "MiB", seconds=seconds)
                if task in peaks:
                    peaks[task].append(peak)
    grown = {
        task: round(found[-1] / found[0], 3) if len(found) == len(SIZES) else None
        for task, found in peaks.items()
    }
    return {"memory_100k_vs_1k": grown["stage"], "submit_memory_100k_vs_1k": grown["submit"]}


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

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / sha256(key.encode()).hexdigest()


def _run(task: str, url: str, home: Path) -> dict[str, Any]:
    """Run a task with the result of the one before it, and store its result."""
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__DISPUTE__CASE_ROOTS": str(home),
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(home / "store"),
    }
    context = ours.context(lambda name: _OnDisk(home / "state", name))
    result = home / "result.json"
    began = time.perf_counter()
    if task == "stage":
        value = asyncio.run(ours.operator(url, str(home / "cases.jsonl")).aexecute(context))
    else:
        ours.connection(url)
        given = json.loads(result.read_text())
        value = (ours.approve if task == "review" else ours.submit)(given, context)
    seconds = time.perf_counter() - began
    result.write_text(json.dumps(value))
    return {"states": value["states"], "seconds": round(seconds, 1), "peak_mib": _peak()}


def _peak() -> float:
    """Return this process's peak resident memory in MiB.

    getrusage does not do: its figure starts with the parent's memory.
    """
    kib = next(line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(kib) / 1024, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("task", choices=_TASKS)
    parser.add_argument("--home", type=Path, required=True, help="a folder that contains cases.jsonl")
    parser.add_argument("--base-url", required=True, help="a server that answers Stripe's dispute calls")
    options = parser.parse_args()
    print(json.dumps(_run(options.task, options.base_url, options.home)))
