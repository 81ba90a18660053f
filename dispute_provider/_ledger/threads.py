"""Run blocking calls to the ledger's store concurrently, without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# A call to a store on a network takes tens of milliseconds, so allow as many at once as requests to an API.
_MAX_THREADS = 32


class _Threads:
    """The thread pool of this process; a forked process needs a new one."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.pool = ThreadPoolExecutor(_MAX_THREADS, "ledger")


_threads = _Threads()
os.register_at_fork(after_in_child=_threads.renew)


async def in_thread(work: Callable[[], T]) -> T:
    """Run a blocking function in a thread and return its result."""
    return await asyncio.get_running_loop().run_in_executor(_threads.pool, work)
