"""What goes wrong around the workers of an episode, besides failed requests and killed workers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class Disruptions:
    """What may go wrong in an episode; by default nothing.

    :param deployments: how many there are, each with its own state stores and runs.
    :param two_ledgers: whether each deployment has a ledger of its own.
    :param connections: how likely a run has connections of its own to the same accounts.
    :param freezes: how likely a worker is frozen.
    :param skew: seconds by which a clock is ahead or behind, at most.
    :param breaks: how likely each call to a store fails, by the store's name; ``claims`` and ``listings`` are
        calls to the ledger.
    :param rotations: how likely the keys are replaced between two tasks.
    :param stale: the share of readings that show a dispute as it was before.
    :param stored_500s: whether the first answer to most keys is a 500, which the API then repeats.
    :param by_hand: how likely a task is marked as success by hand.
    :param purges: how likely the state stores are purged between two tasks.
    :param strays: how likely a worker finds an empty ledger, on its own disk.
    :param strays_at: the task whose workers do; empty for all tasks.
    :param forgeries: how likely the release of a claim is forged.
    :param takeover: whether the first submitter dies with its claim while other runs wait for it.
    :param colleague: how likely a colleague touches a dispute at a request.
    """

    deployments: int = 1
    two_ledgers: bool = False
    connections: float = 0.0
    freezes: float = 0.0
    skew: float = 0.0
    breaks: dict[str, float] = field(default_factory=dict)
    rotations: float = 0.0
    stale: float = 0.0
    stored_500s: bool = False
    by_hand: float = 0.0
    purges: float = 0.0
    strays: float = 0.0
    strays_at: str = ""
    colleague: float = 0.0
    forgeries: float = 0.0
    takeover: bool = False

    @classmethod
    def draw(cls, dice: random.Random) -> Disruptions:
        """Draw the disruptions of an episode: calm in half of them."""
        if dice.random() < 0.5:
            return cls()

        def some(*values: float) -> float:
            return dice.choice(values) if dice.random() < 0.3 else 0.0

        deployments = dice.choice([1, 1, 2])
        stores = ["ledger", "store", "evidence"]
        purges = some(0.1, 0.3)
        return cls(
            deployments=deployments,
            two_ledgers=deployments == 2 and dice.random() < 0.3,
            connections=some(0.5, 1.0),
            freezes=some(0.1, 0.3, 0.6),
            skew=some(5.0, 60.0, 60.0),
            breaks={name: rate for name in stores if (rate := some(0.02, 0.1))},
            rotations=some(0.05, 0.2),
            stale=some(0.05, 0.3),
            stored_500s=some(1.0) > 0,
            by_hand=some(0.05, 0.2),
            purges=purges,
            # Where the mirror of the ledger's id is purged, nothing tells an empty folder from the first one.
            strays=0.0 if purges else some(0.1, 0.3),
            colleague=some(0.01, 0.05),
            forgeries=some(0.3),
            takeover=some(1.0) > 0,
        )

    @property
    def drawn(self) -> list[str]:
        """The names of what the episode draws from."""
        calm = Disruptions()
        return [each.name for each in fields(self) if getattr(self, each.name) != getattr(calm, each.name)]

    @property
    def is_listed(self) -> bool:
        """Whether the episode draws from the list that a third of all episodes must draw from.

        Not on it: workers with another ledger, forged releases, and deployments without a common ledger.
        """
        others = {"strays", "strays_at", "forgeries", "two_ledgers"}
        others |= {"deployments"} if self.two_ledgers else set()
        return not others.issuperset(self.drawn)
