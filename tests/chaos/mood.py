"""Draw what kind of episode it is: how often something fails, and how its people behave."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Literal

from tests.chaos.situation import Situation


@dataclass
class Mood:
    """What kind of episode it is."""

    fault_rate: float
    crash_rate: float
    disturbance: float
    gap: float
    retry_delay: float
    prompt: bool
    together: bool
    clears: float
    tampering: float
    second_thoughts: float
    twins: str | None
    merge: Literal["keep", "overwrite", "fail"]
    switch: bool
    automatic: float
    sweeps: bool

    @classmethod
    def of(cls, situation: Situation) -> Mood:
        """Return the mood of an episode in which nothing happens but a situation."""
        calm = cls(0.0, 0.0, 0.0, 0.0, 1.0, True, True, 0.0, 0.0, 0.0, None, "keep", False, 0.0, False)
        return replace(
            calm,
            tampering=situation.tampering,
            twins=situation.twins,
            disturbance=situation.disturbance,
            gap=situation.gap,
            retry_delay=situation.retry_delay,
            merge="overwrite" if situation.has_texts else "keep",
            automatic=float(situation.is_automatic),
        )

    @classmethod
    def draw(cls, dice: random.Random) -> Mood:
        return cls(
            fault_rate=dice.choices([0.0, 0.015, 0.06, 0.16], [4, 3, 4, 2])[0],
            crash_rate=dice.choice([0.0, 0.0, 0.15, 0.4]),
            disturbance=dice.choice([0.0, 0.0, 0.0, 0.06, 0.2]),
            gap=dice.choice([0.0, 0.0, 0.0, 0.5]),
            retry_delay=dice.choice([1.0, 20.0, 300.0]),
            prompt=dice.random() < 0.8,
            together=dice.random() < 0.5,
            clears=dice.choice([0.0, 0.4]),
            tampering=dice.choice([0.0, 0.0, 0.0, 0.5]),
            second_thoughts=dice.choice([0.0, 0.0, 0.0, 0.3]),
            twins=dice.choice([None, None, None, None, "batch", "task", "chunk", "chunk"]),
            merge=dice.choice(["keep", "keep", "overwrite"]),
            switch=dice.random() < 0.5,
            automatic=dice.choice([0.0, 0.0, 0.4]),
            sweeps=dice.random() < 0.2,
        )
