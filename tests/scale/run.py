"""One run that contests a batch while a worker is killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.harness.client import Client
from tests.harness.progress import Progress
from tests.scale.batch import Batch
from tests.scale.sandbox import Request, Sandbox
from tests.scale.site import Site

DAG = "contest_in_chunks"
_ENDED = ("success", "failed")
_LOOK = 0.5
# Each request costs the API server as much as a task's heartbeat.
_ASK = 5.0
# The part of the batch that is submitted before a worker is killed.
_MIDDLE = 1 / 3
# Seconds without a request before the run is judged: a killed worker's last requests arrive within this time.
_QUIET = 10.0


@dataclass
class Contest:
    """One run and its kill.

    :param requests: those that the sandbox received during the run.
    :param killed: which processes were killed.
    :param killed_at: Unix seconds.
    :param in_flight: the tasks that the killed worker was running.
    """

    batch: Batch
    run_id: str
    state: str = ""
    seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    victim: str = ""
    killed: str = ""
    killed_at: float = 0.0
    in_flight: list[str] = field(default_factory=list)
    tasks: Sequence[dict[str, Any]] = ()


class Runs:
    """Runs on one site.

    :param client: of the administrator.
    """

    def __init__(self, site: Site, sandbox: Sandbox, client: Client, progress: Progress) -> None:
        self._site, self._sandbox, self._client, self._progress = site, sandbox, client, progress

    def contest(self, batch: Batch, kill: Callable[[str], str]) -> Contest:
        """Contest a batch, and kill a worker in the middle of it."""
        conf = {"cases": (self._site.cases / batch.name).as_uri(), "chunk": batch.chunk}
        began = time.monotonic()
        contest = Contest(batch, self._client.start(DAG, conf))
        self._progress.report(f"{batch.name}: {len(batch.disputes)} disputes in chunks of {batch.chunk}")
        asked = began
        while not contest.state:
            self._site.check()
            new = self._look(contest)
            if not contest.victim:
                self._kill_in_the_middle(contest, new, kill)
            if time.monotonic() > asked + _ASK:
                asked = time.monotonic()
                state = self._client.run_state(DAG, contest.run_id)
                contest.state = state if state in _ENDED else ""
            submitted = sum(request.submits for request in contest.requests)
            self._progress.wait(f"{batch.name}: {submitted} of {len(batch.disputes)} are submitted", _LOOK)
        contest.seconds = time.monotonic() - began
        while contest.requests and time.time() < contest.requests[-1].time + _QUIET:
            self._look(contest)
            self._progress.wait(f"{batch.name}: has ended, waiting for late requests", _LOOK)
        contest.tasks = tasks_of(self._site, contest.run_id)
        return contest

    def _look(self, contest: Contest) -> list[Request]:
        new = self._sandbox.look()
        contest.requests += new
        return new

    def _kill_in_the_middle(
        self, contest: Contest, new: Sequence[Request], kill: Callable[[str], str]
    ) -> None:
        """Once a third is submitted, kill the worker that submits to Moov, which has no idempotency keys."""
        submitted = sum(request.submits for request in contest.requests)
        senders = [request.worker for request in new if request.submits and request.api == "moov"]
        if submitted < len(contest.batch.disputes) * _MIDDLE or not senders:
            return
        contest.victim, contest.killed_at = senders[-1], time.time()
        contest.killed = kill(contest.victim)
        contest.in_flight = running_on(self._site, contest.victim)
        self._progress.report(
            f"SIGKILL to {contest.victim}: {contest.killed}; it was running: {', '.join(contest.in_flight)}"
        )


_ALL_TRIES = """
    SELECT hostname, task_id, state, extract(epoch from end_date - start_date) AS seconds
    FROM task_instance WHERE run_id = %(run)s
    UNION ALL
    SELECT hostname, task_id, state, extract(epoch from end_date - start_date) AS seconds
    FROM task_instance_history WHERE run_id = %(run)s
"""
_STORES = """
    SELECT count(*), coalesce(sum(length(value)), 0)::int, coalesce(max(length(value)), 0)
    FROM (SELECT value FROM asset_state_store UNION ALL SELECT value FROM task_state_store) AS stored
"""
_RUNNING = (
    "SELECT task_id, map_index FROM task_instance WHERE hostname = %s AND state = 'running' ORDER BY 1, 2"
)


def tasks_of(site: Site, run_id: str) -> list[dict[str, Any]]:
    """Return every try of every task of a run: hostname, task_id, state, seconds."""
    with site.postgres.connect() as connection, connection.cursor() as cursor:
        rows = cursor.execute(_ALL_TRIES, {"run": run_id}).fetchall()
    return [dict(zip(("hostname", "task_id", "state", "seconds"), row, strict=True)) for row in rows]


def state_stores(site: Site) -> dict[str, int]:
    """Return the size of the state stores: rows, characters, and characters of the largest row."""
    with site.postgres.connect() as connection:
        row = connection.execute(_STORES).fetchone()
    return dict(zip(("rows", "characters", "largest"), row or (), strict=True))


def running_on(site: Site, worker: str) -> list[str]:
    """Return the tasks that run on a worker, by Airflow's database."""
    with site.postgres.connect() as connection:
        return [f"{task}[{index}]" for task, index in connection.execute(_RUNNING, (worker,)).fetchall()]
