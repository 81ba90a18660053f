"""``python -m bench``: stage the same disputes with our operators, other clients and HttpHook, and compare.

Prints one JSON line per figure, a table, and one JSON line of ratios; a ratio that was not measured is null.
The ways take turns for several rounds, so that other load on the machine affects all of them. A figure is the
median of its rounds, a ratio the median of the ratios of each round.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

Ratios = dict[str, float | int | None]
_NAMES = (
    *("stage_vs_raw", "stage_vs_best_client", "stage_vs_raw_50ms", "limiter_25", "limiter_100", "own_429"),
    *("live_vs_limits", "live_vs_before", "tail_25", "tail_100", "tail_429"),
    *("dag_vs_http_operator", "memory_100k_vs_1k", "submit_memory_100k_vs_1k", "import_ms"),
    *("ledger_cpu", "ledger_calls", "cpu_vs_raw3"),
    *("calls_stripe", "calls_stripe_3docs", "calls_unchanged", "calls_moov"),
    *("calls_sweep_200_5", "lists_1500_closed", "calls_sweep_moov"),
    *("park_vs_bare", "submit_vs_bare"),
    *("scan_10k_vs_1k", "moov_state_bytes_per_dispute_800_vs_50", "second_look"),
    *(
        "inbox_time_2000_vs_200",
        "inbox_bytes_2000_vs_200",
        "reviews_time_2000_vs_200",
        "reviews_bytes_2000_vs_200",
    ),
    *("shrink_cpu_last_vs_first", "shrink_peak_mib"),
    *("exhibits_vs_documents_25", "exhibits_vs_documents_100"),
)
# Disputes of each way in a round, fewer for slow ones.
_DISPUTES = {
    "raw aiohttp": 400,
    "ours": 400,
    "ours, calls only": 400,
    "Stripe client, async": 60,
    "Stripe client, threads": 60,
    "HttpHook": 60,
}
_ROUNDS, _SLOW_ROUNDS = 7, 3
_SLOW_SERVER = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument(
        "--base-url",
        help="a server that answers Stripe's dispute calls for any id (default: the bench's own)",
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="seconds for which each rate is held (default 60)"
    )
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"rounds of each way (default {_ROUNDS})")
    parser.add_argument(
        "--cases", type=int, default=100_000, help="largest batch whose memory is measured (default 100000)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        _configure(home)
        ratios = _measure(options.base_url, options.seconds, options.rounds, options.cases)
    print(json.dumps(ratios))
    return 0


def _configure(home: str) -> None:
    """Set Airflow's home before it is imported; log only warnings, so that log lines slow down no call."""
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": f"{home}/evidence",
    }


def _measure(base_url: str | None, seconds: float, rounds: int, cases: int) -> Ratios:
    from bench import (
        calls,
        costs,
        dag,
        desk,
        finding,
        ledger,
        limits,
        memory,
        ours,
        peers,
        preparing,
        server,
        state,
        viewing,
    )
    from bench.timing import Table

    ratios: Ratios = dict.fromkeys(_NAMES)
    table = Table(_report)
    ways: Mapping[str, Callable[..., Any]] = {
        "raw aiohttp": peers.raw_aiohttp,
        "ours": ours.stage,
        "ours, calls only": ours.calls,
        "Stripe client, async": peers.stripe_async,
        "Stripe client, threads": peers.stripe_threads,
        "HttpHook": peers.http_hook,
    }
    with server.given_or_own(base_url) as url:
        speeds, processor = table.race(
            f"staging at {'--base-url' if base_url else 'a server without delay'}",
            url,
            ways,
            _DISPUTES,
            rounds,
        )
    ratios["stage_vs_raw"] = _ratio(speeds["ours"], speeds["raw aiohttp"])
    # The raw client makes the three calls that staging once took.
    ratios["cpu_vs_raw3"] = _ratio(processor["ours"], processor["raw aiohttp"])
    best = [
        max(pair)
        for pair in zip(speeds["Stripe client, async"], speeds["Stripe client, threads"], strict=True)
    ]
    ratios["stage_vs_best_client"] = _ratio(speeds["ours"], best)
    with server.running(delay=_SLOW_SERVER) as url:
        two = {name: ways[name] for name in ("raw aiohttp", "ours")}
        slow, _ = table.race("staging at 50 ms", url, two, _DISPUTES, _SLOW_ROUNDS)
    ratios["stage_vs_raw_50ms"] = _ratio(slow["ours"], slow["raw aiohttp"])
    refused = 0
    for rate in (25, 100):
        share, too_many = limits.hold(table, rate, seconds)
        ratios[f"limiter_{rate}"] = share
        refused += too_many
    ratios["own_429"] = refused + limits.own_refusals(table, seconds)
    for rate in (25, 100):
        ratios[f"tail_{rate}"] = limits.tail(table, rate, seconds)
    ratios["tail_429"] = limits.tail(table, 100, seconds, refused=0.02)
    ratios |= limits.at_live_limits(table)
    ratios |= calls.counts(table)
    ratios["import_ms"] = costs.import_cost(table)
    costs.validation(table)
    ratios |= memory.growth(table, cases)
    ratios |= ledger.cost(table)
    ratios["scan_10k_vs_1k"] = finding.growth(table)
    finding.object_store(table)
    ratios["moov_state_bytes_per_dispute_800_vs_50"] = state.bytes_growth(table)
    ratios["second_look"] = viewing.second_look(table)
    ratios |= desk.growth(table)
    ratios |= preparing.shrinking(table)
    ratios |= preparing.batch(table)
    with server.running() as url:
        ratios |= dag.ratios(table, url)
    table.show()
    return ratios


def _ratio(ours: list[float], others: list[float]) -> float:
    return round(median(one / other for one, other in zip(ours, others, strict=True)), 3)


def _report(figure: dict[str, Any]) -> None:
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    sys.exit(main())
