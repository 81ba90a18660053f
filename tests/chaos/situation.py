"""Describe an episode that forces one rare situation on a single dispute."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.chaos.disruptions import Disruptions
from tests.chaos.world.planned import Planned
from tests.chaos.world.worker import Crash, Freeze

APIS = ("moov", "stripe")


@dataclass(frozen=True)
class Situation:
    """What happens to one dispute.

    :param disruptions: what goes wrong around its workers.
    :param apis: at which it is played.
    :param runs: how many contest it at once.
    :param first: where the worker of the first submission is frozen or killed; ``nth`` 0 varies by seed.
    :param first_task: the task whose worker that is.
    :param planned: faults of its requests.
    :param replies: what reviewers answer, one review after the other, the last one repeated: ``approve`` or
        ``hold``; empty, the default, draws it.
    :param tampering: how likely a run's records are edited between its tasks.
    :param edits: how they are edited, see :func:`~tests.chaos.people.edits.tamper`; None draws it.
    :param asks_again: whether the review is cleared once before its answer is carried out.
    :param clears: whether each submission is cleared once after all runs have ended.
    :param follows: whether another run with another case starts when a worker dies at the submission.
    :param second_after: seconds after which another run with another case starts; None for none. All first
        runs submit after 7,200 seconds.
    :param second_has_same_case: whether that run has the case of the first ones.
    :param is_inquiry: whether it is an inquiry that becomes a chargeback at that moment.
    :param has_texts: whether a colleague has filled in the case's fields, at Moov with the same text twice.
    :param is_automatic: whether Stripe submits at the due date by itself; the episode then lasts until then.
    :param reopens: whether the issuer opens it again once it was answered; another run follows.
    :param rotates: whether the keys are replaced when a worker dies at the submission.
    :param twins: where a second case comes from, see :class:`~tests.chaos.stagings.Twins`.
    :param disturbance: how likely a colleague touches it between two tasks.
    :param gap: how likely a colleague touches it just before a submission.
    :param due_in: seconds; None draws it.
    :param retry_delay: seconds until a task is tried again.
    """

    disruptions: Disruptions = field(default_factory=Disruptions)
    apis: tuple[str, ...] = APIS
    runs: int = 1
    first: Freeze | Crash | None = None
    first_task: str = "submit"
    planned: tuple[Planned, ...] = ()
    replies: tuple[str, ...] = ("approve",)
    tampering: float = 0.0
    edits: str | None = None
    asks_again: bool = False
    clears: bool = False
    follows: bool = False
    second_after: float | None = None
    second_has_same_case: bool = False
    is_inquiry: bool = False
    has_texts: bool = False
    is_automatic: bool = False
    reopens: bool = False
    rotates: bool = False
    twins: str | None = None
    disturbance: float = 0.0
    gap: float = 0.0
    due_in: float | None = None
    retry_delay: float = 1.0

    def varied(self, seed: int) -> Situation:
        """Return the situation with what varies by seed."""
        if isinstance(self.first, Freeze) and self.first.nth == 0:
            return replace(self, first=replace(self.first, nth=1 + seed % 14))
        return self
