"""Make several calls for one dispute at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def all_ended(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Make calls concurrently, and return their results in order. All end before the first error is raised.

    A call that is still in flight when its dispute's task ends could arrive after the next task has begun.
    """
    ended = await asyncio.gather(*calls, return_exceptions=True)
    results: list[T] = []
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        results.append(each)
    return results
