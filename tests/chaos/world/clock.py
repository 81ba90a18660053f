"""Virtual time: an event loop that never waits, and a world in which every clock is the loop's own.

An episode of weeks takes a tenth of a second, and the same seed is the same episode to the microsecond.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import pkgutil
import random
import secrets
import selectors
import sys
import time
import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, tzinfo
from types import SimpleNamespace
from typing import Any, TypeVar

from tenacity.wait import wait_random

from dispute_provider.sandbox._clock import Clock

T = TypeVar("T")
EPOCH = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
_MOST_TURNS = 60_000
_SHORTEST = 1e-10


class HangError(Exception):
    """The episode does not come to an end: everything waits for something, or it goes in circles."""


class _Selector(selectors.BaseSelector):
    """Knows no files. Where the loop would wait for one, time passes instead."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.turns += 1
        if timeout is None:
            raise HangError("everything waits, nothing will happen")
        if self.turns > _MOST_TURNS:
            raise HangError(f"{_MOST_TURNS:,} turns of the loop were not enough")
        # Each turn takes a little time, or a wait that is too short to be added to the clock would never end.
        self.now += max(timeout, _SHORTEST)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def get_map(self) -> Any:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs in virtual time; what would run in a thread runs at once, so that its order is always the same."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # as the base class, less general
        future: asyncio.Future[T] = self.create_future()
        if before := stopped_at("before thread"):
            self.call_later(before, self._carry_out, future, func, args)
        else:
            self._carry_out(future, func, args)
        return future

    def _carry_out(self, future: asyncio.Future[Any], func: Callable[..., Any], args: Any) -> None:
        if future.cancelled():
            return
        try:
            result = func(*args)
        except BaseException as error:  # of a worker that was killed, too
            self._settle(future, future.set_exception, error)
        else:
            self._settle(future, future.set_result, result)

    def _settle(self, future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
        def do() -> None:
            if not future.done():
                settle(value)

        if after := stopped_at("after thread"):
            self.call_later(after, do)
        else:
            do()


def _never(point: str) -> float:
    return 0.0


_running: VirtualLoop | None = None
# Seconds that the clock of whoever asks is ahead.
skew: Callable[[], float] = float
# Seconds for which whoever comes to a point stands still there.
stopped_at: Callable[[str], float] = _never


def now() -> float:
    """Unix seconds of the episode's clock."""
    return EPOCH + (_running.time() if _running else 0.0)


def boot_time() -> float:
    """Seconds that only grow, whatever a clock is set to."""
    return _running.time() if _running else 0.0


def wall_time() -> float:
    """Unix seconds by the clock of whoever asks."""
    return now() + skew()


class SandboxClock(Clock):
    """The sandbox's clock, on the episode's time."""

    def now(self) -> float:
        return now()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run an episode to its end, then end what it left behind.

    :raises HangError: if it does not end.
    """
    global _running
    loop = _running = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        _end_tasks(loop)
        loop.close()
        asyncio.set_event_loop(None)
        _running = None


def _end_tasks(loop: VirtualLoop) -> None:
    for _ in range(5):
        left = asyncio.all_tasks(loop)
        if not left:
            return
        for task in left:
            task.cancel()
        try:
            loop._virtual.turns = 0
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        except (HangError, RuntimeError):
            return


def without_context(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: Any) -> None:
    """Call soon, as somebody else: what is called belongs to no worker."""
    loop.call_soon(call, *args, context=contextvars.Context())


class _VirtualDatetime(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _VirtualDatetime:
        return cls.fromtimestamp(wall_time(), tz)


def install() -> None:
    """Give the whole package the virtual clock, and everything that draws by lot the episode's own dice.

    For good: a process that was installed into does nothing else.
    """
    import dispute_provider

    for module in pkgutil.walk_packages(dispute_provider.__path__, "dispute_provider."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    virtual = SimpleNamespace(
        time=wall_time,
        monotonic=boot_time,
        sleep=_no_sleep,
    )
    for name, loaded in list(sys.modules.items()):
        if not name.startswith("dispute_provider.") or loaded is None:
            continue
        if getattr(loaded, "datetime", None) is datetime:
            loaded.datetime = _VirtualDatetime
        if getattr(loaded, "time", None) is time:
            loaded.time = virtual
    from dispute_provider._ledger.ledger import DisputeLedger

    DisputeLedger.clock = staticmethod(boot_time)
    # What is drawn for a pause must not depend on the order of the requests before it.
    wait_random.__call__ = lambda self, state: self.wait_random_min + 0.25 * self.wait_random_max  # type: ignore[method-assign,assignment]
    uuid.uuid4 = lambda: uuid.UUID(int=random.getrandbits(128), version=4)
    secrets.token_hex = lambda nbytes=None: random.randbytes(nbytes or 16).hex()
    secrets.token_urlsafe = lambda nbytes=None: random.randbytes(nbytes or 16).hex()


def _no_sleep(seconds: float) -> None:
    raise AssertionError(f"a blocking sleep of {seconds} seconds")
