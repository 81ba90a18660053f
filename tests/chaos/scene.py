"""The scene of an episode: disputes, cases and other people, and what each worker has read."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

from dispute_provider._state.ledger_id import LEDGER
from dispute_provider.sandbox import _setup as setup
from dispute_provider.sandbox._wire import Call, Response
from tests.chaos.disruptions import Disruptions
from tests.chaos.facts import stage_key
from tests.chaos.mood import Mood
from tests.chaos.people import colleagues
from tests.chaos.people.colleagues import AFTERWARDS, BETWEEN_TASKS, IN_THE_GAP, Outside
from tests.chaos.situation import Situation
from tests.chaos.transcript import Replaced, Shown, Transcript, pieces_of
from tests.chaos.world import clock
from tests.chaos.world.airflow import Airflow
from tests.chaos.world.calls import is_reading, is_submission
from tests.chaos.world.faults import RandomFaults
from tests.chaos.world.keys import Keys
from tests.chaos.world.ledgers import final_ends, new_store
from tests.chaos.world.replicas import Replicas
from tests.chaos.world.site import Site
from tests.chaos.world.worker import Conditions, Crash, Freeze, draw_crash, draw_freeze

_HOUR, _DAY = 3600.0, 86_400.0
# Calls to stores that fail, in one episode.
_MOST_BREAKS = 12
_MOST_CRASHES = 6
_MOST_STRAYS = 4
_MOST_FREEZES = 8
_TEXT_FIELDS = ["customer_name", "uncategorized_text", "product_description"]
_AUTOMATIC = ["prefer_smart_disputes", "smart_disputes"]
_TEXTS = ["It was delivered.", "The cardholder signed.", "See the receipt.", "Zoë’s order, ☂ and all."]


class Scene:
    """The state of one episode, apart from its runs.

    :param situation: what happens to its single dispute; None draws all of it.
    """

    def __init__(
        self,
        seed: int,
        site: Site,
        situation: Situation | None = None,
    ) -> None:
        random.seed(seed)
        self.dice = random.Random(seed)
        self.site = site
        self.situation = situation
        self.mood = Mood.of(situation) if situation else Mood.draw(self.dice)
        self.disruptions = (
            situation.disruptions if situation else Disruptions.draw(random.Random(f"{seed}/disruptions"))
        )
        self.replies = list(situation.replies) if situation else []
        self.transcript = Transcript(two_ledgers=self.disruptions.two_ledgers)
        self.world = site.new_world()
        self.world.clock = clock.SandboxClock()
        self._replicas = Replicas()
        self.faults = RandomFaults(
            seed,
            self.mood.fault_rate,
            self._before_work,
            self._after_work,
            self._shown_before,
            self._replicas.may_answer,
            # Of two readings for two records of one dispute, nothing shows which one a form is made of.
            0.0 if self.mood.twins else self.disruptions.stale,
            self.disruptions.stored_500s,
            situation.planned if situation else (),
        )
        self.world.faults = self.faults  # type: ignore[assignment]  # takes the rules' place
        site.wire.obstacle = self.faults.obstacle
        self.world.settings.permissive = self.dice.random() < 0.85
        self.world.settings.stale_submit = self.dice.random() < 0.2
        self.world.settings.latency = self.dice.choice([0.0, 0.0, 0.2, 1.5])
        self.outside = Outside(self.world, self.transcript, random.Random(seed + 2))
        self.deployments = self._deployments()
        self.keys = Keys(self.world, site)
        self.cases: dict[str, dict[str, Any]] = {}
        self.inquiries: set[str] = set()
        self._texts: dict[str, dict[str, Any]] = {}
        self._readings: dict[tuple[str, str], Shown] = {}
        self._breaks = 0
        self._first = situation.first if situation else None
        self._is_taken_over = False
        self.mood.together |= self.disruptions.takeover
        self.approvals: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    # What there is

    def _deployments(self) -> list[Airflow]:
        skew = self.disruptions.skew
        ledgers = [new_store(self.dice.uniform(-skew, skew)) for _ in range(self.disruptions.deployments)]
        return [Airflow(ledger if self.disruptions.two_ledgers else ledgers[0]) for ledger in ledgers]

    def conditions(self, airflow: Airflow, run: str, task: str, dice: random.Random) -> Conditions:
        """Draw what the worker of a run's task meets with."""
        disruptions = self.disruptions
        rate = self.mood.crash_rate if self.transcript.crashes < _MOST_CRASHES else 0.0
        crash, freeze = draw_crash(dice, rate), draw_freeze(dice, disruptions.freezes)
        if self.transcript.drawn["frozen"] >= _MOST_FREEZES:
            freeze = None
        if self._first and self.situation and task.startswith(self.situation.first_task):
            freeze = self._first if isinstance(self._first, Freeze) else None
            crash = self._first if isinstance(self._first, Crash) else None
            # A review has several workers; not all of them come to the point.
            self._first = None if task == "submit" or self.transcript.crashes else self._first
        if disruptions.takeover and task == "submit" and not self._is_taken_over:
            crash, self._is_taken_over = Crash("after ledger"), True
        is_stray = dice.random() < disruptions.strays and bool(airflow.assets.get(LEDGER.uri))
        is_stray &= self.transcript.drawn["stray"] < _MOST_STRAYS
        is_stray &= disruptions.strays_at in ("", task)
        ledger = new_store(0.0) if is_stray else airflow.ledger
        skew = dice.uniform(-disruptions.skew, disruptions.skew)

        def noted(what: str) -> None:
            self._breaks += what.endswith("down")
            # Whoever comes to an edited ledger is held.
            self.note("*" if what == "forged" else run, what)

        if is_stray:
            noted("stray")
        breaks = disruptions.breaks if self._breaks < _MOST_BREAKS else {}
        return Conditions(crash, freeze, skew, breaks, disruptions.forgeries, noted, lambda: ledger)

    def note(self, which: str, what: str) -> None:
        """Note what has happened to a run, or to everything: ``*``."""
        self.transcript.disturbed.append((clock.now(), which, what))
        self.transcript.drawn[what] += 1

    def make_disputes(self, only: str | None = None) -> None:
        """Make a few disputes.

        :param only: the API of a single chargeback; None, the default, for several of both.
        """
        for _ in range(1 if only else self.dice.choice([1, 1, 2, 3])):
            api = only or self.dice.choice(["stripe", "moov"])
            inquiry = self.situation.is_inquiry if self.situation else self.dice.random() < 0.35
            fields: dict[str, Any] = {
                "api": api,
                "due_in": self.dice.choice([8 * _HOUR, 7 * _DAY, 18 * _DAY]),
            }
            if self.situation and self.situation.due_in:
                fields["due_in"] = self.situation.due_in
            fields["outcome"] = self.dice.choice([None, None, None, "won", "lost"])
            if api == "stripe" and inquiry:
                fields["status"] = "warning_needs_response"
            elif api == "moov":
                fields["phase"] = "inquiry" if inquiry else "chargeback"
            if self.situation and self.situation.has_texts and api == "stripe":
                fields["evidence"] = dict.fromkeys(_TEXT_FIELDS, colleagues.FIRST)
            elif self.dice.random() < 0.3:
                names = ["customer_name", "refund_policy_disclosure"] if api == "stripe" else ["other"]
                fields["evidence"] = {self.dice.choice(names): colleagues.FIRST}
            if api == "stripe" and self.dice.random() < self.mood.automatic:
                fields["intended_submission_method"] = self.dice.choice(_AUTOMATIC)
                fields["shows_submission_method"] = self.dice.random() < 0.5
            made = setup.create(self.world, fields)
            dispute = made["id"]
            if inquiry and (self.situation or self.dice.random() < 0.6):
                self.inquiries.add(dispute)
            if api == "moov":
                self.transcript.foreign |= {item["evidenceID"] for item in made["evidence"]}
            self.transcript.dues[dispute] = [(clock.now() + fields["due_in"], 0.0)]
            self.cases[dispute] = self.make_case(api, dispute)

    def make_case(self, api: str, dispute: str) -> dict[str, Any]:
        dice, folder = self.dice, ["a.pdf", "b.pdf", "c.jpg"]
        case: dict[str, Any] = {"provider": api, "dispute": dispute, "prepared_by": "ben"}
        evidence: dict[str, Any]
        if api == "stripe":
            names = dice.sample(_TEXT_FIELDS, dice.randint(1, 3))
            evidence = {name: dice.choice(_TEXTS) for name in names}
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
        wanted = self.transcript.wanted.setdefault(dispute, Counter())
        for name, value in evidence.items():
            texts = value if isinstance(value, list) else [value]
            wanted.update((name, text) for text in texts if isinstance(text, str))

    # What other people do

    def escalate(self, dispute: str) -> None:
        """The issuer makes a chargeback of an inquiry."""
        self.inquiries.discard(dispute)
        moov = self.cases[dispute]["provider"] == "moov"
        self.outside.reopen(dispute, **({"phase": "chargeback"} if moov else {}))
        self.transcript.disturbed.append((clock.now(), dispute, "escalated"))

    def afterwards(self) -> None:
        """What issuers do once a dispute was answered."""
        for dispute in self.cases:
            if dispute in self.inquiries and not self.outside.is_open(dispute):
                self.escalate(dispute)
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
        if self.disruptions.colleague:
            dice = self.faults.draw(call.dispute, "colleague")
            if dice.random() < self.disruptions.colleague:
                self._disturb(call.dispute, dice, BETWEEN_TASKS)
        if is_submission(call) and self.mood.gap:
            dice = self.faults.draw(call.dispute, "gap")
            if dice.random() < self.mood.gap:
                self.transcript.gap_edits += self._disturb(call.dispute, dice, IN_THE_GAP)
        if call.operation == "PostDisputesDispute":
            self._texts[call.request_id] = dict(self.world.stripe[call.dispute].evidence)

    def _disturb(self, dispute: str, dice: random.Random, acts: dict[str, int]) -> bool:
        self.outside.dice, before = dice, self.outside.dice
        done = self.outside.disturb(dispute, acts)
        self.outside.dice = before
        return done

    # What is seen

    def _after_work(self, call: Call, reply: Response) -> None:
        if call.dispute not in self.cases:
            return
        if is_reading(call):
            described = setup.describe(self.world, setup.find(self.world, str(call.dispute)))
            shown = self._reading(described)
            if self.disruptions.stale:
                self._replicas.note(call, reply, shown)
            self._note_reading(call, shown)
        elif call.changed and call.request_id in self._texts:
            self._note_replaced(call, self._texts[call.request_id])

    def _note_replaced(self, call: Call, before: dict[str, Any]) -> None:
        """Which of a colleague's texts a request of ours has replaced while staging.

        What was written between the worker's last reading and its request, nobody can have seen.
        """
        worker = call.headers.get("x-chaos-try", "")
        dispute = str(call.dispute)
        if "/stage" not in worker:
            return
        after = self.world.stripe[dispute].evidence
        shown = self._readings[worker, dispute].pieces if (worker, dispute) in self._readings else ()
        for name, text in before.items():
            if (name, text) in shown and colleagues.is_a_colleagues(text) and after.get(name) != text:
                run, _, task, _ = worker.split("/")
                self.transcript.replaced.append(Replaced(clock.now(), (run, task), dispute, name, text))

    def _shown_before(self, call: Call) -> Response:
        answered = self._replicas.answer(call)
        self._note_reading(call, replace(answered.shown, at=clock.now()))
        return answered.reply

    def _reading(self, described: dict[str, Any]) -> Shown:
        openings = len(self.transcript.openings.get(described["id"], ()))
        pieces = pieces_of(described["api"], described["evidence"], self.files())
        return Shown(clock.now(), stage_key(described["stage"], openings), pieces)

    def _note_reading(self, call: Call, shown: Shown) -> None:
        """Note what a worker was shown of a dispute.

        Moov's takes two requests, and its stage is in the first. Downloading a document shows nothing else.
        """
        if call.operation == "getDisputeEvidenceData":
            return
        key = call.headers.get("x-chaos-try", ""), str(call.dispute)
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
        self.transcript.files = self.files()
        self.transcript.unstaged = self.outside.unclean
        self.transcript.journal = self.world.journal.describe()
        self.transcript.ends = [
            end
            for ledger in {id(each.ledger): each.ledger for each in self.deployments}.values()
            for end in final_ends(ledger)
        ]
        self.transcript.receipts = self.site.take_receipts()
        for dispute in self.cases:
            self.transcript.disputes[dispute] = setup.describe(self.world, setup.find(self.world, dispute))
        self.transcript.connections_refused = len(self.faults.refused)
        self.transcript.disturbed += [(at, "*", "no connection") for at in self.faults.refused]
        return self.transcript
