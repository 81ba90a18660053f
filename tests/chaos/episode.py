"""One episode: a few disputes of both APIs, and all that happens to them; one seed, one episode."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

from dispute_provider.exceptions import DisputeError
from dispute_provider.operators.sweep import FindCasesOperator
from dispute_provider.sandbox import setup
from dispute_provider.sandbox.state import World
from dispute_provider.sandbox.wire import Call
from tests.chaos import clock, people
from tests.chaos.airflow import Airflow, TaskInstance, Worker, own_tasks
from tests.chaos.facts import HANG, Finding, stage_key
from tests.chaos.faults import RandomFaults, is_reading, is_submission
from tests.chaos.judge import judge
from tests.chaos.people import AFTERWARDS, BETWEEN_TASKS, IN_THE_GAP, Outside
from tests.chaos.run import Run, Twins
from tests.chaos.site import Site
from tests.chaos.transcript import Replaced, Shown, Sweep, Transcript, pieces_of

_HOUR, _DAY = 3600.0, 86_400.0
# After so long nothing is under way any more.
_SETTLED = 600.0
AUTOMATIC = ["prefer_smart_disputes", "smart_disputes"]
_TEXTS = ["It was delivered.", "The cardholder signed.", "See the receipt.", "Zoë’s order, ☂ and all."]


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
    transcript: Transcript = field(repr=False, default_factory=Transcript)


class Scene:
    """The state of one episode."""

    def __init__(self, seed: int, site: Site) -> None:
        random.seed(seed)
        self.dice = random.Random(seed)
        self.site = site
        self.mood = Mood.draw(self.dice)
        self.told = Transcript()
        self.world = site.new_world()
        self.world.clock = clock.SandboxClock()
        self.faults = RandomFaults(seed, self.mood.fault_rate, self._before_work, self._after_work)
        self.world.faults = self.faults  # type: ignore[assignment]  # takes the rules' place
        site.wire.obstacle = self.faults.obstacle
        self.world.settings.permissive = self.dice.random() < 0.85
        self.world.settings.stale_submit = self.dice.random() < 0.2
        self.world.settings.latency = self.dice.choice([0.0, 0.0, 0.2, 1.5])
        self.outside = Outside(self.world, self.told, random.Random(seed + 2))
        self.airflow = Airflow()
        self.runs: list[Run] = []
        self.cases: dict[str, dict[str, Any]] = {}
        self.inquiries: set[str] = set()
        self._texts: dict[str, dict[str, Any]] = {}
        self._readings: dict[tuple[str, str], Shown] = {}
        self.approvals: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._hurried: list[asyncio.Task[None]] = []

    # What there is

    def make_disputes(self) -> None:
        for _ in range(self.dice.choice([1, 1, 2, 3])):
            api = self.dice.choice(["stripe", "moov"])
            inquiry = self.dice.random() < 0.35
            fields: dict[str, Any] = {
                "api": api,
                "due_in": self.dice.choice([8 * _HOUR, 7 * _DAY, 18 * _DAY]),
            }
            fields["outcome"] = self.dice.choice([None, None, None, "won", "lost"])
            if api == "stripe" and inquiry:
                fields["status"] = "warning_needs_response"
            elif api == "moov":
                fields["phase"] = "inquiry" if inquiry else "chargeback"
            if self.dice.random() < 0.3:
                names = ["customer_name", "refund_policy_disclosure"] if api == "stripe" else ["other"]
                fields["evidence"] = {self.dice.choice(names): people.FIRST}
            if api == "stripe" and self.dice.random() < self.mood.automatic:
                fields["intended_submission_method"] = self.dice.choice(AUTOMATIC)
                fields["shows_submission_method"] = self.dice.random() < 0.5
            made = setup.create(self.world, fields)
            dispute = made["id"]
            if inquiry and self.dice.random() < 0.6:
                self.inquiries.add(dispute)
            if api == "moov":
                self.told.foreign |= {item["evidenceID"] for item in made["evidence"]}
            self.told.dues[dispute] = [(clock.now() + fields["due_in"], 0.0)]
            self.cases[dispute] = self.make_case(api, dispute)

    def make_case(self, api: str, dispute: str) -> dict[str, Any]:
        dice, folder = self.dice, ["a.pdf", "b.pdf", "c.jpg"]
        case: dict[str, Any] = {"provider": api, "dispute": dispute, "prepared_by": "ben"}
        evidence: dict[str, Any]
        if api == "stripe":
            names = ["customer_name", "uncategorized_text", "product_description"]
            evidence = {name: dice.choice(_TEXTS) for name in dice.sample(names, dice.randint(1, 3))}
            if dice.random() < 0.5:
                evidence[dice.choice(["receipt", "service_documentation"])] = {"file": dice.choice(folder)}
        else:
            evidence = {"cover-letter": dice.choice(_TEXTS)}
            if dice.random() < 0.5:
                evidence["receipt"] = [{"file": name} for name in dice.sample(folder, dice.randint(1, 2))]
            if dice.random() < 0.4:
                evidence["other"] = dice.choices(_TEXTS, k=2)
            self._note_wanted(dispute, evidence)
        case["evidence"] = evidence
        return case

    def _note_wanted(self, dispute: str, evidence: dict[str, Any]) -> None:
        """How often each text is to be there, over all cases that claim the dispute."""
        wanted = self.told.wanted.setdefault(dispute, Counter())
        for name, value in evidence.items():
            texts = value if isinstance(value, list) else [value]
            wanted.update((name, text) for text in texts if isinstance(text, str))

    # What happens

    async def play(self) -> None:
        self.make_disputes()
        disputes = list(self.cases)
        first = [self.start(disputes)]
        # Runs that meet with different cases for a dispute have no lock that knows the dispute yet.
        for _ in range(0 if self.mood.twins else self.dice.choice([0, 0, 1, 1, 2])):
            least = len(disputes) if self.mood.together else 1
            some = self.dice.sample(disputes, self.dice.randint(least, len(disputes)))
            first.append(self.start(some, self.dice.choice([0.0, 0.0, 1.0, 600.0])))
        if self.mood.sweeps:
            first.append(self.sweep())
        await asyncio.gather(*first)
        await self._wait_for_hurried()
        for _ in range(2):
            await asyncio.sleep(1)
            self.afterwards()
            await asyncio.sleep(self.dice.uniform(60, 3000))
            await self.clear_some()
            if again := [dispute for dispute in disputes if self.outside.is_open(dispute)]:
                if self.dice.random() < 0.8:
                    await self.start(again)
            else:
                break
        await self._wait_for_hurried()
        await asyncio.sleep(_SETTLED)

    async def _wait_for_hurried(self) -> None:
        while self._hurried:
            await self._hurried.pop()

    def start(self, disputes: list[str], after: float = 0.0, *, hurried: bool = False) -> Any:
        """A run for these; one of each API by itself, or all of them together."""
        cases = {dispute: self.cases[dispute] for dispute in disputes}
        twins: Twins | None = None
        if self.mood.twins and not hurried and self.dice.random() < 0.7:
            claimed = self.dice.sample(disputes, self.dice.randint(1, len(disputes)))
            again = {dispute: self._second_case(dispute) for dispute in claimed}
            twins = Twins(self.mood.twins, again)
            if twins.where != "batch":
                self.told.contested |= {one for one, case in again.items() if case is not self.cases[one]}
        run = Run(self, f"run{len(self.runs) + 1}", cases, twins, hurried=hurried)
        self.runs.append(run)
        if twins and twins.where == "batch":
            self.told.claimed_twice |= {(run.name, dispute) for dispute in twins.cases}
        self.told.given[run.name] = [*disputes, *(twins.cases if twins else ())]
        return run.play(after)

    def _second_case(self, dispute: str) -> dict[str, Any]:
        """Another case for a dispute, or the same once more."""
        case = self.cases[dispute]
        return case if self.dice.random() < 0.3 else self.make_case(case["provider"], dispute)

    async def sweep(self) -> None:
        """Look for cases where there are none, at both APIs; broken items are among the disputes listed."""
        for api in ("stripe", "moov"):
            await asyncio.sleep(self.dice.uniform(0, 600))
            instance = TaskInstance("find")
            operator = FindCasesOperator(
                task_id="find", conn_id=f"{api}_default", folder=self.site.empty_folder
            )
            worker = Worker(f"sweep/{api}/find/1", None, self.faults.draw("sweep", api))
            before = self._open_at(api)
            try:
                await worker.run(operator.aexecute(self.airflow.context("sweep", instance, worker)))
            except DisputeError:
                continue
            named = {record["dispute"] for record in instance.pushed["without_case"]}
            self.told.sweeps.append(Sweep(clock.now(), before & self._open_at(api), frozenset(named)))

    def _open_at(self, api: str) -> frozenset[str]:
        mine = [dispute for dispute, case in self.cases.items() if case["provider"] == api]
        return frozenset(filter(self.outside.is_open, mine))

    async def clear_some(self) -> None:
        """Somebody clears tasks of finished runs by hand."""
        cleared = [run for run in self.runs if run.ended and self.dice.random() < self.mood.clears]
        await asyncio.gather(
            *(run.clear(self.dice.choice(["submit", "submit", "review", "stage"])) for run in cleared)
        )

    def submission_broken(self, disputes: list[str]) -> None:
        """A worker died at a submission; what it has sent may still answer the stage that comes next."""
        escalating = [one for one in disputes if one in self.inquiries and self.dice.random() < 0.3]
        for dispute in escalating:
            self._escalate(dispute)
        if escalating:
            self._hurried.append(asyncio.ensure_future(self.start(escalating, hurried=True)))

    def _escalate(self, dispute: str) -> None:
        self.inquiries.discard(dispute)
        moov = self.cases[dispute]["provider"] == "moov"
        self.outside.reopen(dispute, **({"phase": "chargeback"} if moov else {}))
        self.told.disturbed.append((clock.now(), dispute, "escalated"))

    def afterwards(self) -> None:
        """What issuers do once a dispute was answered."""
        for dispute in self.cases:
            if dispute in self.inquiries and not self.outside.is_open(dispute):
                self._escalate(dispute)
            elif self.dice.random() < max(self.mood.disturbance, 0.05):
                self.outside.disturb(dispute, AFTERWARDS)

    def between_tasks(self, disputes: list[str]) -> None:
        for dispute in disputes:
            if self.dice.random() < self.mood.disturbance:
                self.outside.disturb(dispute, BETWEEN_TASKS)

    def _before_work(self, call: Call) -> None:
        """A request arrives; for a submission, the last moment for a colleague."""
        if call.dispute not in self.cases:
            return
        if is_submission(call) and self.mood.gap:
            dice = self.faults.draw(call.dispute, "gap")
            if dice.random() < self.mood.gap:
                self.outside.dice, before = dice, self.outside.dice
                self.told.gap_edits += self.outside.disturb(call.dispute, IN_THE_GAP)
                self.outside.dice = before
        if call.operation == "PostDisputesDispute":
            self._texts[call.request_id] = dict(self.world.stripe[call.dispute].evidence)

    # What is seen

    def _after_work(self, call: Call) -> None:
        if call.dispute not in self.cases:
            return
        if is_reading(call):
            self._note_reading(call)
        elif call.changed and call.request_id in self._texts:
            self._note_replaced(call, self._texts[call.request_id])

    def _note_replaced(self, call: Call, before: dict[str, Any]) -> None:
        """Which of a colleague's texts a request of ours has replaced while staging."""
        worker = call.headers.get("x-chaos-try", "")
        dispute = str(call.dispute)
        if "/stage" not in worker:
            return
        after = self.world.stripe[dispute].evidence
        for name, text in before.items():
            if isinstance(text, str) and people.is_a_colleagues(text) and after.get(name) != text:
                self.told.replaced.append(Replaced(worker.split("/")[0], dispute, name, text))

    def _note_reading(self, call: Call) -> None:
        """What a worker was shown of a dispute; Moov's takes two requests, and its stage is in the first."""
        described = setup.describe(self.world, setup.find(self.world, str(call.dispute)))
        dispute = str(call.dispute)
        key = (call.headers.get("x-chaos-try", ""), dispute)
        stage = stage_key(described["stage"], len(self.told.openings.get(dispute, ())))
        shown = Shown(clock.now(), stage, pieces_of(described["api"], described["evidence"], self.files()))
        first = self._readings.get(key)
        if first and call.operation == "listDisputeEvidence":
            shown = Shown(first.at, first.stage, shown.pieces)
        self._readings[key] = shown

    def shown(self, worker: str, disputes: list[str]) -> dict[str, Shown]:
        """What a worker has read last of these disputes."""
        return {dispute: self._readings[worker, dispute] for dispute in disputes}

    def files(self) -> dict[str, str]:
        return {name: f"{file.filename}:{len(file.content)}" for name, file in self.world.files.items()}

    def close(self) -> Transcript:
        """Hand everything to the judge."""
        self.told.files = self.files()
        self.told.unstaged = self.outside.unclean
        self.told.journal = self.world.journal.tell()
        self.told.receipts = self.site.take_receipts()
        for dispute in self.cases:
            self.told.disputes[dispute] = setup.describe(self.world, setup.find(self.world, dispute))
        self.told.connections_refused = len(self.faults.refused)
        self.told.disturbed += [(at, "*", "no connection") for at in self.faults.refused]
        return self.told


def play(seed: int, site: Site) -> Verdict:
    """Play one episode and judge it."""
    scene: Scene | None = None
    hang: list[Finding] = []
    seconds = 0.0

    async def whole() -> None:
        nonlocal scene, seconds
        loop = asyncio.get_running_loop()
        loop.set_task_factory(own_tasks)
        scene = Scene(seed, site)
        await scene.play()
        seconds = loop.time()

    try:
        clock.run(whole())
    except clock.HangError as error:
        hang = [Finding(HANG, "*", str(error))]
    assert scene is not None
    told = scene.close()
    states: Counter[str] = Counter()
    for run in scene.runs:
        states.update(record["state"] for record in run.result)
    return Verdict(
        seed=seed,
        findings=[*hang, *judge(told)],
        requests=len(told.journal) + told.connections_refused,
        faults=sum(1 for entry in told.journal if entry["fault"]) + told.connections_refused,
        crashes=told.crashes,
        gap_edits=told.gap_edits,
        states=states,
        seconds=seconds,
        transcript=told,
    )


__all__ = ["Mood", "Scene", "Verdict", "World", "play"]
