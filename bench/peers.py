"""Stage the same disputes with the same requests by raw aiohttp, the official client and HttpHook."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp

from bench.bodies import EVIDENCE, EXPAND, KEY, Calls
from dispute_provider._contracts.request import Request

Work = Callable[[], None]
Way = Callable[[str, list[str]], Work]
"""Prepares to stage disputes at an address, and returns a function that does."""
CONCURRENT = 32
"""Concurrent calls, as many as our operators make."""
_THREADS = 50


def raw_aiohttp(url: str, disputes: list[str]) -> Work:
    """Send encoded requests and decode the answers with aiohttp: the upper bound."""
    calls = [Calls.of(dispute) for dispute in disputes]
    return lambda: asyncio.run(_raw_aiohttp(url, calls))


async def _raw_aiohttp(url: str, calls: list[Calls]) -> None:
    authorization = {"Authorization": f"Bearer {KEY}"}
    gate = asyncio.Semaphore(CONCURRENT)

    async with aiohttp.ClientSession() as session:

        async def send(request: Request) -> None:
            async with session.request(
                request.method,
                url + request.path,
                data=request.body,
                headers={**request.headers, **authorization},
            ) as response:
                json.loads(await response.read())

        async def stage(each: Calls) -> None:
            async with gate:
                await send(each.read)
                await send(each.write)
                await send(each.read)

        await asyncio.gather(*map(stage, calls))


def stripe_async(url: str, disputes: list[str]) -> Work:
    """Use the official client, asynchronously."""
    return lambda: asyncio.run(_stripe_async(url, disputes))


async def _stripe_async(url: str, disputes: list[str]) -> None:
    import stripe

    http = stripe.HTTPXClient()
    changes: Any = {"evidence": EVIDENCE, "submit": False}
    calls = stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http).v1.disputes
    gate = asyncio.Semaphore(CONCURRENT)

    async def stage(dispute: str) -> None:
        async with gate:
            await calls.retrieve_async(dispute, {"expand": EXPAND})
            await calls.update_async(dispute, changes)
            await calls.retrieve_async(dispute, {"expand": EXPAND})

    await asyncio.gather(*map(stage, disputes))
    await http.close_async()  # type: ignore[no-untyped-call]  # the client's


def stripe_threads(url: str, disputes: list[str]) -> Work:
    """Use the official client in 50 threads."""
    import stripe

    calls = stripe.StripeClient(KEY, base_addresses={"api": url}).v1.disputes
    changes: Any = {"evidence": EVIDENCE, "submit": False}

    def stage(dispute: str) -> None:
        calls.retrieve(dispute, {"expand": EXPAND})
        calls.update(dispute, changes)
        calls.retrieve(dispute, {"expand": EXPAND})

    def work() -> None:
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(stage, disputes))

    return work


def http_hook(url: str, disputes: list[str]) -> Work:
    """Use Airflow's HTTP hook in a loop."""
    from airflow.providers.http.hooks.http import HttpHook

    os.environ["AIRFLOW_CONN_BENCH_HTTP"] = json.dumps(
        {"conn_type": "http", "host": url, "extra": {"Authorization": f"Bearer {KEY}"}}
    )
    reading, writing = (HttpHook(method, "bench_http") for method in ("GET", "POST"))
    calls = [Calls.of(dispute) for dispute in disputes]

    def work() -> None:
        for each in calls:
            reading.run(each.read.path).json()
            writing.run(each.write.path, (each.write.body or b"").decode(), dict(each.write.headers)).json()
            reading.run(each.read.path).json()

    return work
