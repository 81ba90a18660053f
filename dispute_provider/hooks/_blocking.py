"""Make asynchronous calls from synchronous code."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from functools import cache
from typing import Any, TypeVar

from dispute_provider._apis.api import Api
from dispute_provider._transport.client import Client

T = TypeVar("T")
_THREAD = "dispute-provider"
# Seconds to wait until the connections are closed.
_CLOSING = 1.0


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of this process for synchronous calls. It runs in a separate thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name=_THREAD, daemon=True).start()
    return loop


# The thread does not exist in a forked process.
os.register_at_fork(after_in_child=_loop.cache_clear)
# Clients of the process from which this one was forked. The two share an epoll object: closing a connection
# here would make the other process wait for its answer until the timeout.
_inherited: list[Client] = []


class BlockingSession:
    """Calls of an API from synchronous code. It keeps the connections open between calls.

    The calling thread may run an event loop of its own, which is blocked during a call.

    :param api: the API, not opened.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        # The loop in which the API is open.
        self._open_in: asyncio.AbstractEventLoop | None = None

    def run(self, work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        """Run a function with the API, and return its result. If the caller is interrupted, cancel it.

        :raises ConnectionConfigError: if a certificate file of the connection cannot be used.
        """
        future = asyncio.run_coroutine_threadsafe(self._opened(work), _loop())
        try:
            return future.result()
        except BaseException:
            # A timeout or a signal ends the wait, but not the work.
            future.cancel()
            raise

    async def _opened(self, work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        loop = asyncio.get_running_loop()
        if self._open_in is not loop:
            if self._open_in:
                self._api = type(self._api)(self._api.settings)
            await self._api.client.__aenter__()
            self._open_in = loop
            weakref.finalize(self, _close, loop, self._api.client)
        return await work(self._api)


def _close(loop: asyncio.AbstractEventLoop, client: Client) -> None:
    if loop is not _loop():
        _inherited.append(client)
        return
    closed = asyncio.run_coroutine_threadsafe(client.__aexit__(), loop)
    # The garbage collector may call this in the loop's own thread, which must not wait for itself.
    if threading.current_thread().name != _THREAD:
        wait([closed], _CLOSING)
