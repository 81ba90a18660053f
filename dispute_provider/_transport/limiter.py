"""Rates that are not exceeded: of each endpoint, of all together, and of files apart.

A limiter knows of its own task only. So what a connection's ``rate_limit`` says is what one task may send.
Tasks that work on one connection at a time share the API's rate by a pool: of one slot, so that they come
one after the other (a batch takes the whole rate by itself, and two of them at once gain nothing); or of a
few, with the API's rate divided by that number as the connection's ``rate_limit``. A pool is what Airflow has
for it, it holds across machines, and it needs no server that counts. Whoever else uses the account's rate is
noticed by being refused (429): then this task goes at less than its rate, and comes back little by little.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from math import inf

from dispute_provider._contracts.contract import Operation
from dispute_provider._transport.connection_settings import ConnectionSettings

# A request may take longer on its way than the one a second after it: seconds that this always comes to, and
# at most. In between, it is what its answer took longer than those that come quickly.
_JITTER, _MOST_JITTER = 0.002, 0.25
# Turns that are late by up to so many seconds are made up for; what is more was a pause.
_LATE = 0.1
# The part of its rate that is left to whom a request was refused, as often as that happens; the least of it;
# and what comes back each second.
_SLOWED, _LEAST_SHARE, _RECOVERY = 0.75, 0.05, 0.1
# How much one answer changes what counts as quick: a slow one, and a quicker one.
_SLOWER, _QUICKER = 0.01, 0.5
# For so many seconds no answer is taken for quick: a batch opens its connections then.
_OPENING = 2.0


@dataclass(slots=True)
class Turn:
    """One request.

    :param taken: when it was sent.
    :param counts_from: when it can have arrived at the latest, as far as is known.
    """

    taken: float
    counts_from: float


class _Rate:
    """A number of turns per second.

    They are spaced evenly, by the clock and not by one another, so that late timers do not add up; and no
    second has more of them, whatever was late.
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
        """Wait until there is a turn; only whoever holds the lock."""
        now = asyncio.get_running_loop().time
        # A timer can also be early.
        while (free_at := self._free_at()) > now():  # noqa: ASYNC110  # for a time, not for an event
            await asyncio.sleep(free_at - now())

    def take(self, turn: Turn) -> None:
        now = turn.taken
        gap = self._gap / self._recovered(now)
        planned = self._next + gap
        self._next = planned if planned > now - _LATE else now + gap
        self._turns.append(turn)

    def slow(self, now: float) -> None:
        """Go slower; refusals that come together count once."""
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
    """Gives turns, in the order in which they are asked for at each endpoint."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._all = _Rate(settings.rate)
        self._files = _Rate(settings.file_rate) if settings.file_rate else self._all
        self._endpoint_rate = settings.endpoint_rate
        self._endpoints: dict[str, _Rate] = {}
        # By operation, what a quick answer takes, and when the first came.
        self._quick: dict[str, tuple[float, float]] = {}

    async def turn(self, operation: Operation) -> Turn:
        """Wait for a turn."""
        shared, own = self._rates(operation)
        async with own.lock:
            await own.pause()
            if own is shared:
                return self._take(own)
            async with shared.lock:
                await shared.pause()
                return self._take(own, shared)

    def answered(self, operation: Operation, turn: Turn) -> None:
        """Its answer begins to arrive: what it took longer than others, it may have taken on its way."""
        now = asyncio.get_running_loop().time()
        took = now - turn.taken
        quick, since = self._quick.get(operation.id, (took, now))
        excess = took - quick
        if now - since < _OPENING:
            # Those that open a connection arrive late, and nothing quicker is known yet to compare them with.
            turn.counts_from = turn.taken + min(took, _MOST_JITTER)
            self._quick[operation.id] = min(quick, took), since
            return
        turn.counts_from = turn.taken + min(max(0.0, excess), _MOST_JITTER)
        self._quick[operation.id] = quick + excess * (_SLOWER if excess > 0 else _QUICKER), since

    def slow(self, operation: Operation) -> None:
        """The API has refused a request as one too many."""
        now = asyncio.get_running_loop().time()
        for rate in {*self._rates(operation)}:
            rate.slow(now)

    def _take(self, *rates: _Rate) -> Turn:
        now = asyncio.get_running_loop().time()
        turn = Turn(now, now)
        for rate in rates:
            rate.take(turn)
        return turn

    def _rates(self, operation: Operation) -> tuple[_Rate, _Rate]:
        """What all such calls share, and what this endpoint has; the same where it has none."""
        if operation.has_file_rate:
            return self._files, self._files
        if self._endpoint_rate is None:
            return self._all, self._all
        if operation.id not in self._endpoints:
            self._endpoints[operation.id] = _Rate(self._endpoint_rate)
        return self._all, self._endpoints[operation.id]
