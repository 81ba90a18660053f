"""Make asynchronous calls from synchronous code."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dispute_provider._apis.api import Api
from dispute_provider._transport.client import Client

T = TypeVar("T")
# Seconds to wait until the connections are closed.
_CLOSING = 1.0


class BlockingSession:
    """An event loop in a separate thread, which keeps the connections of an API open between calls.

    The calling thread may run an event loop of its own, which is blocked during a call.

    :param api: the API, not opened.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._is_open = False
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), name="dispute-provider", daemon=True)
        thread.start()
        weakref.finalize(self, _close, self._loop, api.client, thread)

    def run(self, work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        """Run a function with the API, and return its result. If the caller is interrupted, cancel it.

        :raises ConnectionConfigError: if a certificate file of the connection cannot be used.
        """
        future = asyncio.run_coroutine_threadsafe(self._opened(work), self._loop)
        try:
            return future.result()
        except BaseException:
            # A timeout or a signal ends the wait, but not the work.
            future.cancel()
            raise

    async def _opened(self, work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        if not self._is_open:
            await self._api.client.__aenter__()
            self._is_open = True
        return await work(self._api)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _close(loop: asyncio.AbstractEventLoop, client: Client, thread: threading.Thread) -> None:
    async def close() -> None:
        await client.__aexit__()
        loop.stop()

    asyncio.run_coroutine_threadsafe(close(), loop)
    if thread is not threading.current_thread():
        thread.join(_CLOSING)
