"""Workers that are stopped next to the check of their claim, and go on when another has taken over.

The check is the last thing before the write. Who is stopped before it, for longer than the claim is good for,
sends nothing. Who is stopped after it writes whenever it goes on: Stripe's key makes both writes one. At Moov
this is the one window that cannot be closed, and docs/faults.md names it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # it has no types of its own
import pytest

from dispute_provider._evidence.record import Record, State
from tests.engine import workers
from tests.harness.lab import Lab, Run

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")
DAG = "contest_frozen"


@dataclass(frozen=True)
class End:
    """What became of a run whose worker was stopped, and of the one that met it."""

    frozen: Record
    other: Record | None
    states: set[str]
    submissions: int
    tries: int
    log: str


def _taken_over(lab: Lab, run: Run, other: Run | None, task: psutil.Process) -> None:
    """Let another run take the claim over and submit, before the process goes on."""
    assert other is not None
    other.approve()
    other.wait_for_end()
    task.resume()


def _in_time(lab: Lab, run: Run, other: Run | None, task: psutil.Process) -> None:
    """Let the process go on while its claim is good; another run comes meanwhile."""
    assert other is not None
    other.approve()
    task.resume()


def _tried_again(lab: Lab, run: Run, other: Run | None, task: psutil.Process) -> None:
    """Stop the supervisor too, so that Airflow loses the worker; its next try ends before it goes on."""
    supervisor = workers.supervisor_of(task)
    supervisor.suspend()
    run.wait_for_end()
    supervisor.resume()
    task.resume()
    # The supervisor hears that its task is over, and ends it; if the task is not quicker.
    lab.until("the stopped worker to end", lambda: not task.is_running() or _is_dead(task))


def _is_dead(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@dataclass(frozen=True)
class Freeze:
    """Where a worker is stopped, and what happens until it goes on.

    :param comes_to: the states of the run that was stopped, and of the one that met it if there is one.
    """

    point: str
    meanwhile: Callable[[Lab, Run, Run | None, psutil.Process], None]
    comes_to: tuple[State, State | None]


_OTHER_SENT = (State.ALREADY_SUBMITTED, State.SUBMITTED)
_ALONE = (State.SUBMITTED, None)
FREEZES = {
    "before the check, until another has taken over": Freeze("before", _taken_over, _OTHER_SENT),
    "before the check, the whole worker": Freeze("before", _tried_again, _ALONE),
    "after the check, while its claim is good": Freeze(
        "after", _in_time, (State.SUBMITTED, State.ALREADY_SUBMITTED)
    ),
    "after the check, the whole worker": Freeze("after", _tried_again, _ALONE),
    # Both have sent it, under one key.
    "after the check, until another has taken over": Freeze(
        "after", _taken_over, (State.SUBMITTED, State.SUBMITTED)
    ),
}
_ALL = [(api, name) for api in APIS for name in FREEZES]
WINDOW = [
    ("moov", "after the check, the whole worker"),
    ("moov", "after the check, until another has taken over"),
]


def _freeze(lab: Lab, freeze: Freeze, run: Run, other: Run | None) -> End:
    instance = run.task("submit")["id"]
    run.approve()
    lab.until(f"the process of {run.run_id} to stop", lambda: workers.is_stopped(instance))
    freeze.meanwhile(lab, run, other, workers.task_of(instance))
    states = {each.wait_for_end() for each in (run, other) if each}
    # What a process that went on has still to write arrives, before it is counted.
    time.sleep(3.0)
    return End(
        run.record,
        other.record if other else None,
        states,
        len(lab.submissions(run.dispute)),
        run.task("submit")["try_number"],
        run.log("submit"),
    )


@pytest.fixture(scope="module")
def ends(lab: Lab) -> dict[tuple[str, str], Future[End]]:
    """All of them side by side."""
    disputes = {(api, name): lab.dispute(api) for api in APIS for name in FREEZES}
    runs = {
        key: lab.contest(key[0], dispute, DAG, freeze=FREEZES[key[1]].point)
        for key, dispute in disputes.items()
    }
    lab.wait_for_reviews(*runs.values())
    others = {
        key: lab.contest(key[0], dispute, DAG)
        for key, dispute in disputes.items()
        if FREEZES[key[1]].comes_to[1]
    }
    lab.wait_for_reviews(*others.values())
    with ThreadPoolExecutor(len(runs)) as threads:
        return {
            key: threads.submit(_freeze, lab, FREEZES[key[1]], run, others.get(key))
            for key, run in runs.items()
        }


@pytest.mark.parametrize(("api", "name"), [key for key in _ALL if key not in WINDOW])
def test_a_frozen_worker(api: str, name: str, ends: dict[tuple[str, str], Future[End]]) -> None:
    end = _shown(api, name, ends)
    assert end.submissions == 1
    assert end.states == {"success"}
    assert (end.frozen.state, end.other and end.other.state) == FREEZES[name].comes_to


@pytest.mark.parametrize(("api", "name"), WINDOW)
def test_the_one_window_is_not_passed_over_in_silence(
    api: str, name: str, ends: dict[tuple[str, str], Future[End]]
) -> None:
    end = _shown(api, name, ends)
    assert end.submissions == 2
    assert f"state={State.SUBMITTED_DIFFERS}" in end.log
    assert "another task had taken its claim over, and may have submitted it as well" in end.log
    if end.other:
        assert (end.frozen.state, end.other.state) == (State.SUBMITTED_DIFFERS, State.SUBMITTED)
        assert end.states == {"failed", "success"}


def _shown(api: str, name: str, ends: dict[tuple[str, str], Future[End]]) -> End:
    end = ends[api, name].result()
    print(f"\n{api:6} | {name} | {end.submissions} submissions | {end.tries} tries | {end.states}")
    for record in (end.frozen, end.other):
        print(f"  {record.state} | {record.reason}" if record else "")
    return end
