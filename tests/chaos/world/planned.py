"""Faults that a situation plans, instead of drawing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dispute_provider.sandbox._faults import Fault


@dataclass(frozen=True)
class Planned:
    """A fault that is planned instead of drawn.

    :param operation: how the names of its operations begin.
    :param sender: a pattern that the sender's name contains: ``run/generation/task/try``.
    :param fault: makes the fault.
    :param times: how many requests are spoilt; None, the default, for all.
    :param by_one: whether only requests of the run that is spoilt first are.
    """

    operation: str
    sender: str
    fault: Callable[[], Fault]
    times: int | None = None
    by_one: bool = False
