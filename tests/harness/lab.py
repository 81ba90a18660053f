"""One Airflow and one sandbox, and runs that contest its disputes."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from dispute_provider._evidence.record import Record
from dispute_provider.sandbox import Sandbox
from tests.harness.client import Client
from tests.harness.documents import letter
from tests.harness.processes import Airflow
from tests.harness.rest import REVIEW, SWEEP

T = TypeVar("T")
# Just below the time for which a task waits for an answer.
HOLD_SECONDS = 70.0
_LOOK_AGAIN = 2.0
# Only a hang takes longer; other work may load the machine.
_PATIENCE = 900.0
# Secrets: the sandbox knows them, and Airflow may keep them only in its connections.
KEYS = {
    "stripe": f"sk_test_{secrets.token_hex(16)}",
    "moov": secrets.token_hex(16),
}
PUBLIC_KEY = "engine_public"
# The file in a lab's folder that ``[dispute] signing_key_cmd`` reads.
SIGNING_KEYS = "signing_keys"
_ENDED = ("success", "failed")
_OVER = (*_ENDED, "skipped", "upstream_failed")
_SUBMISSION = {"stripe": "PostDisputesDispute", "moov": "submitDisputeEvidence"}
_READING = {"stripe": "GetDisputesDispute", "moov": "getDispute"}
_EVIDENCE: Mapping[str, Mapping[str, Any]] = {
    "stripe": {"customer_name": "Robin Larsen", "receipt": {"file": "receipt.pdf"}},
    "moov": {"cover-letter": "Delivered and signed for.", "receipt": {"file": "receipt.pdf"}},
}


@dataclass(frozen=True)
class Lab:
    """One Airflow, its sandbox and its folders.

    :param ana: a client of the reviewer.
    :param admin: a client of the administrator.
    :param folder: for all files.
    """

    sandbox: Sandbox
    airflow: Airflow
    ana: Client
    admin: Client
    folder: Path

    @property
    def dags(self) -> Path:
        return self.folder / "dags"

    @property
    def cases(self) -> Path:
        return self.folder / "cases"

    @property
    def receipts(self) -> Path:
        return self.folder / "receipts"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def store(self) -> Path:
        return self.ledger / "evidence"

    def dispute(self, api: str, evidence: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """Create a dispute and a case for it; return its id."""
        made = str(self.sandbox.create_dispute(api=api, **fields)["id"])
        folder = self.cases / made
        folder.mkdir(parents=True)
        (folder / "receipt.pdf").write_bytes(letter("Receipt", f"Paid by {made}."))
        case = {"provider": api, "dispute": made, "evidence": evidence or _EVIDENCE[api]}
        self.case(made).write_text(json.dumps(case))
        return made

    def case(self, dispute: str) -> Path:
        return self.cases / dispute / "case.json"

    def run(self, dag_id: str, conf: Mapping[str, Any], api: str = "", dispute: str = "") -> Run:
        """Start a run."""
        return Run(self, api, dispute, dag_id, self.ana.start(dag_id, dict(conf)))

    def contest(self, api: str, dispute: str, dag_id: str = "contest", **params: Any) -> Run:
        """Start a run that contests a dispute with its case.

        :param params: of the run, in addition to its connection and its case, or instead of them.
        """
        conf = {"conn_id": f"{api}_default", "case_path": str(self.case(dispute)), **params}
        return self.run(dag_id, conf, api, dispute)

    def sweep(self) -> list[Run]:
        """Start a sweep; return the runs of the reviews that it opens, once these wait for an answer."""
        before = set(self.ana.runs(REVIEW))
        assert self.run(SWEEP, {}).wait_for_end() == "success"
        opened = [run_id for run_id in self.ana.runs(REVIEW) if run_id not in before]
        runs = [Run(self, "", "", REVIEW, run_id) for run_id in opened]
        self.wait_for_reviews(*runs)
        return runs

    def wait_for_reviews(self, *runs: Run) -> None:
        """Wait until the reviews of these runs are open and can be answered."""
        for run in runs:
            self.until(f"the review of {run.run_id}", run.is_parked)

    def signing_keys(self) -> list[str]:
        """Return the keys that records are signed under, newest first."""
        return (self.folder / SIGNING_KEYS).read_text().split(",")

    def rotate_signing_key(self) -> None:
        """Sign with a new key from now on; all earlier keys still verify."""
        new = self.folder / "new_signing_keys"
        new.write_text(",".join([secrets.token_hex(32), *self.signing_keys()]))
        # Atomic, so that a task that reads now finds either the old keys or the new ones.
        new.replace(self.folder / SIGNING_KEYS)

    def submissions(self, dispute: str) -> list[dict[str, Any]]:
        """Return the requests that submitted a dispute's evidence, from the sandbox's journal."""
        return self.sandbox.journal(dispute=dispute, submitted=True)

    def answer_to(self, seq: int) -> bytes:
        """Return the whole body of the answer to a request; the journal shows the beginning of it only.

        :param seq: of the request's entry in the journal.
        """
        entries = self._world.journal._entries
        return bytes(next(entry.answer.body for entry in entries if entry.seq == seq))

    def minted(self) -> list[str]:
        """Return the tokens that the sandbox has issued; no API of it shows them."""
        return list(self._world.tokens)

    @property
    def _world(self) -> Any:
        return self.sandbox._server.config.app.control.world  # type: ignore[union-attr]  # any application

    def hold(
        self, point: str, api: str, dispute: str, seconds: float = HOLD_SECONDS, times: int = 1, nth: int = 1
    ) -> str:
        """Have the sandbox hold the next request of a kind, or its answer; return the rule's name.

        :param point: ``reading``, ``submission`` or ``reading back``; with ``'s answer``, the request is
            carried out and its answer held.
        :param seconds: how long each is held, unless the rule is removed before.
        :param times: how many are held.
        :param nth: the first of them that is held, from 1.
        """
        operation = (_SUBMISSION if point.startswith("submission") else _READING)[api]
        name = f"{point} of {dispute}"
        self.sandbox.fault(
            name=name,
            effect="delay-after" if point.endswith("answer") else "delay",
            operation=operation,
            dispute=dispute,
            nth=2 if point == "reading back" else nth,
            times=times,
            seconds=seconds,
        )
        return name

    def release(self, name: str) -> None:
        """Send the answers that a rule holds."""
        self.sandbox.remove_fault(name)

    def held(self, name: str) -> int:
        """Return how many requests a rule has held so far."""
        return int(next(fault["spoilt"] for fault in self.sandbox.faults() if fault["name"] == name))

    def is_carried_out(self, name: str, dispute: str) -> bool:
        """Return whether the sandbox has carried out a request that a rule held."""
        return any(entry["fault"] == name for entry in self.sandbox.journal(dispute=dispute))

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """Call a function until it returns something true, and return that.

        :param what: is waited for; appears in the error.
        :raises TimeoutError: after 15 minutes, with the errors of Airflow's logs.
        """
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            self.airflow.check()
            if found := look():
                return found
            time.sleep(_LOOK_AGAIN)
        raise TimeoutError(f"gave up after 15 minutes: waiting for {what}\n{self.airflow.tail()}")

    def shell(self, line: str, **variables: str) -> None:
        """Run a shell command with Airflow's environment.

        :raises AssertionError: if it fails.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        path = f"{Path(sys.executable).parent}:{environment['PATH']}"
        done = subprocess.run(  # a line of our own documents
            ["/bin/bash", "-c", line],
            env={**environment, **variables, "PATH": path, "AIRFLOW_HOME": str(self.airflow.home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Run:
    """A run that contests one dispute."""

    lab: Lab
    api: str
    dispute: str
    dag_id: str
    run_id: str

    def approve(self, note: str = "", map_index: int = -1) -> None:
        """Approve its review, or one of its mapped reviews."""
        review = f"review/{map_index}"
        form = self.lab.ana.form(self.dag_id, self.run_id, review)
        assert form is not None
        self.lab.ana.respond(self.dag_id, self.run_id, form["options"][:1], note, review)

    def task(self, task: str) -> dict[str, Any]:
        return self.lab.ana.task(self.dag_id, self.run_id, task)

    def is_parked(self) -> bool:
        """Return whether its review is open, and the scheduler knows it: an earlier answer fails the task.

        :raises AssertionError: if the review has ended without a question.
        """
        review = self.task("review")
        assert review["state"] not in _OVER, f"{self.dag_id} {self.run_id} ended its review unanswered"
        return self._awaits_input(review, -1)

    def parked(self) -> list[int]:
        """Return the map indexes of its open reviews; see :meth:`is_parked`."""
        tasks = self.lab.ana.tasks(self.dag_id, self.run_id)
        reviews = [task for task in tasks if task["task_id"] == "review" and task["map_index"] >= 0]
        return [each["map_index"] for each in reviews if self._awaits_input(each, each["map_index"])]

    def _awaits_input(self, review: dict[str, Any], map_index: int) -> bool:
        parts = (
            "TaskInstance Finished",
            f"task_id=review, run_id={self.run_id}, map_index={map_index}, ",
            f" try_number={review['try_number']}, ",
        )
        return review["state"] == "awaiting_input" and any(
            all(part in line for part in parts) for line in self.lab.airflow.log("scheduler")
        )

    def wait_for_end(self) -> str:
        """Wait until it has ended; return its state."""

        def ended() -> str | None:
            state = self.lab.ana.run_state(self.dag_id, self.run_id)
            return state if state in _ENDED else None

        return self.lab.until(f"the end of {self.run_id}", ended)

    def clear(self, *tasks: str) -> None:
        """Have tasks run again."""
        self.lab.ana.clear(self.dag_id, self.run_id, list(tasks))

    def mark(self, task: str, state: str = "success") -> None:
        """Set a task's state by hand."""
        self.lab.ana.mark(self.dag_id, self.run_id, task, state)

    def start_earlier(self, by: timedelta) -> None:
        """Move its start into the past, so that its timeout does not depend on the speed of the machine."""
        earlier = (datetime.now(UTC) - by).replace(tzinfo=None).isoformat(" ")
        with closing(sqlite3.connect(self.lab.airflow.home / "airflow.db", timeout=60)) as database, database:
            changed = database.execute(
                "UPDATE dag_run SET start_date = ? WHERE run_id = ? AND dag_id = ?",
                (earlier, self.run_id, self.dag_id),
            )
            assert changed.rowcount == 1

    def log(self, task: str) -> str:
        """Return a task's log of all its tries."""
        folder = self.lab.airflow.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        return "".join(file.read_text() for file in sorted((folder / f"task_id={task}").glob("*.log")))

    @property
    def records(self) -> list[Record]:
        """The records of its submit task."""
        found = self.lab.ana.xcom(self.dag_id, self.run_id, "submit") or []
        return [Record.from_dict(record) for record in found]

    @property
    def record(self) -> Record:
        """The record of its submit task, which has only one."""
        (record,) = self.records
        return record
