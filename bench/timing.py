"""Take figures in turns, report each at once, and print a table at the end."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from bench.bodies import REQUESTS, new_disputes
from bench.peers import Way


class Table:
    """All figures of one run.

    :param report: is called with each new figure.
    """

    def __init__(self, report: Callable[[dict[str, Any]], None]) -> None:
        self._report = report
        self._rows: list[dict[str, Any]] = []

    def add(self, about: str, way: str, value: float, unit: str, **more: Any) -> None:
        row = {"about": about, "way": way, "value": round(value, 4), "unit": unit, **more}
        self._rows.append(row)
        self._report(row)

    def race(
        self, about: str, url: str, ways: Mapping[str, Way], disputes: Mapping[str, int], rounds: int
    ) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
        """Let the ways take turns.

        :returns: the requests per second of each, and its CPU seconds per request, by round.
        """
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        processor: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            # Warm up: imports, compiling and connecting happen once and are not measured.
            way(url, new_disputes(5))()
        for _ in range(rounds):
            for name, way in ways.items():
                requests = disputes[name] * REQUESTS
                work = way(url, new_disputes(disputes[name]))
                gc.collect()
                began, used = time.perf_counter(), time.process_time()
                work()
                speeds[name].append(requests / (time.perf_counter() - began))
                processor[name].append((time.process_time() - used) / requests)
        for name, each in speeds.items():
            spread = {"least": round(min(each), 1), "most": round(max(each), 1), "rounds": rounds}
            cost = {"processor_us_per_request": round(median(processor[name]) * 1e6)}
            self.add(about, name, median(each), "requests/s", **spread, **cost)
        return speeds, processor

    def show(self) -> None:
        width = max(len(row["way"]) for row in self._rows)
        about = ""
        for row in self._rows:
            if row["about"] != about:
                about = row["about"]
                print(f"\n{about}")
            more = ", ".join(f"{name} {value:,}" for name, value in row.items() if name not in _SHOWN)
            print(
                f"  {row['way']:{width}}  {row['value']:>12,.2f} {row['unit']:<12} {more.replace('_', ' ')}"
            )
        print()


_SHOWN = ("about", "way", "value", "unit")
