"""The rate that an API sees, on a clock of the tests' own: never too much, hardly less."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from itertools import pairwise
from math import floor, log
from typing import Any

import pytest

from dispute_provider._contracts.contract import Operation, load
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.limiter import Limiter
from dispute_provider._transport.position import position

STRIPE = load("stripe")
CALLS = READ, WRITE, UPLOAD, DOWNLOAD = tuple(
    STRIPE[name]
    for name in ("GetDisputesDispute", "PostDisputesDispute", "PostFiles", "GetFilesFileContents")
)
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
    limiter: Limiter,
    operation: Operation,
    arrivals: list[float],
    way: Callable[[], float] = float,
    opening: Callable[[], float] = float,
    answer: Callable[[], float] = float,
) -> None:
    """Send a request. It takes ``opening`` to connect, ``way`` to arrive and ``answer`` to be answered."""
    turn = await limiter.turn(operation)
    await asyncio.sleep(opening())
    limiter.sent(turn)
    await asyncio.sleep(way())
    arrivals.append(asyncio.get_running_loop().time())
    await asyncio.sleep(answer())


def most_in_a_second(arrivals: list[float]) -> int:
    arrivals = sorted(arrivals)
    return max(sum(each < first + 1.0 for each in arrivals[at:]) for at, first in enumerate(arrivals))


def rate_of(arrivals: list[float]) -> float:
    arrivals = sorted(arrivals)
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


@pytest.mark.parametrize("rate", [1, 7.5, 25, 100])
def test_the_rate_is_held(rate: float) -> None:
    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(rate)
        await asyncio.gather(*(send(one, READ, arrivals, lambda: 0.05) for _ in range(round(rate * SECONDS))))
        return arrivals

    arrivals = run(work())
    assert most_in_a_second(arrivals) <= floor(rate)
    assert rate_of(arrivals) >= 0.95 * floor(rate)


@pytest.mark.parametrize("rate", [25, 100])
def test_slow_answers_do_not_reduce_the_rate(rate: int) -> None:
    """The median is 300 ms, and the 99th percentile 3 s."""
    dice = random.Random(1)

    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(rate)
        answer = lambda: dice.lognormvariate(log(0.3), 0.99)  # noqa: E731  # it is used once
        await asyncio.gather(*(send(one, READ, arrivals, answer=answer) for _ in range(rate * SECONDS)))
        return arrivals

    arrivals = run(work())
    assert most_in_a_second(arrivals) <= rate
    assert rate_of(arrivals) >= 0.95 * rate


def test_small_delays_on_the_way_do_not_exceed_the_rate() -> None:
    dice = random.Random(1)

    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(50)
        way = lambda: dice.choice([0.01, 0.01, 0.01, 0.035])  # noqa: E731  # it is used once
        await asyncio.gather(*(send(one, READ, arrivals, way) for _ in range(50 * 20)))
        return arrivals

    assert most_in_a_second(run(work())) <= 50


@pytest.mark.parametrize("connections", [1, 30])
@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_opening_connections_does_not_exceed_the_rate(connections: int, seconds: float) -> None:
    """Requests on connections that are open must not catch up with those that wait for theirs."""

    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(25)
        openings = iter([seconds] * connections + [0.0] * 25 * SECONDS)
        calls = (send(one, READ, arrivals, opening=openings.__next__) for _ in range(25 * SECONDS))
        await asyncio.gather(*calls)
        return arrivals

    arrivals = run(work())
    assert most_in_a_second(arrivals) <= 25
    assert rate_of(arrivals[50:]) >= 0.95 * 25


def test_earlier_items_come_first() -> None:
    """What an item sends after a reading does not wait behind the readings of the items after it."""

    async def work() -> float:
        one, longest = limiter(10, endpoint_rate=5), 0.0

        async def item(place: int) -> None:
            nonlocal longest
            position.set(place)
            readings: list[float] = []
            await send(one, READ, readings, answer=lambda: 0.3)
            writes: list[float] = []
            await send(one, WRITE, writes)
            longest = max(longest, writes[0] - readings[0])

        await asyncio.gather(*map(item, range(300)))
        return longest

    assert run(work()) < 1


def test_a_request_that_gives_up_lets_the_next_one_go() -> None:
    async def work() -> int:
        one, arrivals = limiter(10), list[float]()
        calls = [asyncio.create_task(send(one, READ, arrivals)) for _ in range(20)]
        await asyncio.sleep(0.55)
        for each in calls[::2]:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await send(one, READ, arrivals)
        return len(arrivals)

    assert run(work()) == 6 + 7 + 1


def test_a_pause_is_not_caught_up() -> None:
    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(20)
        await send(one, READ, arrivals)
        await asyncio.sleep(30)
        await asyncio.gather(*(send(one, READ, arrivals) for _ in range(5)))
        return arrivals

    _, *after = run(work())
    assert sum(later - earlier < 0.05 for earlier, later in pairwise(after)) <= 1, "one for a late timer"


def test_all_limits_hold_together() -> None:
    async def work() -> dict[str, list[float]]:
        one = limiter(60, endpoint_rate=25, file_rate=20)
        arrivals: dict[str, list[float]] = {each.id: [] for each in CALLS}
        calls = [each for each in CALLS for _ in range(200)]
        await asyncio.gather(*(send(one, each, arrivals[each.id]) for each in calls))
        return arrivals

    arrivals = run(work())
    files = arrivals[UPLOAD.id] + arrivals[DOWNLOAD.id]
    assert most_in_a_second(arrivals[READ.id]) <= 25
    assert most_in_a_second(arrivals[WRITE.id]) <= 25
    assert most_in_a_second(files) <= 20
    assert 58 <= most_in_a_second([*arrivals[READ.id], *arrivals[WRITE.id], *files]) <= 60


@pytest.mark.parametrize("limit", [None, "account", "endpoint"])
def test_a_refusal_slows_the_limit_that_it_names(limit: str | None) -> None:
    async def work() -> dict[str, float]:
        one = limiter(100, endpoint_rate=25)
        for _ in range(5):
            one.slow(READ, limit)
        arrivals: dict[str, list[float]] = {each.id: [] for each in CALLS}
        calls = [each for each in CALLS for _ in range(50)]
        await asyncio.gather(*(send(one, each, arrivals[each.id]) for each in calls))
        return {name: rate_of(found) for name, found in arrivals.items()}

    rates = run(work())
    assert rates[WRITE.id] == pytest.approx(24.3, rel=0.03), "the account's rate has room for it"
    slowed = 24.3 if limit == "account" else 20.3
    assert rates[READ.id] == pytest.approx(slowed, rel=0.03)


def test_the_rate_recovers_after_refusals() -> None:
    async def work() -> list[float]:
        arrivals: list[float] = []
        one = limiter(100)
        for _ in range(40):
            one.slow(READ)
        for _ in range(1500):
            await send(one, READ, arrivals)
        return arrivals

    arrivals = run(work())
    in_second = [sum(at <= each - arrivals[0] < at + 1 for each in arrivals) for at in range(16)]
    assert 58 <= in_second[0] < 64
    assert in_second[0] < in_second[4] < in_second[8]
    assert in_second[15] >= 95


def test_occasional_refusals_hardly_slow() -> None:
    dice = random.Random(1)

    async def work() -> float:
        one, passed = limiter(100), 0
        for _ in range(100 * SECONDS):
            await send(one, READ, [])
            if dice.random() < 0.02:
                one.slow(READ)
            else:
                passed += 1
        return passed / asyncio.get_running_loop().time()

    assert run(work()) >= 90


def test_a_rate_that_is_shared_with_another_client() -> None:
    """The API accepts half of the requests that it allows: few are refused."""

    async def work() -> tuple[int, int]:
        one, accepted, refused = limiter(100), list[float](), 0
        while (now := asyncio.get_running_loop().time()) < SECONDS:
            await send(one, READ, [])
            accepted = [each for each in accepted if each > now - 1]
            if len(accepted) >= 50:
                refused += 1
                one.slow(READ)
            else:
                accepted.append(now)
        return refused, 50 * SECONDS

    refused, allowed = run(work())
    assert refused / allowed < 0.1
