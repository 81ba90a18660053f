"""One episode: a few disputes of both APIs, and all that happens to them; one seed, one episode."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dispute_provider.exceptions import DisputeError
from dispute_provider.operators.sweep import FindCasesOperator
from tests.chaos.facts import HANG, Finding
from tests.chaos.judging.judge import judge
from tests.chaos.run import Run
from tests.chaos.scene import Scene
from tests.chaos.situation import Situation
from tests.chaos.stagings import Twins
from tests.chaos.transcript import Sweep, Transcript
from tests.chaos.world import clock
from tests.chaos.world.airflow import TaskInstance
from tests.chaos.world.site import Site
from tests.chaos.world.worker import Worker, own_tasks

# Seconds after which nothing is in flight any more.
_SETTLED = 600.0


@dataclass
class Verdict:
    """What came of one episode."""

    seed: int
    findings: list[Finding]
    requests: int
    faults: int
    crashes: int
    gap_edits: int
    states: Counter[str]
    seconds: float
    """Of virtual time."""
    disruptions: list[str]
    """What may go wrong around its workers."""
    is_listed: bool
    """See :attr:`~tests.chaos.disruptions.Disruptions.is_listed`."""
    transcript: Transcript = field(repr=False, default_factory=Transcript)


class Episode:
    """The runs of one episode, on its scene.

    :param situation: what happens to a single dispute; None draws all of it, for several disputes.
    :param api: whose dispute it is; None where it is drawn.
    """

    def __init__(
        self,
        seed: int,
        site: Site,
        *,
        situation: Situation | None = None,
        api: str | None = None,
    ) -> None:
        self.scene = Scene(seed, site, situation)
        self._api = api
        self.runs: list[Run] = []
        self._hurried: list[asyncio.Task[None]] = []

    async def play(self) -> None:
        scene = self.scene
        scene.make_disputes(self._api)
        disputes = list(scene.cases)
        if scene.situation:
            await self._play_situation(scene.situation, disputes)
            return
        first = [self._start(disputes)]
        least = 2 if scene.disruptions.takeover else len(scene.deployments) - 1
        for _ in range(max(least, scene.dice.choice([0, 0, 1, 1, 2]))):
            least = len(disputes) if scene.mood.together else 1
            some = scene.dice.sample(disputes, scene.dice.randint(least, len(disputes)))
            first.append(self._start(some, scene.dice.choice([0.0, 0.0, 1.0, 600.0])))
        if scene.mood.sweeps:
            first.append(self._sweep())
        await asyncio.gather(*first)
        await self._wait_for_hurried()
        for _ in range(2):
            await asyncio.sleep(1)
            scene.afterwards()
            await asyncio.sleep(scene.dice.uniform(60, 3000))
            await self._clear_some()
            if again := [dispute for dispute in disputes if scene.outside.is_open(dispute)]:
                if scene.dice.random() < 0.8:
                    await self._start(again)
            else:
                break
        await self._wait_for_hurried()
        await asyncio.sleep(_SETTLED)

    async def _play_situation(self, situation: Situation, disputes: list[str]) -> None:
        scene = self.scene
        scene.world.settings.permissive = True
        if situation.has_texts and self._api == "moov":
            for dispute in disputes:
                scene.outside.write_twice(dispute, scene.cases[dispute]["evidence"]["cover-letter"])
        if situation.second_after is not None:
            self._start_another(disputes, situation.second_after)
        await asyncio.gather(*[self._start(disputes) for _ in range(situation.runs)])
        await self._wait_for_hurried()
        await asyncio.sleep(_SETTLED)
        if situation.reopens:
            for dispute in disputes:
                if dispute in scene.inquiries:
                    scene.escalate(dispute)
                else:
                    scene.outside.reopen(dispute)
            await self._start(disputes)
            await asyncio.sleep(_SETTLED)
        if situation.clears:
            await asyncio.gather(*(run.clear("submit") for run in self.runs if run.ended))
            await asyncio.sleep(_SETTLED)
        if situation.is_automatic:
            [(due, _)] = scene.transcript.dues[disputes[0]]
            await asyncio.sleep(max(0.0, due - clock.now()) + _SETTLED)
            scene.world.tick()

    async def _wait_for_hurried(self) -> None:
        while self._hurried:
            await self._hurried.pop()

    def _start(
        self,
        disputes: list[str],
        after: float = 0.0,
        *,
        hurried: bool = False,
        cases: dict[str, dict[str, Any]] | None = None,
    ) -> Any:
        """Return a run for some disputes.

        :param cases: by dispute; None, the default, for the first ones.
        """
        scene = self.scene
        cases = cases or {dispute: scene.cases[dispute] for dispute in disputes}
        twins: Twins | None = None
        if scene.mood.twins and not hurried and (scene.situation or scene.dice.random() < 0.7):
            claimed = scene.dice.sample(disputes, scene.dice.randint(1, len(disputes)))
            again = {dispute: self._second_case(dispute) for dispute in claimed}
            twins = Twins(scene.mood.twins, again)
            if twins.where != "batch":
                scene.transcript.contested |= {
                    one for one, case in again.items() if case is not scene.cases[one]
                }
        airflow = scene.deployments[len(self.runs) % len(scene.deployments)]
        run = Run(
            scene,
            airflow,
            f"run{len(self.runs) + 1}",
            cases,
            twins,
            hurried=hurried,
            submission_broken=self._submission_broken,
        )
        self.runs.append(run)
        if twins and twins.where == "batch":
            scene.transcript.claimed_twice |= {(run.name, dispute) for dispute in twins.cases}
        if len(scene.deployments) > 1:
            # One takes for a colleague's what the other has uploaded.
            scene.transcript.contested |= {*disputes}
        scene.transcript.given[run.name] = [*disputes, *(twins.cases if twins else ())]
        return run.play(after)

    def _start_another(self, disputes: list[str], after: float = 0.0) -> None:
        """Start a run with other cases for some disputes, which waits for no other run."""
        scene = self.scene
        cases = None
        if not (scene.situation and scene.situation.second_has_same_case):
            cases = {each: scene.make_case(scene.cases[each]["provider"], each) for each in disputes}
            scene.transcript.contested |= {*disputes}
        run = self._start(disputes, after, hurried=True, cases=cases)
        self._hurried.append(asyncio.ensure_future(run))

    def _second_case(self, dispute: str) -> dict[str, Any]:
        """Another case for a dispute, or the same once more."""
        scene = self.scene
        case = scene.cases[dispute]
        return case if scene.dice.random() < 0.3 else scene.make_case(case["provider"], dispute)

    async def _sweep(self) -> None:
        """Look for cases where there are none, at both APIs; broken items are among the disputes listed."""
        scene = self.scene
        for api in ("stripe", "moov"):
            await asyncio.sleep(scene.dice.uniform(0, 600))
            instance = TaskInstance("find")
            operator = FindCasesOperator(
                task_id="find", conn_id=f"{api}_default", folder=scene.site.empty_folder
            )
            worker = Worker(f"sweep/{api}/find/1", scene.faults.draw("sweep", api))
            context = scene.deployments[0].context("sweep", "sweep", instance, worker)
            before = self._open_at(api)
            try:
                await worker.run(operator.aexecute(context))
            except DisputeError:
                continue
            named = {record["dispute"] for record in instance.pushed["without_case"]}
            scene.transcript.sweeps.append(Sweep(clock.now(), before & self._open_at(api), frozenset(named)))

    def _open_at(self, api: str) -> frozenset[str]:
        scene = self.scene
        mine = [dispute for dispute, case in scene.cases.items() if case["provider"] == api]
        return frozenset(filter(scene.outside.is_open, mine))

    async def _clear_some(self) -> None:
        """Somebody clears tasks of finished runs by hand."""
        scene = self.scene
        cleared = [run for run in self.runs if run.ended and scene.dice.random() < scene.mood.clears]
        await asyncio.gather(
            *(run.clear(scene.dice.choice(["submit", "submit", "review", "stage"])) for run in cleared)
        )

    def _submission_broken(self, disputes: list[str]) -> None:
        """A worker died at a submission; what it has sent may still answer the stage that comes next."""
        scene = self.scene
        if scene.situation and scene.situation.follows and not self._hurried:
            self._start_another(disputes)
        if scene.situation and scene.situation.rotates:
            scene.keys.replace()
            scene.transcript.disturbed.append((clock.now(), "*", "keys replaced"))
        if scene.situation and scene.situation.reopens:
            return
        chance = 1.0 if scene.situation else 0.3
        escalating = [one for one in disputes if one in scene.inquiries and scene.dice.random() < chance]
        for dispute in escalating:
            scene.escalate(dispute)
        if escalating:
            self._hurried.append(asyncio.ensure_future(self._start(escalating, hurried=True)))


def play(seed: int, site: Site) -> Verdict:
    """Play one episode and judge it."""
    return conclude(seed, lambda: Episode(seed, site))


def conclude(seed: int, make: Callable[[], Episode]) -> Verdict:
    """Play an episode, made on its own clock, and judge it."""
    episode: Episode | None = None
    hang: list[Finding] = []
    seconds = 0.0

    async def whole() -> None:
        nonlocal episode, seconds
        loop = asyncio.get_running_loop()
        loop.set_task_factory(own_tasks)
        episode = make()
        await episode.play()
        seconds = loop.time()

    try:
        clock.run(whole())
    except clock.HangError as error:
        hang = [Finding(HANG, "*", str(error))]
    assert episode is not None
    transcript = episode.scene.close()
    states: Counter[str] = Counter()
    for run in episode.runs:
        states.update(record["state"] for record in run.result)
    return Verdict(
        seed=seed,
        findings=[*hang, *judge(transcript)],
        requests=len(transcript.journal) + transcript.connections_refused,
        faults=sum(1 for entry in transcript.journal if entry["fault"]) + transcript.connections_refused,
        crashes=transcript.crashes,
        gap_edits=transcript.gap_edits,
        states=states,
        seconds=seconds,
        disruptions=episode.scene.disruptions.drawn,
        is_listed=episode.scene.disruptions.is_listed,
        transcript=transcript,
    )
