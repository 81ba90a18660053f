"""Run blocking calls in threads, without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """A thread pool of this process; a forked process gets a new one.

    :param most: the number of threads.
    :param name: the start of their names.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._pool = ThreadPoolExecutor(self._most, self._name)

    async def run(self, work: Callable[[], T]) -> T:
        """Run a blocking function in a thread and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


# A call to a store on a network takes tens of milliseconds, so allow as many at once as requests to an API.
_of_ledger = Threads(32, "ledger")


async def in_thread(work: Callable[[], T]) -> T:
    """Run a blocking call to the ledger's store in a thread and return its result."""
    return await _of_ledger.run(work)
