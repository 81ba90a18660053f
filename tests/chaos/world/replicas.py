"""Replicas of the APIs that lag behind: a reading may show a dispute as it was a while ago."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from dispute_provider.sandbox._wire import Call, Response
from tests.chaos.transcript import Shown
from tests.chaos.world.calls import is_reading
from tests.chaos.world.clock import now

# Seconds that a replica lags behind at most.
_LAG = 20.0


@dataclass(frozen=True)
class Answered:
    """What was answered to a reading, and what it showed."""

    at: float
    reply: Response
    shown: Shown


class Replicas:
    """The earlier answers of one episode.

    No reader goes back in time: what a worker was shown of a dispute bounds what it is shown afterwards, of
    its evidence as well. Otherwise no reading, however late, would prove anything.
    """

    def __init__(self) -> None:
        self._answers: defaultdict[tuple[str, str], list[Answered]] = defaultdict(list)
        self._seen: dict[tuple[str, str], float] = {}

    def note(self, call: Call, reply: Response, shown: Shown) -> None:
        """Note what was answered just now."""
        self._seen[_reader(call)] = now()
        if reply.status == 200 and not call.fault:
            self._answers[_question(call)].append(Answered(now(), reply, shown))

    def may_answer(self, call: Call) -> bool:
        """Whether there is an earlier answer to the same reading that may still be given."""
        return is_reading(call) and self._oldest(call) is not None

    def answer(self, call: Call) -> Answered:
        """Return the oldest answer that may still be given."""
        answered = self._oldest(call)
        assert answered is not None
        self._seen[_reader(call)] = answered.at
        return answered

    def _oldest(self, call: Call) -> Answered | None:
        seen = self._seen.get(_reader(call), 0.0)
        answers = [each for each in self._answers[_question(call)] if now() - each.at <= _LAG]
        self._answers[_question(call)] = answers
        return next((each for each in answers if each.at >= seen), None)


def _reader(call: Call) -> tuple[str, str]:
    return call.headers.get("x-chaos-try", ""), str(call.dispute)


def _question(call: Call) -> tuple[str, str]:
    return call.operation, f"{call.path}?{call.query}"
