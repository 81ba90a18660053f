"""Call Airflow's state stores without blocking the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dispute_provider._ledger.threads import Threads

T = TypeVar("T")

# A task has one connection to its supervisor, which carries one request at a time. The one of dag.test() must
# not be used by two threads at once, and has no asynchronous methods.
_thread = Threads(1, "state store")


async def aside(work: Callable[[], T]) -> T:
    """Run calls to state stores in a thread, after those that were asked for before; return their result."""
    return await _thread.run(work)
