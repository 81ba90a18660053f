"""Run the demo once Airflow is up: sweeps, reviews, and the decisions of the banks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from demo import table
from demo.dispute import DemoDispute
from dispute_provider import Record
from dispute_provider.sandbox import Sandbox
from tests.harness.processes import Airflow
from tests.harness.progress import DemoError, Progress
from tests.harness.rest import REVIEW, SWEEP, Rest

# Airflow 3.3 fails a task if its answer arrives before the scheduler knows that the task waits for one.
_BEFORE_ANSWERING = 5.0
_FOR_OUTCOMES = 30.0


class Flow:
    """The demo's run.

    :param rest: logged in as the reviewer.
    """

    def __init__(
        self, disputes: Sequence[DemoDispute], cases: Path, sandbox: Sandbox, airflow: Airflow, rest: Rest
    ) -> None:
        self.disputes = disputes
        self.cases = cases
        self.sandbox = sandbox
        self.airflow = airflow
        self.rest = rest
        self._statuses: dict[str, str] = {}
        self._escalated: set[str] = set()
        self._answer_from: dict[str, float] = {}
        self._quiet_since: float | None = None

    def wait_for_airflow(self, progress: Progress) -> None:
        """Wait until all components are healthy and the DAGs are read."""
        while not self.rest.is_healthy():
            self._wait(progress, "Airflow starts")
        for dag in (SWEEP, REVIEW):
            while not self.rest.has_dag(dag):
                if errors := self.rest.unreadable_dags():
                    raise DemoError("Airflow cannot read a DAG", errors)
                self._wait(progress, f"Airflow reads its DAGs, {dag} is missing")
        progress.report(f"Airflow is ready at {self.airflow.url}")

    def open_reviews(self, progress: Progress) -> None:
        """Start a sweep, and wait until it has opened its reviews."""
        self._statuses = {dispute["id"]: dispute["status"] for dispute in self.sandbox.disputes()}
        self._sweep(progress)
        expected = len({dispute.connection for dispute in self.disputes})
        # Count their runs: a person may answer one before the last is open.
        while (opened := len(self.rest.runs(REVIEW))) < expected:
            if all(self.rest.runs(SWEEP).values()) and len(self.rest.runs(REVIEW)) < expected:
                raise DemoError(f"the sweep has ended and opened {opened} of {expected} reviews")
            self._wait(progress, f"the sweep stages the cases, {opened} of {expected} reviews are open")

    def stand_by(self, progress: Progress) -> int:
        """Leave the reviews to a person, and report changes, until interrupted."""
        progress.unlimited()
        page = f"{self.airflow.url}/required_actions?response_received=false"
        login = f"log in as ana with the password {self.airflow.passwords['ana']}"
        how = "click a review, read it, choose under Options at its end and press Respond"
        progress.report(f"Open {page} – {login}, {how}. Ctrl-C ends the demo.")
        while True:
            self._follow(progress)
            self._wait(progress, f"{len(self.rest.reviews())} reviews wait for your answer", 2.0)

    def answer_and_check(self, progress: Progress) -> int:
        """Answer all reviews, wait for the outcomes, show and check them.

        :returns: 0 if every dispute has ended as expected, else 1.
        """
        while waiting := self._waiting_for():
            self._follow(progress)
            self._answer(progress)
            self._wait(progress, waiting)
        records = self._records()
        held = {dispute["id"]: dispute for dispute in self.sandbox.disputes()}
        progress.report("all reviews are answered and all outcomes known")
        table.show(records, held)
        mistakes = table.mistakes(self.disputes, records, self.sandbox.journal(), held)
        for mistake in mistakes:
            print(f"MISTAKE: {mistake}")
        verdict = "wrong" if mistakes else "every dispute ended as expected, by the sandbox's journal"
        print(f"{verdict}; it took {progress.minutes:.1f} minutes", flush=True)
        return 1 if mistakes else 0

    def _wait(self, progress: Progress, what: str, seconds: float = 1.0) -> None:
        self.airflow.check()
        progress.wait(what, seconds)

    def _sweep(self, progress: Progress) -> None:
        progress.report(f"{SWEEP} is started: {self.rest.trigger(SWEEP)}")

    def _follow(self, progress: Progress) -> None:
        """Report changes; add evidence to an inquiry that has become a chargeback, and start a sweep."""
        for held in self.sandbox.disputes():
            # A person may create disputes on the sandbox meanwhile.
            before, now = self._statuses.get(held["id"]), held["status"]
            self._statuses[held["id"]] = now
            if before is None:
                progress.report(f"{held['id']}: new, {now}; the next run of {SWEEP} will look for its case")
            elif before != now:
                progress.report(f"{held['id']}: {before} → {now}")
        for dispute in self.disputes:
            became_chargeback = dispute.later and self._statuses.get(dispute.id) == "needs_response"
            if became_chargeback and dispute.id not in self._escalated:
                self._escalated.add(dispute.id)
                dispute.write_case(self.cases, escalated=True)
                progress.report(f"{dispute.id}: added evidence for the chargeback to its case")
                self._sweep(progress)

    def _answer(self, progress: Progress) -> None:
        """Approve or reject disputes in all reviews that have been open long enough."""
        rejected = {dispute.id for dispute in self.disputes if dispute.rejected}
        for review in self.rest.reviews():
            run = review["task_instance"]["dag_run_id"]
            if time.monotonic() < self._answer_from.setdefault(run, time.monotonic() + _BEFORE_ANSWERING):
                continue
            # A batch names its disputes in its options, a single dispute in its subject.
            named = {
                dispute.id: option
                for dispute in self.disputes
                for option in (review["options"] if review["multiple"] else review["options"][:1])
                if dispute.id in (option if review["multiple"] else review["subject"])
            }
            chosen = [option for dispute, option in named.items() if dispute not in rejected]
            fields: dict[str, Any] = {"note": "Compared with the documents."}
            if "reject" in review["params"]:
                fields["reject"] = sorted(rejected & named.keys())
            # If the review opens again, it is answered again, after the same pause.
            del self._answer_from[run]
            try:
                self.rest.answer(run, chosen, fields)
            except httpx.HTTPError as error:
                progress.report(f"the answer failed and will be repeated: {error}")
            else:
                progress.report(f"ana approved {len(chosen)} of {len(named)}: {review['subject']}")

    def _waiting_for(self) -> str:
        """Return what is still missing; empty if nothing is, or if the outcomes take too long."""
        if not all(self.rest.runs(SWEEP).values()):
            self._quiet_since = None
            return "a sweep looks for new and changed disputes"
        if unfinished := [done for done in self.rest.runs(REVIEW).values() if not done]:
            self._quiet_since = None
            return f"{len(unfinished)} reviews are open"
        open_ends = sum(self._statuses.get(dispute.id) != dispute.status for dispute in self.disputes)
        self._quiet_since = self._quiet_since or time.monotonic()
        if not open_ends or time.monotonic() - self._quiet_since > _FOR_OUTCOMES:
            return ""
        return f"the banks decide on {open_ends} disputes"

    def _records(self) -> list[Record]:
        """Return the last record of each stage of each dispute, from all runs."""
        lists: list[Any] = []
        for run in self.rest.runs(SWEEP):
            for index in range(len({dispute.connection for dispute in self.disputes})):
                lists.append(self.rest.xcom(SWEEP, run, "contest.find", "without_case", index))
                staged = self.rest.xcom(SWEEP, run, "contest.stage", map_index=index)
                if isinstance(staged, list):
                    lists.append([record for record in staged if record["state"] != "staged"])
        lists += [
            self.rest.xcom(REVIEW, run, "submit") or self.rest.xcom(REVIEW, run, "review")
            for run in self.rest.runs(REVIEW)
        ]
        # With many disputes that a person has added, a list may be a reference instead.
        records = [Record.from_dict(each) for found in lists if isinstance(found, list) for each in found]
        return list({(record.dispute, record.stage): record for record in records}.values())
