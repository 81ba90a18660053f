"""Run blocking calls of a ledger's store side by side, without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# A store on a network takes tens of milliseconds for each call: as many at a time as requests to an API.
_SIDE_BY_SIDE = 32


class _Threads:
    """The threads of this process; they do not survive a fork."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.pool = ThreadPoolExecutor(_SIDE_BY_SIDE, "ledger")


_threads = _Threads()
os.register_at_fork(after_in_child=_threads.renew)


async def in_thread(work: Callable[[], T]) -> T:
    """Return what some blocking work returns."""
    return await asyncio.get_running_loop().run_in_executor(_threads.pool, work)
