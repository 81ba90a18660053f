"""Interrupt tasks during the send, mark them as success by hand, rotate the signing key."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from dispute_provider._evidence.record import State
from dispute_provider._signatures import key_id_of
from tests.engine import workers
from tests.harness.lab import Lab, Run

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")


def _approved(lab: Lab, run: Run, rule: str) -> str:
    """Approve a run; return the id of its submit task once a rule holds one of its requests."""
    task = str(run.task("submit")["id"])
    run.approve()
    lab.until(f"{rule} to be held", lambda: lab.held(rule))
    return task


def _cleared(lab: Lab, run: Run, *tasks: str) -> str:
    """Clear tasks of a run; return its state at its next end."""
    before = run.task(tasks[0])["try_number"]
    run.clear(*tasks)
    lab.until("the cleared task to run", lambda: run.task(tasks[0])["try_number"] > before)
    return run.wait_for_end()


def _terminate(lab: Lab, api: str) -> Run:
    """SIGTERM the worker while its POST is in flight."""
    run = lab.contest(api, lab.dispute(api))
    lab.wait_for_reviews(run)
    workers.terminate_supervisor(_approved(lab, run, lab.hold("submission", api, run.dispute, seconds=20.0)))
    run.wait_for_end()
    return run


def _time_out(lab: Lab, api: str) -> Run:
    """Have the run time out while the answer to its POST is in flight; a policy approves it."""
    dispute = lab.dispute(api, amount=2500)
    # At Stripe the first call of this operation stages.
    rule = lab.hold("submission's answer", api, dispute, nth={"stripe": 2, "moov": 1}[api])
    run = lab.contest(api, dispute, "contest_timed")
    lab.until(f"{rule} to be held", lambda: lab.held(rule))
    task = run.task("submit")["id"]
    run.start_earlier(timedelta(hours=1))
    run.wait_for_end()
    lab.until("the task to be killed", lambda: workers.is_gone(task))
    lab.release(rule)
    return run


def _mark_review(lab: Lab, api: str) -> Run:
    run = lab.contest(api, lab.dispute(api))
    lab.wait_for_reviews(run)
    run.mark("review")
    run.wait_for_end()
    return run


def _mark_submit(lab: Lab, api: str) -> Run:
    """Mark the submit task as success while the answer to its POST is in flight."""
    run = lab.contest(api, lab.dispute(api))
    lab.wait_for_reviews(run)
    rule = lab.hold("submission's answer", api, run.dispute)
    task = _approved(lab, run, rule)
    run.mark("submit")
    run.wait_for_end()
    lab.until("the task to be killed", lambda: workers.is_gone(task))
    lab.release(rule)
    return run


_WAYS: tuple[Callable[[Lab, str], Run], ...] = (_terminate, _time_out, _mark_review, _mark_submit)


@pytest.fixture(scope="module")
def interrupted(lab: Lab) -> dict[tuple[str, str], Future[Run]]:
    """Run all interruptions at the same time."""
    with ThreadPoolExecutor(len(APIS) * len(_WAYS)) as threads:
        return {(way.__name__, api): threads.submit(way, lab, api) for way in _WAYS for api in APIS}


Interrupted = dict[tuple[str, str], Future[Run]]


@pytest.mark.parametrize("api", APIS)
def test_a_terminated_worker_finishes_its_send(api: str, lab: Lab, interrupted: Interrupted) -> None:
    run = interrupted["_terminate", api].result()
    print(f"\n{api:6} | {run.record.state} | {run.record.reason}")
    assert run.record.state == State.SUBMITTED
    assert run.task("submit")["try_number"] == 1
    assert len(lab.submissions(run.dispute)) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_run_that_times_out_during_the_send_submits_once(
    api: str, lab: Lab, interrupted: Interrupted
) -> None:
    run = interrupted["_time_out", api].result()
    assert lab.ana.run_state(run.dag_id, run.run_id) == "failed"
    assert run.records == []

    assert _cleared(lab, run, "submit", "outcome") == "success"
    print(f"\n{api:6} | {run.record.state} | {run.record.reason}")
    assert run.record.state == State.SUBMITTED
    assert len(lab.submissions(run.dispute)) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_review_that_is_marked_as_success_sends_nothing(
    api: str, lab: Lab, interrupted: Interrupted
) -> None:
    run = interrupted["_mark_review", api].result()
    assert lab.ana.run_state(run.dag_id, run.run_id) == "failed"
    assert "task 'review' returned no records: it was marked as success by hand" in run.log("outcome")
    assert "its review returned no decision, so nothing was sent" in run.log("outcome")
    assert lab.submissions(run.dispute) == []

    run.clear("review", "submit", "outcome")
    lab.until("the review to open again", run.is_parked)
    run.approve()
    assert run.wait_for_end() == "success"
    assert run.record.state == State.SUBMITTED
    assert len(lab.submissions(run.dispute)) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_submit_task_that_is_marked_as_success_during_the_send_submits_once(
    api: str, lab: Lab, interrupted: Interrupted
) -> None:
    run = interrupted["_mark_submit", api].result()
    assert lab.ana.run_state(run.dag_id, run.run_id) == "failed"
    assert "task 'submit' returned no records: it was marked as success by hand" in run.log("outcome")
    assert f"dispute={run.dispute} state=already-submitted" in run.log("outcome")
    assert run.records == []

    assert _cleared(lab, run, "submit", "outcome") == "success"
    print(f"\n{api:6} | {run.record.state} | {run.record.reason}")
    assert run.record.state == State.SUBMITTED
    assert len(lab.submissions(run.dispute)) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_key_that_is_rotated_between_review_and_submission_needs_no_new_review(api: str, lab: Lab) -> None:
    run = lab.contest(api, lab.dispute(api))
    lab.wait_for_reviews(run)
    (staged,) = lab.ana.xcom(run.dag_id, run.run_id, "stage")

    run.approve()
    lab.rotate_signing_key()

    assert run.wait_for_end() == "success"
    print(f"\n{api:6} | {run.record.state} | {run.record.reason}")
    assert run.record.state == State.SUBMITTED
    assert len(lab.submissions(run.dispute)) == 1
    # The dispute's chain begins under the old key and ends under the new one.
    keys = list(dict.fromkeys(key_id_of(entry["signature"]) for entry in _chain(lab, run.dispute)))
    assert keys == [key_id_of(staged["signature"]), key_id_of(run.record.signature or "")]


def _chain(lab: Lab, dispute: str) -> list[dict[str, Any]]:
    """Return the entries of a dispute's chain in the ledger, in order."""
    (folder,) = lab.ledger.glob(f"*/*/{dispute}")
    files = sorted(folder.glob("*/*"), key=lambda file: (int(file.parent.name), int(file.name)))
    return [json.loads(file.read_text()) for file in files]
