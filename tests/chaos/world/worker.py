"""A worker process: it can be killed, frozen and lost, its clock can be wrong, and its stores can be down."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import aiohttp
from aiohttp.connector import Connection

from dispute_provider._transport.transport import HttpRequest, HttpResponse, Transport
from tests.chaos.world.clock import now
from tests.chaos.world.faults import HOLD

T = TypeVar("T")
TRY = "X-Chaos-Try"
"""Header that says in the journal which run, generation, task and try sent a request."""
FROZEN = "X-Chaos-Frozen"
"""Header of a request whose worker was frozen between its last check and the write."""
# How the addresses end of what concedes, and of Moov's submission; Stripe's is an update that says so.
_FINAL = ("/close", "/accept", "/evidence/submit")
_worker: contextvars.ContextVar[Worker | None] = contextvars.ContextVar("worker", default=None)


class KilledError(BaseException):
    """The worker process is gone, as by SIGKILL. No handler of the product's may see it as an error."""


class DownError(OSError):
    """A store is down."""


@dataclass(frozen=True)
class Crash:
    """Where a worker is killed: at the nth time that it comes to a point.

    :param held: for how many seconds the API holds the request that is in flight then; None to draw it.
    """

    point: str
    nth: int = 1
    held: float | None = None


@dataclass(frozen=True)
class Freeze:
    """Where a worker stops, and for how many seconds.

    :param lost_after: seconds until Airflow takes it for dead and starts the next try; None if never.
    """

    point: str
    nth: int
    seconds: float
    lost_after: float | None = None


# Points, and how likely each is to be drawn. "final" is the submission itself.
_POINTS = {
    "before request": 3,
    "after request": 3,
    "before final": 2,
    "during final": 7,
    "after final": 5,
    "during write": 2,
    "before store": 2,
    "after store": 4,
    "before ledger": 2,
    "after ledger": 5,
    "before return": 4,
}
_FREEZES = {
    "before request": 2,
    "before check": 4,
    "after check": 4,
    "after answer": 2,
    "before thread": 2,
    "after thread": 3,
}
_SEVERAL = {
    "before request": 12,
    "after request": 12,
    "during write": 3,
    "before store": 3,
    "after store": 3,
    "before ledger": 4,
    "after ledger": 4,
    "after answer": 8,
    "before thread": 12,
    "after thread": 12,
}


def draw_crash(dice: random.Random, rate: float) -> Crash | None:
    if dice.random() >= rate:
        return None
    (point,) = dice.choices(list(_POINTS), list(_POINTS.values()))
    return Crash(point, dice.randint(1, _SEVERAL.get(point, 1)))


def draw_freeze(dice: random.Random, rate: float) -> Freeze | None:
    if dice.random() >= rate:
        return None
    (point,) = dice.choices(list(_FREEZES), list(_FREEZES.values()))
    seconds = dice.choice([dice.uniform(10, 60), dice.uniform(100, 600)])
    lost_after = dice.uniform(30, seconds) if seconds > 60 and dice.random() < 0.7 else None
    return Freeze(point, dice.randint(1, _SEVERAL.get(point, 1)), seconds, lost_after)


def here() -> Worker | None:
    """Return the worker that is at work now; None for everybody else."""
    return _worker.get()


@dataclass
class Conditions:
    """What a worker meets with.

    :param skew: seconds that its clock is ahead.
    :param breaks: how likely each call to a store fails, before it is done or after, by the store's name.
    :param forgeries: how likely the release of a claim is forged.
    :param noted: called with what has happened to it.
    :param ledger: returns the ledger's store as this worker sees it.
    """

    crash: Crash | None = None
    freeze: Freeze | None = None
    skew: float = 0.0
    breaks: Mapping[str, float] = field(default_factory=dict)
    forgeries: float = 0.0
    noted: Callable[[str], None] = lambda what: None
    ledger: Callable[[], Any] | None = None


class Worker:
    """One worker process: everything that it has started ends when it is killed, but for what it has sent."""

    def __init__(self, name: str, dice: random.Random, conditions: Conditions | None = None) -> None:
        self.name = name
        self.dead = False
        self.form: dict[str, Any] = {}
        self.conditions = conditions or Conditions()
        self._counts: dict[str, int] = {}
        self._dice = dice
        self._thaws = 0.0
        self._lost = asyncio.Event()
        # In the order of their creation: a set's order differs between processes.
        self.tasks: dict[asyncio.Task[Any], None] = {}

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work.

        :raises KilledError: if the worker was killed; or if Airflow takes it for dead: then it may go on.
        """
        context = contextvars.copy_context()
        context.run(_worker.set, self)
        task = asyncio.get_running_loop().create_task(work, context=context)
        lost = asyncio.ensure_future(self._lost.wait())
        await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
        lost.cancel()
        if not task.done():
            raise KilledError
        try:
            result = await task
            self.pass_point("before return")
        except asyncio.CancelledError:
            if self.dead:
                raise KilledError from None
            raise
        finally:
            left = [task for task in self.tasks if not task.done()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        return result

    @property
    def repeats_creates(self) -> bool:
        """Whether the next create of a file in the ledger is answered only when it is repeated."""
        return self._dice.random() < self.conditions.breaks.get("ledger", 0.0)

    @property
    def is_forged(self) -> bool:
        """Whether somebody forges the release of the claim that is taken now."""
        is_forged = self._dice.random() < self.conditions.forgeries
        if is_forged:
            self.conditions.noted("forged")
        return is_forged

    def kill(self) -> None:
        self.dead = True
        for task in self.tasks:
            task.cancel()

    def pass_point(self, point: str) -> None:
        """Say that a point is reached.

        :raises KilledError: if it is where the worker dies, or if it is dead.
        """
        if self.dead:
            raise KilledError
        if self._is_here(point):
            self.kill()
            raise KilledError

    def _is_here(self, point: str) -> bool:
        self._counts[point] = self._counts.get(point, 0) + 1
        crash = self.conditions.crash
        return crash is not None and (crash.point, crash.nth) == (point, self._counts[point])

    def stopped_at(self, point: str) -> float:
        """Say that a point is reached; return for how many seconds the worker stands still there."""
        self._counts[point] = count = self._counts.get(point, 0) + 1
        freeze = self.conditions.freeze
        if freeze and (freeze.point, freeze.nth) == (point, count):
            self._thaws = now() + freeze.seconds
            self.conditions.noted("frozen")
            if freeze.lost_after is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(freeze.lost_after, self._lost.set, context=contextvars.Context())
                # Airflow tells it so once it goes on.
                told = freeze.seconds + self._dice.uniform(0, 300)
                loop.call_later(told, self.kill, context=contextvars.Context())
        return max(0.0, self._thaws - now())

    async def stop_at(self, point: str) -> bool:
        """Stand still where the worker freezes; return whether it does."""
        seconds = self.stopped_at(point)
        if seconds:
            await asyncio.sleep(seconds)
        return seconds > 0

    def try_store(self, store: str, do: Callable[[], T]) -> T:
        """Use a store that may be down.

        :raises DownError: if it is, before it has done anything or after.
        """
        rate = self.conditions.breaks.get(store, 0.0)
        if not rate:
            return do()
        if self._dice.random() < rate / 2:
            self.conditions.noted(f"{store} down")
            raise DownError(f"the {store} is down")
        result = do()
        if self._dice.random() < rate / 2:
            self.conditions.noted(f"{store} down")
            raise DownError(f"the {store} has not answered")
        return result

    async def send(self, transport: Transport, request: HttpRequest) -> HttpResponse:
        """Let a request through, marked as this worker's."""
        final = is_final(request)
        headers = {**request.headers, TRY: self.name}
        self.pass_point("before request")
        await self.stop_at("before request")
        if final:
            self.pass_point("before final")
        during = "during final" if final else "during write" if request.method != "GET" else ""
        if during and self._is_here(during):
            held = self.conditions.crash.held if self.conditions.crash else None
            headers[HOLD] = f"{held or self._dice.uniform(2, 150):.3f}"
            asyncio.get_running_loop().call_later(self._dice.uniform(0.5, 1.5), self.kill)
        response = await transport.send(replace(request, headers=headers))
        await self.stop_at("after answer")
        # What comes "after" a request comes after a success.
        if response.status < 300:
            if final:
                self.pass_point("after final")
            self.pass_point("after request")
        return response


def is_final(request: HttpRequest) -> bool:
    """Return whether a request submits or concedes."""
    return request.method == "POST" and (
        request.url.endswith(_FINAL) or b"submit=true" in (request.body or b"")
    )


class WorkersTransport:
    """Has each request go through the worker that makes it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: HttpRequest) -> HttpResponse:
        worker = here()
        if worker is None:
            return await self._transport.send(request)
        return await worker.send(self._transport, request)

    async def close(self) -> None:
        await self._transport.close()


def install() -> None:
    """Freeze workers around the last check of a final call, and in what they do in threads; for good."""
    from dispute_provider._transport import http
    from tests.chaos.world import clock

    checked, written = http._CheckedRequest.send, aiohttp.ClientRequest.send

    def frozen(request: aiohttp.ClientRequest) -> Worker | None:
        has_check = isinstance(request, http._CheckedRequest) and http._check.get() is not None
        return here() if has_check and request.method == "POST" else None

    async def before(request: http._CheckedRequest, conn: Connection) -> aiohttp.ClientResponse:
        if worker := frozen(request):
            await worker.stop_at("before check")
        return await checked(request, conn)

    async def after(request: aiohttp.ClientRequest, conn: Connection) -> aiohttp.ClientResponse:
        worker = frozen(request)
        if worker and await worker.stop_at("after check"):
            request.headers[FROZEN] = "1"
        return await written(request, conn)

    http._CheckedRequest.send = before  # type: ignore[assignment, method-assign]
    aiohttp.ClientRequest.send = after  # type: ignore[assignment, method-assign]
    clock.skew = lambda: worker.conditions.skew if (worker := here()) else 0.0
    clock.stopped_at = lambda point: worker.stopped_at(point) if (worker := here()) else 0.0


def own_tasks(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """A loop's task factory that notes whose task each is."""
    task = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    if worker := context.get(_worker) if context else _worker.get():
        worker.tasks[task] = None
    return task
