"""Let runs meet at one dispute: cleared, eight at once, and one after another across its stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from dispute_provider._evidence.record import State
from tests.engine import workers
from tests.harness.lab import Lab, Run

pytestmark = pytest.mark.timeout(1200)
RUNS = 8
APIS = ("stripe", "moov")
INQUIRIES: dict[str, dict[str, Any]] = {
    "stripe": {"status": "warning_needs_response", "outcome": "escalate"},
    "moov": {"phase": "inquiry"},
}


@pytest.fixture(scope="module", params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    """Run all tests of one API before those of the other."""
    return str(request.param)


def _kill_one_of_two(lab: Lab, api: str) -> list[Run]:
    """Kill a worker while its POST is in flight and another run waits to submit the same dispute."""
    dispute = lab.dispute(api)
    first = lab.contest(api, dispute)
    lab.wait_for_reviews(first)
    second = lab.contest(api, dispute)
    lab.wait_for_reviews(second)
    task = first.task("submit")["id"]
    rule = lab.hold("submission", api, dispute)
    first.approve()
    lab.until(f"{rule} to be held", lambda: lab.held(rule))
    second.approve()
    lab.until("the second run to start its submit task", lambda: second.task("submit")["state"])
    workers.kill_task(task)
    assert {run.wait_for_end() for run in (first, second)} == {"success"}
    return [first, second]


@pytest.fixture(scope="module", autouse=True)
def killed(lab: Lab) -> Iterator[dict[str, Future[list[Run]]]]:
    """Kill in the background: the try after an interrupted send waits for minutes."""
    with ThreadPoolExecutor(len(APIS)) as threads:
        yield {api: threads.submit(_kill_one_of_two, lab, api) for api in APIS}


def submit(lab: Lab, api: str, dispute: str) -> Run:
    """Contest a dispute, approve its review, and return the run once it has succeeded."""
    run = lab.contest(api, dispute)
    lab.wait_for_reviews(run)
    run.approve()
    assert run.wait_for_end() == "success"
    return run


def test_a_task_that_is_cleared_after_its_success_sends_nothing(api: str, lab: Lab) -> None:
    dispute = lab.dispute(api)
    run = submit(lab, api, dispute)
    before, (sent,) = run.record, lab.submissions(dispute)

    run.clear("submit")
    lab.until("the cleared task to run", lambda: run.task("submit")["try_number"] == 2)
    assert run.wait_for_end() == "success"
    assert before.state == State.SUBMITTED
    assert run.record == before
    assert lab.submissions(dispute) == [sent]


def test_eight_runs_at_once_submit_once(api: str, lab: Lab) -> None:
    dispute = lab.dispute(api)
    first = lab.contest(api, dispute)
    # One run stages; the others find its evidence.
    lab.wait_for_reviews(first)
    runs = [first, *(lab.contest(api, dispute) for _ in range(RUNS - 1))]
    lab.wait_for_reviews(*runs)

    # All read that the dispute is open before any of them may send.
    rule = lab.hold("reading's answer", api, dispute, times=RUNS)
    lab.hold("submission", api, dispute, seconds=5.0)
    for run in runs:
        run.approve()
    lab.until("all to be between reading and sending", lambda: lab.held(rule) == RUNS)
    assert lab.submissions(dispute) == []
    lab.release(rule)
    ends = [run.wait_for_end() for run in runs]

    records = [run.record for run in runs]
    for record in records:
        print(f"{api:6} | {record.state} | {record.reason}")
    assert len(lab.submissions(dispute)) == 1
    assert Counter(record.state for record in records) == {
        State.SUBMITTED: 1,
        State.ALREADY_SUBMITTED: RUNS - 1,
    }
    assert ends == ["success"] * RUNS


def test_an_inquiry_that_escalates_is_submitted_again(api: str, lab: Lab) -> None:
    dispute = lab.dispute(api, **INQUIRIES[api])
    assert submit(lab, api, dispute).record.stage == "inquiry"
    if api == "moov":
        lab.sandbox.edit_dispute(dispute, reopen=True, phase="chargeback")
    lab.until("the inquiry to escalate", lambda: lab.sandbox.dispute(dispute)["stage"] == "chargeback")

    second = submit(lab, api, dispute)
    assert (second.record.state, second.record.stage) == (State.SUBMITTED, "chargeback")
    submissions = lab.sandbox.dispute(dispute)["submissions"]
    assert [submission["stage"] for submission in submissions] == ["inquiry", "chargeback"]
    one, other = lab.submissions(dispute)
    assert one["raw_body"] == other["raw_body"]


def test_a_run_that_waits_for_one_that_is_killed_sends_nothing(
    api: str, lab: Lab, killed: dict[str, Future[list[Run]]]
) -> None:
    first, second = killed[api].result()
    print(f"\n{api:6} | {first.record.reason} | {second.record.reason}")
    assert len(lab.submissions(first.dispute)) == 1
    assert [first.record.state, second.record.state] == [State.SUBMITTED, State.ALREADY_SUBMITTED]
