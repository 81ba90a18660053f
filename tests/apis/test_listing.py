"""Long lists of disputes: complete, in order, and read at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from drivers import HOOKS
from support import Connect

from dispute_provider._apis.listing import Listing
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

LIST = {"stripe": "GetDisputes", "moov": "listDisputes"}
DAY = 86_400
PATIENCE = 10.0


@pytest.fixture
def lists(sandbox: Sandbox, connect: Connect) -> Callable[[str], Listing]:
    """Lists the open disputes of an API, within no rate."""
    connect("stripe", extra={"rate_limit": 1000})
    connect("moov", extra={"account": MOOV_ACCOUNT, "rate_limit": 1000})
    return lambda kind: HOOKS[kind]().with_api(lambda api: api.list_open())  # type: ignore[no-any-return]


def calls(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    return sandbox.journal(operation=LIST[kind])


def create(sandbox: Sandbox, kind: str, days: list[float]) -> list[str]:
    """Create an open dispute for each age in days; return their ids."""
    now = time.time()
    new = [{"api": kind, "created": int(now - age * DAY)} for age in days]
    return [each["id"] for each in sandbox.create_disputes(new)]


@pytest.mark.parametrize(
    "days",
    [[number / 2 for number in range(990)], [number / 1000 for number in range(990)], [300.0] * 450],
    ids=["over the whole time", "all of one day", "all of one second"],
)
def test_a_long_list_is_complete_and_in_order(
    days: list[float], sandbox: Sandbox, lists: Callable[[str], Listing]
) -> None:
    ids = create(sandbox, "stripe", days)
    listed = [each.id for each in lists("stripe").disputes]
    if len(set(days)) == 1:
        # Of disputes of one second, the sandbox lists those first that were created last.
        ids.reverse()
    assert listed == ids
    pages = -(-len(ids) // 100)
    assert len(calls(sandbox, "stripe")) <= 2 * pages + 25


@pytest.mark.parametrize(("kind", "count"), [("stripe", 450), ("moov", 610)])
def test_the_pages_after_the_second_are_read_at_the_same_time(
    kind: str, count: int, sandbox: Sandbox, lists: Callable[[str], Listing]
) -> None:
    ids = create(sandbox, kind, [number / 2 for number in range(count)])
    sandbox.fault(name="held", effect="delay-after", operation=LIST[kind], nth=3, seconds=60)
    with ThreadPoolExecutor(1) as threads:
        listing = threads.submit(lists, kind)
        until = time.monotonic() + PATIENCE
        # The third answer is held back, and the fourth call does not wait for it.
        while len(calls(sandbox, kind)) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        answered = len(calls(sandbox, kind))
        sandbox.remove_fault("held")
        assert {each.id for each in listing.result().disputes} == set(ids)
    assert answered >= 3


def test_two_hundred_disputes_take_two_pages(sandbox: Sandbox, lists: Callable[[str], Listing]) -> None:
    for kind in ("stripe", "moov"):
        create(sandbox, kind, [number / 10 for number in range(200)])
        assert len(lists(kind).disputes) == 200
        assert len(calls(sandbox, kind)) == 2
