"""The rate that an API sees, on a clock of the tests' own: never too much, hardly less."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from itertools import pairwise
from math import ceil
from typing import Any

import pytest

from dispute_provider._contracts.contract import Operation, load
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.limiter import Limiter

STRIPE = load("stripe")
READ, WRITE, UPLOAD = (STRIPE[name] for name in ("GetDisputesDispute", "PostDisputesDispute", "PostFiles"))
SECONDS = 60


class _Loop(asyncio.SelectorEventLoop):
    """Its clock goes on only while everybody waits."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def wait(timeout: float | None) -> Any:
            self._now += (timeout or 0.0) + 1e-9
            return select(0)

        self._selector.select = wait  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


def limiter(rate: float, **others: float) -> Limiter:
    return Limiter(ConnectionSettings("c", None, "", {}, None, False, rate, **others))  # type: ignore[arg-type]


async def send(
    limiter: Limiter, operation: Operation, arrivals: list[float], way: Callable[[], float]
) -> None:
    turn = await limiter.turn(operation)
    await asyncio.sleep(way())
    arrivals.append(asyncio.get_running_loop().time())
    limiter.answered(operation, turn)


def most_in_a_second(arrivals: list[float]) -> int:
    arrivals = sorted(arrivals)
    return max(sum(each < first + 1.0 for each in arrivals[at:]) for at, first in enumerate(arrivals))


@pytest.mark.parametrize("rate", [1, 7.5, 25, 100])
def test_the_rate_is_held(rate: float) -> None:
    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(rate)
        await asyncio.gather(*(send(one, READ, arrivals, lambda: 0.05) for _ in range(round(rate * SECONDS))))
        return arrivals

    arrivals = run(work())
    assert most_in_a_second(arrivals) <= ceil(rate)
    assert (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) >= 0.98 * rate


def test_occasional_delays_do_not_exceed_the_rate() -> None:
    dice = random.Random(1)

    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(50)
        way = lambda: dice.choice([0.01, 0.01, 0.01, 0.2])  # noqa: E731  # it is used once
        await asyncio.gather(*(send(one, READ, arrivals, way) for _ in range(50 * 20)))
        return arrivals

    assert most_in_a_second(run(work())) <= 50


@pytest.mark.parametrize("connections", [1, 30])
def test_delays_of_new_connections_do_not_exceed_the_rate(connections: int) -> None:
    """What they arrive later, later ones must not catch up with."""

    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(25)
        ways = iter([0.2] * connections + [0.01] * 25 * SECONDS)
        await asyncio.gather(*(send(one, READ, arrivals, ways.__next__) for _ in range(25 * SECONDS)))
        return arrivals

    arrivals = run(work())
    assert most_in_a_second(arrivals) <= 25
    assert (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) >= 0.98 * 25


def test_a_pause_is_not_caught_up() -> None:
    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(20)
        await send(one, READ, arrivals, lambda: 0.0)
        await asyncio.sleep(30)
        await asyncio.gather(*(send(one, READ, arrivals, lambda: 0.0) for _ in range(5)))
        return arrivals

    _, *after = run(work())
    assert all(later - earlier >= 0.049 for earlier, later in pairwise(after))


def test_endpoints_and_files_have_separate_rates() -> None:
    async def work() -> dict[str, list[float]]:
        one = limiter(40, endpoint_rate=25, file_rate=20)
        arrivals: dict[str, list[float]] = {each.id: [] for each in (READ, WRITE, UPLOAD)}
        calls = [each for each in (READ, WRITE, UPLOAD) for _ in range(200)]
        await asyncio.gather(*(send(one, each, arrivals[each.id], lambda: 0.0) for each in calls))
        return arrivals

    arrivals = run(work())
    assert most_in_a_second(arrivals[READ.id]) <= 25
    assert most_in_a_second(arrivals[WRITE.id]) <= 25
    assert 39 <= most_in_a_second(arrivals[READ.id] + arrivals[WRITE.id]) <= 40
    assert 19 <= most_in_a_second(arrivals[UPLOAD.id]) <= 20
    assert arrivals[UPLOAD.id][-1] == pytest.approx(10, rel=0.02), "independent of other requests"


def test_the_rate_drops_after_a_refusal_and_recovers() -> None:
    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(100)
        for _ in range(100):
            await send(one, READ, arrivals, lambda: 0.0)
        # Refusals that come together are one.
        one.slow(READ)
        one.slow(READ)
        for _ in range(900):
            await send(one, READ, arrivals, lambda: 0.0)
        return arrivals

    arrivals = run(work())
    started = arrivals[99]
    in_second = [sum(started + at < each <= started + at + 1 for each in arrivals) for at in range(6)]
    assert 70 <= in_second[0] < 90
    assert in_second[0] < in_second[1] < in_second[2]
    assert in_second[5] >= 98
