"""Asynchronous calls for synchronous callers."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dispute_provider._apis.api import Api
from dispute_provider._transport.client import Client

T = TypeVar("T")
# Seconds that closing the connections may take.
_CLOSING = 1.0


class BlockingSession:
    """Runs work with an API on an event loop in a thread of its own, and keeps its connections open.

    A running event loop in the calling thread is no obstacle; it waits, as for any blocking call.

    :param api: not opened yet.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._is_open = False
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), name="dispute-provider", daemon=True)
        thread.start()
        weakref.finalize(self, _close, self._loop, api.client, thread)

    def run(self, work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        """Do the work and return its result; it is cancelled where the caller stops waiting.

        :raises ConnectionConfigError: if a certificate file that the connection names cannot be used.
        """
        future = asyncio.run_coroutine_threadsafe(self._opened(work), self._loop)
        try:
            return future.result()
        except BaseException:
            # A time limit or a signal ends the wait, not the work.
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
