"""Stop workers just before or after they check their claim, and continue them after a takeover.

The check is the last step before the socket write. A worker that is stopped before it, for longer than its
claim lasts, sends nothing. One that is stopped after it still writes when it continues: Stripe's idempotency
key makes both writes one submission. At Moov this window cannot be closed, and docs/faults.md names it.
"""

from __future__ import annotations

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
    """How a run whose worker was stopped ended, and the run that met it."""

    frozen: Record
    other: Record | None
    states: set[str]
    submissions: int
    tries: int
    log: str


def _taken_over(lab: Lab, run: Run, other: Run | None, task: psutil.Process) -> None:
    """Let another run take over the claim and submit, then continue the process."""
    assert other is not None
    other.approve()
    other.wait_for_end()
    task.resume()


def _in_time(lab: Lab, run: Run, other: Run | None, task: psutil.Process) -> None:
    """Continue the process while its claim is valid; another run starts to submit at the same time."""
    assert other is not None
    other.approve()
    task.resume()


def _tried_again(lab: Lab, run: Run, other: Run | None, task: psutil.Process) -> None:
    """Stop the supervisor too, so that Airflow starts another try; continue both after that try has ended."""
    supervisor = workers.supervisor_of(task)
    supervisor.suspend()
    run.wait_for_end()
    supervisor.resume()
    task.resume()


@dataclass(frozen=True)
class Freeze:
    """Where a worker is stopped, and what happens before it continues.

    :param states: of the run that was stopped, and of the run that met it, if any.
    """

    point: str
    meanwhile: Callable[[Lab, Run, Run | None, psutil.Process], None]
    states: tuple[State, State | None]


_OTHER_SENT = (State.ALREADY_SUBMITTED, State.SUBMITTED)
_ALONE = (State.SUBMITTED, None)
FREEZES = {
    "before the check, until another has taken over": Freeze("before", _taken_over, _OTHER_SENT),
    "before the check, the whole worker": Freeze("before", _tried_again, _ALONE),
    "after the check, while its claim is good": Freeze(
        "after", _in_time, (State.SUBMITTED, State.ALREADY_SUBMITTED)
    ),
    "after the check, the whole worker": Freeze("after", _tried_again, _ALONE),
    # Both send it, under one key.
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
    # Its supervisor may end it before it does: only then has it written all that it ever will.
    lab.until("the stopped process to end", lambda: workers.is_gone(instance))
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
    """Run all cases at the same time."""
    disputes = {(api, name): lab.dispute(api) for api in APIS for name in FREEZES}
    runs = {
        key: lab.contest(key[0], dispute, DAG, freeze=FREEZES[key[1]].point)
        for key, dispute in disputes.items()
    }
    lab.wait_for_reviews(*runs.values())
    others = {
        key: lab.contest(key[0], dispute, DAG)
        for key, dispute in disputes.items()
        if FREEZES[key[1]].states[1]
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
    assert (end.frozen.state, end.other and end.other.state) == FREEZES[name].states


@pytest.mark.parametrize(("api", "name"), WINDOW)
def test_a_second_submission_in_the_window_that_cannot_be_closed_is_reported(
    api: str, name: str, ends: dict[tuple[str, str], Future[End]]
) -> None:
    end = _shown(api, name, ends)
    assert end.submissions == 2
    assert f"state={State.SUBMITTED_DIFFERS}" in end.log
    assert "another task had taken over its claim, and may have submitted it as well" in end.log
    if end.other:
        assert (end.frozen.state, end.other.state) == (State.SUBMITTED_DIFFERS, State.SUBMITTED)
        assert end.states == {"failed", "success"}


def _shown(api: str, name: str, ends: dict[tuple[str, str], Future[End]]) -> End:
    end = ends[api, name].result()
    print(f"\n{api:6} | {name} | {end.submissions} submissions | {end.tries} tries | {end.states}")
    for record in (end.frozen, end.other):
        print(f"  {record.state} | {record.reason}" if record else "")
    return end
