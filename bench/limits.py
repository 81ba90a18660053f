"""Measure rates at servers that enforce limits, answer slowly, or refuse requests at random."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import patch

from bench import ours, server
from bench.bodies import EVIDENCE, EXPAND, cases, new_disputes
from bench.timing import Table

# Stripe's limits in live mode, in requests per second.
LIVE = {"account": 100.0, "endpoint": 25.0}
# The account's limit in test mode.
TEST = 25.0
# Our requests per staged dispute: the answer to the write is the reading after it.
_REQUESTS = 2
_TASKS = 4
# Disputes of the comparison at Stripe's limits, and the readings of each, all at one endpoint.
_DISPUTES, _READINGS = 250, 3
# Seconds by which work at a slow server goes on after the time that is measured.
_LONGER = 10.0


def hold(table: Table, rate: int, seconds: float) -> tuple[float, int]:
    """Stage at a rate for a while.

    :param rate: requests per second.
    :returns: the part of the rate that was reached, and the number of refused requests.
    """
    with server.running(account=rate) as url:
        ours.stage(url, new_disputes(round(rate * seconds / _REQUESTS)), rate)()
        counted = server.counters(url)
    accepted = counted["accepted"]
    reached = (len(accepted) - 1) / (accepted[-1] - accepted[0])
    table.add(
        f"rate held for {seconds:.0f} s", f"{rate}/s", reached, "requests/s", refused=counted["refused"]
    )
    return round(reached / rate, 4), int(counted["refused"])


def own_refusals(table: Table, seconds: float) -> int:
    """Stage at Stripe's limits for a while, with one task and with four that share them.

    :returns: the number of refused requests.
    """
    return sum(_own_refusals(table, tasks, seconds) for tasks in (1, _TASKS))


def _own_refusals(table: Table, tasks: int, seconds: float) -> int:
    count = round(LIVE["endpoint"] * seconds / tasks)
    with server.running(**LIVE) as url, live_limits():
        operators = [
            ours.operator(url, cases(new_disputes(count)), LIVE["account"] / tasks) for _ in range(tasks)
        ]

        async def stage() -> None:
            await asyncio.gather(*(each.aexecute(ours.context()) for each in operators))

        asyncio.run(stage())
        counted = server.counters(url)
    about = f"Stripe's limits for {seconds:.0f} s"
    table.add(about, f"{tasks} tasks", len(counted["accepted"]), "requests", refused=counted["refused"])
    return int(counted["refused"])


def tail(table: Table, rate: int, seconds: float, *, refused: float = 0.0) -> float:
    """Stage at a server whose answers take 300 ms in the median, and 3 s at the 99th percentile.

    :param rate: requests per second.
    :param refused: share of requests that the server refuses at random; the answers are then fast.
    :returns: the part of the rate that was reached.
    """
    count = round(rate * (seconds + _LONGER) / _REQUESTS)
    with server.running(is_slow=not refused, refused=refused) as url:
        ours.stage(url, new_disputes(count), rate)()
        accepted: list[float] = server.counters(url)["accepted"]
    # The last disputes are left out: they wait for answers, and no others are left to use the rate.
    reached = sum(each < accepted[0] + seconds for each in accepted) / seconds
    about = f"{refused:.0%} refused at random" if refused else "slow answers"
    table.add(f"rate held for {seconds:.0f} s, {about}", f"{rate}/s", reached, "requests/s")
    return round(reached / rate, 4)


def at_live_limits(table: Table) -> dict[str, float]:
    """Contest disputes at Stripe's limits, without Airflow's engine.

    :returns: the least time that the limits allow over ours, and the time with seven calls over ours.
    """
    about = f"{_DISPUTES} disputes at Stripe's limits"
    with server.running(**LIVE) as url, live_limits():
        ours.contest(url, new_disputes(5), LIVE["account"])
        began = time.perf_counter()
        ends = ours.contest(url, new_disputes(_DISPUTES), LIVE["account"])
        seconds = time.perf_counter() - began
        counted = server.counters(url)
    if ends != {"submitted": _DISPUTES}:
        raise RuntimeError(f"not all were submitted: {dict(ends)}")
    least = _READINGS * _DISPUTES / LIVE["endpoint"]
    with server.running(**LIVE) as url, live_limits():
        began = time.perf_counter()
        asyncio.run(_seven_calls(url, new_disputes(_DISPUTES)))
        before = time.perf_counter() - began
    table.add(about, "least time for our calls", least, "s")
    table.add(about, "ours", seconds, "s", refused=counted["refused"])
    table.add(about, "with seven calls", before, "s")
    return {
        "live_vs_limits": round(least / seconds, 3),
        "live_vs_before": round(before / seconds, 2),
    }


async def _seven_calls(url: str, disputes: list[str]) -> None:
    """Make the calls that a dispute took before answers to writes were taken as readings."""
    from dispute_provider._tasks.batch import Apis, all_of

    reading: dict[str, Any] = {"expand": EXPAND}
    async with Apis() as apis:
        api = await apis.of(ours.connection(url, LIVE["account"]))

        async def write(dispute: str, *, submit: bool) -> None:
            await api.call("GetDisputesDispute", dispute=dispute, **reading)
            await api.call("PostDisputesDispute", dispute=dispute, evidence=EVIDENCE, submit=submit)
            await api.call("GetDisputesDispute", dispute=dispute, **reading)

        await all_of(disputes, lambda dispute: write(dispute, submit=False))
        await all_of(disputes, lambda dispute: api.call("GetDisputesDispute", dispute=dispute, **reading))
        await all_of(disputes, lambda dispute: write(dispute, submit=True))


def live_limits() -> Any:
    """Give connections in test mode the limits of live mode, which a server without TLS cannot have."""
    from dispute_provider._apis import stripe_connection

    return patch.object(stripe_connection, "_TEST_RATE", stripe_connection._LIVE_RATE)
