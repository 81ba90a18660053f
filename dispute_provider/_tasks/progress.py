"""Report the progress of a batch in the task's log and in the UI."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from dispute_provider._state.store_thread import aside
from dispute_provider._state.stores import PROGRESS
from dispute_provider._tasks.record_lists import is_unreached

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# Seconds between two progress lines. A batch that ends earlier has none.
INTERVAL = 10.0
# Number of intervals that the rate is computed over: one minute.
_INTERVALS = 6
_log = logging.getLogger(__name__)


class BatchProgress:
    """Counts finished records, and logs the count every :data:`INTERVAL` seconds.

    Use it as ``async with BatchProgress(…) as progress:``. Each line is one call to the state store. After a
    failed call, lines go to the log only: Airflow repeats a failing call for half a minute, and other calls
    to the store wait meanwhile.

    :param what: the activity, at the start of each line.
    :param total: number of disputes; None if it is not known.
    """

    def __init__(self, context: Context, what: str, total: int | None = None) -> None:
        self._context = context
        self._what = what
        self._total = total
        self._done = self._failed = 0
        self._past = deque([(_now(), 0)], maxlen=_INTERVALS + 1)
        self._reported = self._store_failed = False
        self._reporting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> BatchProgress:
        self._reporting = asyncio.create_task(self._report_on_schedule())
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._reporting is not None
        self._reporting.cancel()
        with suppress(asyncio.CancelledError):
            # A signal may arrive here.
            await self._reporting
        if self._reported:
            await self._report()

    def done(self, *records: Record) -> None:
        """Count finished records."""
        self._done += len(records)
        self._failed += sum(map(is_failure, records))

    def line(self, now: float) -> str:
        """Return a progress line.

        :param now: time of the event loop's clock, in seconds.
        """
        (since, before), left = self._past[0], None
        rate = (self._done - before) / (now - since) if now > since else 0.0
        facts = [f"{self._done:,} done"]
        if self._total is not None:
            left = max(0, self._total - self._done)
            facts.append(f"{left:,} left")
        facts += [f"{rate:,.1f} a second", f"{self._failed:,} failed"]
        if left:
            facts.append(f"about {_duration(left / rate)} to go" if rate else "no result in the last minute")
        return f"{self._what}: {', '.join(facts)}"

    async def _report_on_schedule(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await self._report()

    async def _report(self) -> None:
        now = _now()
        line = self.line(now)
        self._past.append((now, self._done))
        self._reported = True
        _log.info("%s", line)
        if self._store_failed:
            return
        try:
            await aside(lambda: PROGRESS.store(self._context).set(PROGRESS.name(), line))
        except Exception as error:  # progress must not stop the batch
            self._store_failed = True
            _log.warning("cannot show the progress in the UI: %s", type(error).__name__)


def is_failure(record: Record) -> bool:
    """Return whether a record failed or will be tried again."""
    return record.state in ("refused", "unknown", "submitted-differs") or is_unreached(record)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _duration(seconds: float) -> str:
    """``50 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
