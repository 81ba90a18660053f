"""Work side by side: how much of it, in which order, and what becomes of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dispute_provider._tasks.batch import CONCURRENT, Apis, all_of, each
from dispute_provider.exceptions import AuthenticationError, ConnectionConfigError
from dispute_provider.sandbox import Sandbox


def test_an_item_is_drawn_when_there_is_room_for_it_and_handed_on_as_it_ends() -> None:
    drawn = 0
    open_now = most = 0
    handed_on: list[tuple[int, int]] = []

    def items() -> Iterator[int]:
        nonlocal drawn
        for item in range(10 * CONCURRENT):
            drawn += 1
            yield item

    async def work(item: int) -> int:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        assert drawn - len(handed_on) <= CONCURRENT
        await asyncio.sleep(0)
        if item == 0:
            await asyncio.sleep(0.01)
        open_now -= 1
        return item * item

    asyncio.run(each(items(), work, lambda place, result: handed_on.append((place, result))))

    assert most == CONCURRENT
    assert sorted(handed_on) == [(item, item * item) for item in range(10 * CONCURRENT)]
    assert handed_on[0][0] != 0, "the slow one keeps no other from being handed on"


def test_the_results_of_a_list_come_in_its_order() -> None:
    async def work(item: int) -> int:
        for _ in range(100 - item):
            await asyncio.sleep(0)
        return item

    assert asyncio.run(all_of(range(100), work)) == list(range(100))
    assert asyncio.run(all_of([], work)) == []


def test_few_items_start_few_tasks() -> None:
    most = 0

    async def work(item: int) -> None:
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(0)

    asyncio.run(all_of(range(2), work))
    # One that finds no third item, and the test's own.
    assert most <= 2 + 2


def test_a_failure_is_raised_as_it_is_and_ends_the_others() -> None:
    begun = ended = 0
    all_begun = asyncio.Event()

    async def work(item: int) -> None:
        nonlocal begun, ended
        begun += 1
        if begun == CONCURRENT:
            all_begun.set()
        if item == 3:
            await all_begun.wait()
            raise AuthenticationError("no", operation="any")
        try:
            await asyncio.sleep(60)
        finally:
            ended += 1

    with pytest.raises(AuthenticationError):
        asyncio.run(all_of(range(2 * CONCURRENT), work))
    assert ended == CONCURRENT - 1


def test_a_task_has_one_api_for_each_connection(
    sandbox: Sandbox, stripe_connection: str, moov_connection: str
) -> None:
    async def ask() -> tuple[set[int], set[int]]:
        async with Apis() as apis:
            stripe = await asyncio.gather(*(apis.of(stripe_connection) for _ in range(5)))
            moov = await asyncio.gather(*(apis.of(moov_connection) for _ in range(5)))
            return set(map(id, stripe)), set(map(id, moov))

    stripe, moov = asyncio.run(ask())
    assert len(stripe) == len(moov) == 1
    assert stripe != moov


def test_a_connection_that_contests_nothing_is_refused(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", '{"conn_type": "http", "host": "example.com"}')

    async def ask() -> None:
        async with Apis() as apis:
            await apis.of("other")

    with pytest.raises(ConnectionConfigError, match="other"):
        asyncio.run(ask())
