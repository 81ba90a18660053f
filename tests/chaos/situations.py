"""Rare situations, each forced in a small episode, so that a safeguard that is knocked out shows soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from tests.chaos.episode import Episode, Verdict, conclude
from tests.chaos.scene import Mood
from tests.chaos.site import Site
from tests.chaos.weather import Weather
from tests.chaos.worker import Crash, Freeze

_APIS = ("moov", "stripe")


@dataclass(frozen=True)
class Situation:
    """What happens to one chargeback.

    :param runs: how many contest it at once.
    :param first: where the worker of the first submission is frozen or killed.
    """

    weather: Weather = field(default_factory=Weather)
    mood: Mood = field(default_factory=lambda: replace(Mood.calm(), together=True))
    runs: int = 1
    first: Freeze | Crash | None = None

    def play(self, seed: int, site: Site, api: str) -> Verdict:
        """Play it once; the seed decides what its reviewers say."""
        make = partial(
            Episode,
            seed,
            site,
            mood=replace(self.mood),
            weather=self.weather,
            api=api,
            runs=self.runs,
            first=self.first,
        )
        return conclude(seed, make)


_calm = replace(Mood.calm(), together=True)
SITUATIONS = {
    "two runs at once": Situation(runs=3),
    "the holder dies, others take over": Situation(runs=4, first=Crash("after ledger")),
    "the holder dies while its request is in flight": Situation(runs=2, first=Crash("during final")),
    "the holder dies after its request": Situation(first=Crash("after final")),
    "frozen before the check": Situation(
        runs=2, first=Freeze("before check", 1, seconds=600.0, lost_after=60.0)
    ),
    "the ledger fails": Situation(Weather(breaks={"ledger": 0.1}), runs=3),
    "clocks are wrong": Situation(Weather(skew=60.0), runs=2, first=Crash("during final")),
    "some workers have another ledger": Situation(Weather(strays=0.5), runs=3),
    "releases are forged": Situation(Weather(forgeries=1.0), runs=3, first=Crash("during final")),
    "two deployments": Situation(Weather(deployments=2), runs=4),
    "two connections": Situation(Weather(connections=0.5), runs=4),
    "records are edited": Situation(mood=replace(_calm, tampering=1.0), runs=2),
    "reviews are asked again": Situation(mood=replace(_calm, tampering=1.0, second_thoughts=0.6), runs=2),
}


def play_all(seeds: range, site: Site) -> Iterator[tuple[str, Verdict]]:
    """Play each situation at each API, one seed after the other; yields its name, and what came of it."""
    for seed in seeds:
        for name, situation in SITUATIONS.items():
            for api in _APIS:
                yield f"{name}, {api}, {seed}", situation.play(seed, site, api)
