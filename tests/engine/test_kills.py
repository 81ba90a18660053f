"""Kill workers at every point of a submission, and check how the run and the dispute end."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from dispute_provider._evidence.record import Record, State
from tests.engine import workers
from tests.harness.lab import Lab, Run

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")


@dataclass(frozen=True)
class Kill:
    """Which process is killed, and which request or answer the sandbox holds at that moment."""

    point: str
    victim: Callable[[str], None]


KILLS = {
    "before the POST": Kill("reading", workers.kill_task),
    "while the POST is in flight": Kill("submission", workers.kill_task),
    "after the POST, before its answer": Kill("submission's answer", workers.kill_task),
    "after the answer, before the task's end": Kill("reading back", workers.kill_task),
    "the whole worker, before the answer": Kill("submission's answer", workers.kill_group),
    # The task continues from its earlier reading, long after Airflow has started another try.
    "the supervisor alone, before the POST": Kill("reading's answer", workers.kill_supervisor),
}
RUNS = [
    (api, name)
    for name, kill in KILLS.items()
    for api in APIS
    # Stripe's answer shows the submission, so no reading follows it.
    if (api, kill.point) != ("stripe", "reading back")
]


@dataclass(frozen=True)
class End:
    """How a killed run ended."""

    record: Record
    run: str
    tries: int
    submissions: int
    seconds: float


def _kill(lab: Lab, run: Run, kill: Kill) -> End:
    task = run.task("submit")["id"]
    rule = lab.hold(kill.point, run.api, run.dispute)
    run.approve()
    lab.until(f"{rule} to be held", lambda: lab.held(rule))
    kill.victim(task)
    killed = time.monotonic()
    state = run.wait_for_end()
    seconds = time.monotonic() - killed
    # Count submissions once the held request is carried out, and the orphaned process has ended.
    lab.until(f"{rule} to be carried out", lambda: lab.is_carried_out(rule, run.dispute))
    lab.until("the killed task to end", lambda: workers.is_gone(task))
    tries = run.task("submit")["try_number"]
    return End(run.record, state, tries, len(lab.submissions(run.dispute)), seconds)


@pytest.fixture(scope="module")
def ends(lab: Lab) -> dict[tuple[str, str], Future[End]]:
    """Run all kills at the same time: the try after an interrupted send waits for minutes."""
    runs = {(api, name): lab.contest(api, lab.dispute(api)) for api, name in RUNS}
    lab.wait_for_reviews(*runs.values())
    with ThreadPoolExecutor(len(runs)) as threads:
        return {key: threads.submit(_kill, lab, run, KILLS[key[1]]) for key, run in runs.items()}


@pytest.mark.parametrize(("api", "name"), RUNS)
def test_a_killed_worker(api: str, name: str, ends: dict[tuple[str, str], Future[End]]) -> None:
    end = ends[api, name].result()
    print(
        f"\n{api:6} | {name:40} | {end.record.state} | {end.tries} tries | {end.submissions} submissions | "
        f"{end.seconds:.0f} s | {end.record.reason}"
    )
    assert end.submissions == 1
    assert end.record.state == State.SUBMITTED
    assert end.run == "success"
    assert end.tries >= 2
