"""Show the progress of a program while it waits."""

from __future__ import annotations

import sys
import time

_TICK = 0.5


class DemoError(Exception):
    """The program cannot continue; with log lines that show why."""

    def __init__(self, problem: str, log: str = "") -> None:
        super().__init__(problem)
        self.log = log


class Progress:
    """Print what the program waits for: one changing line on a terminal, else one line per change.

    :param limit: seconds from now after which :meth:`wait` gives up; None for no limit.
    """

    def __init__(self, limit: float | None) -> None:
        self.began = time.monotonic()
        self._limit = limit
        self._shown = ""
        self._terminal = sys.stdout.isatty()

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self.began) / 60

    def unlimited(self) -> None:
        """Remove the limit: from here on, the program waits for a person."""
        self._limit = None

    def wait(self, what: str, seconds: float = _TICK) -> None:
        """Print what the program waits for, and sleep.

        :raises DemoError: once the limit has passed.
        """
        passed = time.monotonic() - self.began
        if self._limit is not None and passed > self._limit:
            raise DemoError(f"gave up after {self.minutes:.0f} minutes, while: {what}")
        if self._terminal:
            print(f"\r\033[K[{passed:4.0f} s] {what} …", end="", flush=True)
        elif what != self._shown:
            print(f"[{passed:4.0f} s] {what} …", flush=True)
        self._shown = what
        time.sleep(seconds)

    def report(self, line: str) -> None:
        """Print an event on a line that stays."""
        start = "\r\033[K" if self._terminal else ""
        print(f"{start}[{time.monotonic() - self.began:4.0f} s] {line}", flush=True)

    def give_up(self, error: DemoError) -> None:
        """Print why the program stops."""
        self.report(f"FAILED: {error}")
        if error.log:
            print(error.log)
