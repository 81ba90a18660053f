"""Show the progress of the demo while it waits: one line that changes, and how long it may take."""

from __future__ import annotations

import sys
import time

_TICK = 0.5


class DemoError(Exception):
    """The demo cannot go on; with the lines of a log that tell why."""

    def __init__(self, problem: str, log: str = "") -> None:
        super().__init__(problem)
        self.log = log


class Progress:
    """One line that says what is waited for; where there is no terminal, a line for each new thing.

    :param limit: seconds from now after which waiting is given up; None for no limit.
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
        """From here on it may take as long as a person likes."""
        self._limit = None

    def wait(self, what: str, seconds: float = _TICK) -> None:
        """Say what is waited for, and wait a moment.

        :raises DemoError: once the time is up.
        """
        passed = time.monotonic() - self.began
        if self._limit is not None and passed > self._limit:
            raise DemoError(f"gave up after {self.minutes:.0f} minutes, waiting for this: {what}")
        if self._terminal:
            print(f"\r\033[K[{passed:4.0f} s] {what} …", end="", flush=True)
        elif what != self._shown:
            print(f"[{passed:4.0f} s] {what} …", flush=True)
        self._shown = what
        time.sleep(seconds)

    def tell(self, line: str) -> None:
        """Something that has happened; it stays."""
        start = "\r\033[K" if self._terminal else ""
        print(f"{start}[{time.monotonic() - self.began:4.0f} s] {line}", flush=True)

    def give_up(self, error: DemoError) -> None:
        """Say why it does not go on."""
        self.tell(f"FAILED: {error}")
        if error.log:
            print(error.log)
