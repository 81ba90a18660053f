"""Keep requests within the rate limits of an API: for the account, for each endpoint, and for files.

An operation must be within all limits that apply to it. They apply to a single task, and so does the
``rate_limit`` of a connection. To share the API's rate between tasks that run at the same time, use an
Airflow pool, which works across machines. With one slot, the tasks run one after the other; this loses
nothing, because a batch uses the whole rate. With N slots, set ``rate_limit`` to the API's rate divided by N:
each task then takes the same share of every limit.

If the API refuses a request (429), another client is using the same rate. The limit that the API names then
slows down, and recovers gradually.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from math import inf

from dispute_provider._contracts.contract import Operation
from dispute_provider._transport.connection_settings import ConnectionSettings

# Seconds by which a request may take longer to reach the API than a later one. As large a share of the rate
# is lost.
_JITTER = 0.03
# Seconds by which turns may be ahead of their even spacing, so that late ones catch up. After a pause, as
# many follow each other at once.
_BURST = 0.05
# Each refusal reduces the rate by one request per second, but at most by the first share of the full rate and
# not below the second. The third is the share that is recovered per second.
_MOST_SLOWED, _LEAST_SHARE, _RECOVERY = 0.25, 0.05, 0.03


@dataclass(slots=True, eq=False)
class Turn:
    """The permission to send one request.

    :param at: when the request was written to its connection; until then, when the turn was taken. In seconds
        on the event loop's clock.
    :param sent: set when the request was written, or will not be.
    """

    at: float
    sent: asyncio.Event = field(default_factory=asyncio.Event)


class _Rate:
    """A maximum number of turns per second.

    Turns are spaced evenly, apart from short bursts. No period of one second contains more turns than the
    maximum, whatever the delays.

    :param rate: turns per second.
    """

    def __init__(self, rate: float) -> None:
        self.lock = asyncio.Lock()
        most = max(1, int(rate))
        self._second = most / rate + _JITTER
        self._gap = self._second / most
        self._slowed_by = min(_MOST_SLOWED, 1 / most)
        self._turns: deque[Turn] = deque(maxlen=most)
        self._next = 0.0
        self._share = 1.0
        self._slowed = -inf

    async def pause(self) -> None:
        """Wait until a turn is free. The caller must hold the lock."""
        free_at = self._next - _BURST
        if len(self._turns) == self._turns.maxlen:
            # Opening its connection may take long; the second begins when the request leaves.
            await self._turns[0].sent.wait()
            free_at = max(free_at, self._turns[0].at + self._second)
        now = asyncio.get_running_loop().time
        # A loop, because a timer can also fire early.
        while free_at > now():  # noqa: ASYNC110  # for a time, not for an event
            await asyncio.sleep(free_at - now())

    def take(self, turn: Turn) -> None:
        """Count a turn."""
        self._next = max(self._next, turn.at) + self._gap / self._recovered(turn.at)
        self._turns.append(turn)

    def slow(self, now: float) -> None:
        """Reduce the rate after a refusal."""
        self._share = max(_LEAST_SHARE, self._recovered(now) - self._slowed_by)
        self._slowed = now

    def _recovered(self, now: float) -> float:
        return min(1.0, self._share + (now - self._slowed) * _RECOVERY) if self._share < 1.0 else 1.0


class Limiter:
    """Assigns turns, in the order of the requests to each endpoint.

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
                await rate.lock.acquire()
                held.append(rate)
                await rate.pause()
            turn = Turn(asyncio.get_running_loop().time())
            for rate in rates:
                rate.take(turn)
            return turn
        finally:
            for rate in held:
                rate.lock.release()

    def sent(self, turn: Turn) -> None:
        """Note that the request of a turn is being written to its connection."""
        turn.at = asyncio.get_running_loop().time()
        turn.sent.set()

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
