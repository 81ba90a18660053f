"""The sandbox's clock, and Moov's format of a time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1024)
def iso(moment: float) -> str:
    """Return Unix seconds as ``2026-11-22T04:35:00Z``."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """A clock in Unix seconds that can be set and frozen."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._stopped_at: float | None = None

    def now(self) -> float:
        return time.time() + self._offset if self._stopped_at is None else self._stopped_at

    @property
    def frozen(self) -> bool:
        return self._stopped_at is not None

    def set(self, moment: float) -> None:
        if self._stopped_at is None:
            self._offset = moment - time.time()
        else:
            self._stopped_at = moment

    def freeze(self, frozen: bool) -> None:
        moment = self.now()
        self._stopped_at = moment if frozen else None
        if not frozen:
            self.set(moment)
