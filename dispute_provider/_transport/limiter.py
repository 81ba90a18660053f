"""Keep requests within the rate limits: overall, per endpoint, and for files.

A limiter applies to a single task, and so does the ``rate_limit`` of a connection. To share the API's rate
between tasks that run at the same time, use an Airflow pool, which works across machines. With one slot, the
tasks run one after the other; this loses nothing, because a batch uses the whole rate. With N slots, set
``rate_limit`` to the API's rate divided by N.

If the API refuses a request (429), another client is using the same rate. The limiter then slows down, and
recovers gradually.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from math import inf

from dispute_provider._contracts.contract import Operation
from dispute_provider._transport.connection_settings import ConnectionSettings

# A request may take longer to arrive than the one a second after it, so that both arrive within one second.
# This is the allowance for it in seconds, at least and at most. In between, it is the time by which the
# answer took longer than a quick one.
_JITTER, _MOST_JITTER = 0.002, 0.25
# Seconds of delay that are caught up. A longer delay was a pause, and is not.
_LATE = 0.1
# Each refusal reduces the rate to this share of it, but not below the second share of the full rate. The
# third is the share that is recovered per second.
_SLOWED, _LEAST_SHARE, _RECOVERY = 0.75, 0.05, 0.1
# The weight of one answer in the estimate of a quick answer's time: of a slower one, and of a quicker one.
_SLOWER, _QUICKER = 0.01, 0.5
# Seconds after the first answer in which none counts as quick, because the connections are still being
# opened.
_OPENING = 2.0


@dataclass(slots=True)
class Turn:
    """The permission to send one request. Times are in seconds on the event loop's clock.

    :param taken: when the request was sent.
    :param counts_from: the latest time at which it can have arrived, as far as is known.
    """

    taken: float
    counts_from: float


class _Rate:
    """A maximum number of turns per second.

    Turns are spaced evenly. Their times follow the clock and not the previous turn, so that delays of timers
    don't add up. No period of one second contains more turns than the maximum, whatever the delays.

    :param rate: turns per second.
    """

    def __init__(self, rate: float) -> None:
        self.lock = asyncio.Lock()
        most = max(1, int(rate))
        self._second = most / rate + _JITTER
        self._gap = self._second / most
        self._turns: deque[Turn] = deque(maxlen=most)
        self._next = 0.0
        self._share = 1.0
        self._slowed = -inf

    async def pause(self) -> None:
        """Wait until a turn is free. The caller must hold the lock."""
        now = asyncio.get_running_loop().time
        # A loop, because a timer can also fire early.
        while (free_at := self._free_at()) > now():  # noqa: ASYNC110  # for a time, not for an event
            await asyncio.sleep(free_at - now())

    def take(self, turn: Turn) -> None:
        """Count a turn."""
        now = turn.taken
        gap = self._gap / self._recovered(now)
        planned = self._next + gap
        self._next = planned if planned > now - _LATE else now + gap
        self._turns.append(turn)

    def slow(self, now: float) -> None:
        """Reduce the rate. Refusals within one second count once."""
        if now - self._slowed > 1.0:
            self._share = max(_LEAST_SHARE, self._recovered(now) * _SLOWED)
            self._slowed = now

    def _free_at(self) -> float:
        if len(self._turns) < (self._turns.maxlen or 0):
            return self._next
        return max(self._next, self._turns[0].counts_from + self._second)

    def _recovered(self, now: float) -> float:
        return min(1.0, self._share + (now - self._slowed) * _RECOVERY) if self._share < 1.0 else 1.0


class Limiter:
    """Assigns turns, in the order of the requests to each endpoint.

    :param settings: the rates of the connection.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._all = _Rate(settings.rate)
        self._files = _Rate(settings.file_rate) if settings.file_rate else self._all
        self._endpoint_rate = settings.endpoint_rate
        # By operation: the rate that it shares with others, and its own; may be the same.
        self._rates: dict[str, tuple[_Rate, _Rate]] = {}
        # By operation: the time that a quick answer takes, and when the first answer arrived.
        self._quick: dict[str, tuple[float, float]] = {}

    async def turn(self, operation: Operation) -> Turn:
        """Wait for a turn, and take it."""
        shared, own = self._rates.get(operation.id) or self._new_rates(operation)
        async with own.lock:
            await own.pause()
            if own is shared:
                return self._take(own)
            async with shared.lock:
                await shared.pause()
                return self._take(own, shared)

    def answered(self, operation: Operation, turn: Turn) -> None:
        """Note that an answer has arrived. If it was slow, its request may have been slow to arrive, too."""
        now = asyncio.get_running_loop().time()
        took = now - turn.taken
        quick, since = self._quick.get(operation.id, (took, now))
        excess = took - quick
        if now - since < _OPENING:
            # Requests that open a connection arrive late, and there is no quicker answer to compare them with
            # yet.
            turn.counts_from = turn.taken + min(took, _MOST_JITTER)
            self._quick[operation.id] = min(quick, took), since
            return
        turn.counts_from = turn.taken + min(max(0.0, excess), _MOST_JITTER)
        self._quick[operation.id] = quick + excess * (_SLOWER if excess > 0 else _QUICKER), since

    def slow(self, operation: Operation) -> None:
        """Slow down, because the API has refused a request (429)."""
        now = asyncio.get_running_loop().time()
        for rate in {*self._rates[operation.id]}:
            rate.slow(now)

    def _take(self, *rates: _Rate) -> Turn:
        now = asyncio.get_running_loop().time()
        turn = Turn(now, now)
        for rate in rates:
            rate.take(turn)
        return turn

    def _new_rates(self, operation: Operation) -> tuple[_Rate, _Rate]:
        shared = own = self._files if operation.has_file_rate else self._all
        if self._endpoint_rate is not None and not operation.has_file_rate:
            own = _Rate(self._endpoint_rate)
        self._rates[operation.id] = shared, own
        return shared, own
