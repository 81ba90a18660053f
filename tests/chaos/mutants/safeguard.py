"""Name a safeguard of the package, how it is knocked out, and where that shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Safeguard:
    """A safeguard of the package.

    :param knock_out: disables it in this process.
    :param where: the situation that is played first to notice that it is gone.
    """

    knock_out: Callable[[], None]
    where: str
