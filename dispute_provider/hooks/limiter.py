"""A rate that is not exceeded."""

from __future__ import annotations

import asyncio


class Limiter:
    """Gives turns, evenly spaced.

    :param rate: turns per second.
    """

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for a turn."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._gap
        if at > now:
            await asyncio.sleep(at - now)
