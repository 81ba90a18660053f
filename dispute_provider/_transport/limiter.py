"""Keep requests within the rate limits of an API: for the account, for each endpoint, and for files.

An operation must be within all limits that apply to it. They apply to a single task, and so does the
``rate_limit`` of a connection. To share the API's rate between tasks that run at the same time, use an
Airflow pool, which works across machines. With one slot, the tasks run one after the other; this loses
nothing, because a batch uses the whole rate. With N slots, set ``rate_limit`` to the API's rate divided by N:
each task then takes the same share of every limit.

Requests wait in the order of their items in the batch (``position``), so a batch sends what an earlier item
needs before it begins later ones. The time between the requests of an item therefore does not grow with the
number of items in progress.

If the API refuses a request (429), another client is using the same rate. The limit that the API names then
slows down, and recovers gradually.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from dataclasses import dataclass
from math import inf

from dispute_provider._contracts.contract import Operation
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.position import position

# Seconds by which a request may take longer to reach the API than a later one. As large a share of the rate
# is lost.
_JITTER = 0.03
# Seconds of that by which a request may be written later than its turn without delaying the next ones. If all
# lateness counted, it would add up from one second to the next.
_LATE = 0.015
# A turn that is taken late, by at most this many seconds, does not delay the next ones. After a longer pause,
# nothing is caught up.
_CATCH_UP = 0.05
# Each refusal reduces the rate by one request per second, but at most by the first share of the full rate and
# not below the second. The third is the share that is recovered per second.
_MOST_SLOWED, _LEAST_SHARE, _RECOVERY = 0.25, 0.05, 0.03


@dataclass(slots=True, eq=False)
class Turn:
    """The permission to send one request.

    :param taken: when the turn was taken, in seconds on the event loop's clock.
    :param written: when the request was written to its connection; until then, when the turn was taken.
    """

    taken: float
    written: float
    _is_used: bool = False
    # Made only if somebody waits: there may be thousands of turns.
    _used: asyncio.Event | None = None

    def use(self) -> None:
        """Note that the request was written, or will not be."""
        self._is_used = True
        if self._used:
            self._used.set()

    async def until_used(self) -> None:
        """Wait until the request was written, or will not be."""
        if not self._is_used:
            self._used = self._used or asyncio.Event()
            await self._used.wait()


class _Queue:
    """A lock that the waiting request with the lowest ``position`` acquires next."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    async def acquire(self) -> None:
        if not self._is_held:
            self._is_held = True
            return
        called = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (position.get(), next(self._arrivals), called))
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():
                # The lock was handed over before the cancellation arrived.
                self.release()
            raise

    def release(self) -> None:
        while self._waiting:
            _, _, called = heapq.heappop(self._waiting)
            if not called.done():
                # The lock stays held, and now belongs to this request.
                called.set_result(None)
                return
        self._is_held = False


class _Rate:
    """A maximum number of turns per second.

    Turns are spaced evenly. No period of one second contains more turns than the
    maximum, whatever the delays.

    :param rate: turns per second, of which a fraction counts only below 1.
    """

    def __init__(self, rate: float) -> None:
        self.queue = _Queue()
        # Rounded down, so that tasks that share a limit don't exceed it together.
        most = max(1, int(rate))
        self._second = max(1.0, 1 / rate) + _JITTER
        self._gap = self._second / most
        self._slowed_by = min(_MOST_SLOWED, 1 / most)
        self._turns: deque[Turn] = deque(maxlen=most)
        self._next = 0.0
        self._share = 1.0
        self._slowed = -inf

    async def pause(self) -> None:
        """Wait until a turn is free. The caller must hold the queue."""
        free_at = self._next
        if len(self._turns) == self._turns.maxlen:
            # Opening its connection may take long; the second begins when the request leaves.
            await self._turns[0].until_used()
            earliest = self._turns[0]
            free_at = max(free_at, max(earliest.taken, earliest.written - _LATE) + self._second)
        now = asyncio.get_running_loop().time
        # A loop, because a timer can also fire early.
        while free_at > now():  # noqa: ASYNC110  # for a time, not for an event
            await asyncio.sleep(free_at - now())

    def take(self, turn: Turn) -> None:
        """Count a turn."""
        planned = self._next if turn.taken < self._next + _CATCH_UP else turn.taken
        self._next = planned + self._gap / self._recovered(turn.taken)
        self._turns.append(turn)

    def slow(self, now: float) -> None:
        """Reduce the rate after a refusal."""
        self._share = max(_LEAST_SHARE, self._recovered(now) - self._slowed_by)
        self._slowed = now

    def _recovered(self, now: float) -> float:
        return min(1.0, self._share + (now - self._slowed) * _RECOVERY) if self._share < 1.0 else 1.0


class Limiter:
    """Assigns turns, in the order of the items (``position``), then of the requests.

    :param settings: the rates of the connection.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._account = _Rate(settings.rate)
        self._files = _Rate(settings.file_rate) if settings.file_rate else None
        self._endpoint_rate = settings.endpoint_rate
        # By operation: its limits by their names, in the order in which they are awaited.
        self._rates: dict[str, dict[str, _Rate]] = {}

    async def turn(self, operation: Operation) -> Turn:
        """Wait for a turn within all limits of an operation, and take it."""
        rates = self._of(operation).values()
        held = []
        try:
            for rate in rates:
                await rate.queue.acquire()
                held.append(rate)
                await rate.pause()
            now = asyncio.get_running_loop().time()
            turn = Turn(now, now)
            for rate in rates:
                rate.take(turn)
            return turn
        finally:
            for rate in held:
                rate.queue.release()

    def sent(self, turn: Turn) -> None:
        """Note that the request of a turn is being written to its connection."""
        turn.written = asyncio.get_running_loop().time()
        turn.use()

    def slow(self, operation: Operation, limit: str | None = None) -> None:
        """Slow down, because the API has refused a request (429).

        :param limit: the limit that was exceeded (``account``, ``endpoint`` or ``files``); None, the default,
            or one that the operation does not have, for all of its limits.
        """
        now = asyncio.get_running_loop().time()
        rates = self._of(operation)
        for rate in [rates[limit]] if limit in rates else rates.values():
            rate.slow(now)

    def _of(self, operation: Operation) -> dict[str, _Rate]:
        if operation.id not in self._rates:
            self._rates[operation.id] = {
                **({"endpoint": _Rate(self._endpoint_rate)} if self._endpoint_rate else {}),
                **({"files": self._files} if self._files and operation.has_file_rate else {}),
                "account": self._account,
            }
        return self._rates[operation.id]
