"""Rows of *While submitting* in ``docs/faults.md`` about several tasks and what they share."""

from __future__ import annotations

import time
from typing import Any

import pytest
import running
from contesting import SUBMIT, TEXT, Contest, submissions
from faults_page import rows
from sending import at_the_send
from state_stores import AssetStores, StateStore
from support import chains_of

from dispute_provider._ledger.stores import FolderStore

ROWS = rows()
pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def other(run: Contest) -> Contest:
    """Another run of the same dispute."""
    return Contest(run.kind, run.dispute)


@pytest.fixture
def approvals(run: Contest, other: Contest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The approved records of both runs."""
    return run.approve(), other.approve()


def test_a_task_that_is_cleared_after_success(run, sandbox):
    assert "A task is cleared by hand after success" in ROWS
    approved = run.approve()
    first = run.submit(approved)
    again = run.submit(approved, 2)
    assert (again["state"], again["reason"]) == (first["state"], first["reason"])
    assert submissions(sandbox, run) == 1


def test_two_runs_of_one_dispute(run, other, approvals, sandbox):
    one, two = approvals
    assert run.submit(one)["state"] == "submitted"
    ROWS["Two runs, connections or deployments submit the same dispute"].check(other.submit(two))
    assert submissions(sandbox, run) == 1


# The words that the end of another run's call since the approval adds to the reason, by its state.
ANOTHERS = {
    "submitted": "; another final call of ours submitted it",
    "submitted-differs": "; another final call of ours submitted it",
    "conceded": "; another final call of ours conceded it",
    "unknown": "; another final call of ours may have answered it",
    "refused": "its status is now under",
    "already-submitted": "its status is now under",
}


@pytest.mark.parametrize("ended", ANOTHERS)
def test_a_dispute_that_is_answered_after_another_run_s_call(ended, run, other, approvals, sandbox):
    one, two = approvals
    other.end(two, ended, "its reason")
    sandbox.edit_dispute(run.dispute, submit=True)
    end = run.submit(one)
    assert end["state"] == "already-submitted"
    assert ANOTHERS[ended] in end["reason"]
    assert ("another final call" in end["reason"]) == ANOTHERS[ended].startswith(";")


@pytest.mark.parametrize("ended", ["unknown", "refused"])
def test_the_reason_admits_an_earlier_try_whose_claim_another_task_has_ended(
    ended, run, other, approvals, sandbox, waited, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    one, two = approvals
    run.break_off(one)
    waited.append(300.0)
    other.end(two, ended, "its reason")
    # The request of the first try arrives late.
    sandbox.edit_dispute(run.dispute, submit=True)
    end = run.submit(one, 2)
    title = (
        "Two runs, connections or deployments submit the same dispute … and the worker of one is frozen or "
        "killed after its claim, and another task ends that claim"
    )
    ROWS[title].check(end)
    assert [*tmp_path.rglob("*-already-submitted-*.json")]


def test_the_reason_omits_calls_from_before_the_approval(run, other, sandbox):
    other.end(other.approve(), "submitted", "its reason")
    approved = run.approve(asking=True)
    sandbox.edit_dispute(run.dispute, submit=True)
    assert "another final call" not in run.submit(approved)["reason"]


@pytest.mark.parametrize("ledger", ["separate", "common"])
def test_two_deployments(ledger, run, other, approvals, sandbox, monkeypatch, tmp_path):
    title = (
        "Two runs, connections or deployments submit the same dispute … "
        "and the two deployments have no ledger in common"
    )
    assert "possibly `submitted` for both" in ROWS[title].cells[1]
    sandbox.settings(permissive=True)
    one, two = approvals

    def submit_elsewhere() -> None:
        with pytest.MonkeyPatch.context() as patch:
            if ledger == "separate":
                patch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "another"))
            # The claim does not expire while the other deployment waits for it.
            patch.setattr(FolderStore, "now", lambda self: time.time())
            patch.setattr(running, "ASSETS", approvals_alone())
            other.submit(two)

    at_the_send(monkeypatch, submit_elsewhere)
    assert run.submit(one)["state"] in ("submitted", "submitted-differs")
    twice = ledger == "separate" and run.kind == "moov"
    assert submissions(sandbox, run) == 1 + twice


# The rows about late requests, by whether both tasks have the same ledger.
LATE = {
    False: "Two runs, connections or deployments submit the same dispute … and, at Stripe, the dispute moves "
    "to its next stage while the request of one is in flight, and the other answers that stage",
    True: "A worker is frozen between its last check and the write to the network, "
    "for longer than 205 seconds, and another task takes over … and, at Stripe, the dispute moves to its "
    "next stage meanwhile, and is submitted there",
}


@pytest.mark.parametrize("same_ledger", LATE)
def test_a_late_request_at_stripe_answers_the_next_stage(
    same_ledger, sandbox, connect, monkeypatch, waited, tmp_path
):
    connect("stripe")
    sandbox.settings(permissive=True)
    dispute = sandbox.create_dispute(api="stripe", status="warning_needs_response")["id"]
    run, other = Contest("stripe", dispute), Contest("stripe", dispute)
    approved = run.approve()
    ended: list[dict[str, Any]] = []

    def answer_next_stage() -> None:
        sandbox.edit_dispute(dispute, reopen=True)
        with pytest.MonkeyPatch.context() as patch:
            if same_ledger:
                waited.append(300.0)
            else:
                patch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "another"))
                patch.setattr(running, "ASSETS", AssetStores())
            ended.append(other.submit(other.approve()))

    at_the_send(monkeypatch, answer_next_stage)
    end = run.submit(approved)
    assert ended[0]["state"] == "submitted"
    assert [made["stage"] for made in sandbox.dispute(dispute)["submissions"]] == ["chargeback"] * 2
    ROWS[LATE[same_ledger]].check(end)


def approvals_alone() -> AssetStores:
    """Asset state stores of another deployment, which knows the same approvals and no ledger."""
    stores = AssetStores()
    stores.by_uri = {uri: store for uri, store in running.ASSETS.by_uri.items() if "ledger" not in uri}
    return stores


def test_a_worker_frozen_between_check_and_write(run, other, approvals, sandbox, monkeypatch, waited):
    title = (
        "A worker is frozen between its last check and the write to the network, "
        "for longer than 205 seconds, and another task takes over"
    )
    assert "nothing can prevent a second submission" in ROWS[title].cells[0]
    sandbox.settings(permissive=True)
    one, two = approvals

    def take_over() -> None:
        waited.append(300.0)
        assert other.submit(two)["state"] == "submitted"

    at_the_send(monkeypatch, take_over)
    end = run.submit(one)
    assert submissions(sandbox, run) == {"stripe": 1, "moov": 2}[run.kind]
    assert end["state"] == {"stripe": "submitted", "moov": "submitted-differs"}[run.kind]
    if run.kind == "moov":
        ROWS[title].check(end)


def test_a_worker_frozen_between_claim_and_check(run, other, approvals, sandbox, monkeypatch, waited):
    """Another task ends its link as unknown and submits, but the worker knows that it sent nothing."""

    def take_over() -> None:
        waited.append(300.0)
        other.break_off(other.approve(asking=True))
        sandbox.edit_dispute(run.dispute, submit=True)

    at_the_send(monkeypatch, take_over, checked=False)
    end = run.submit(approvals[0])
    assert end["state"] == "already-submitted", end["reason"]
    assert submissions(sandbox, run) == 1


def test_a_connection_that_cannot_be_used(run, sandbox, connect):
    approved = run.approve()
    connect(run.kind, extra={"rate_limit": "many"})
    end = run.submit(approved)
    ROWS["A connection, Airflow's state store or the ledger cannot be used"].check(end)
    connect(run.kind)
    assert run.submit(approved, 2)["state"] == "submitted"


def test_a_connection_that_was_deleted(run, sandbox, connect, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", "a key of this test that is long enough")
    approved = run.approve()
    monkeypatch.delenv(f"AIRFLOW_CONN_{run.connection.upper()}")
    end = run.submit(approved)
    ROWS["A connection, Airflow's state store or the ledger cannot be used"].check(end)
    assert f"'{run.connection}' cannot be read" in end["reason"]
    assert "To do: create it again" in end["reason"]
    connect(run.kind)
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("broken", ["ledger list", "ledger create", "state store"])
def test_a_store_that_cannot_be_used(broken, run, sandbox, monkeypatch):
    approved = run.approve()

    def fail(*given: Any) -> Any:
        raise OSError("the disk is gone")

    where, name = (StateStore, "get") if broken == "state store" else (FolderStore, broken.split()[1])
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fail)
        end = run.submit(approved)
    assert end["state"] == "held", end["reason"]
    if broken != "ledger create":
        ROWS["A connection, Airflow's state store or the ledger cannot be used"].check(end)
    assert submissions(sandbox, run) == 0
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("change", ["wiped", "another"])
def test_another_ledger_than_before(change, run, sandbox, monkeypatch, tmp_path):
    monkeypatch.setattr(running, "ASSETS", AssetStores())
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "ledger"))
    approved = run.approve()
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "elsewhere"))
        if change == "another":
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "elsewhere" / "ledger.json").write_text('{"id": "another"}')
        title = (
            "The ledger is not the one that earlier tasks used: its folder was deleted or moved, "
            "or each worker has a separate one"
        )
        ROWS[title].check(run.submit(approved))
    assert submissions(sandbox, run) == 0
    assert run.submit(approved, 2)["state"] == "submitted"


def test_an_edited_file_of_the_ledger(run, sandbox):
    approved = run.approve()
    [*_, last] = sorted(chains_of(sandbox).glob(f"*/{run.dispute}/*/*"))
    whole = last.read_bytes()
    last.write_bytes(whole.replace(b'"staged"', b'"failed"'))
    ROWS["A file of the ledger was edited, or cannot be read"].check(run.submit(approved))
    assert submissions(sandbox, run) == 0
    last.write_bytes(whole)
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("ended", ["it submits", "its worker is gone"])
def test_a_dispute_that_another_task_keeps_working_on(ended, run, other, approvals, sandbox, monkeypatch):
    one, two = approvals
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "now", lambda self: time.time())
        other.break_off(two)
        end = run.submit(one)
    ROWS["Another task stages or submits the dispute for several minutes"].check(end)
    assert submissions(sandbox, run) == 0
    if ended == "it submits":
        assert other.submit(two, 2)["state"] == "submitted"
    states = {"it submits": "already-submitted", "its worker is gone": "submitted"}
    assert run.submit(one, 2)["state"] == states[ended]
    assert submissions(sandbox, run) == 1


def test_another_call_that_ended_since_the_approval(run, other, approvals, sandbox):
    one, two = approvals
    sandbox.fault(operation=SUBMIT[run.kind], effect="status", status=400, times=None)
    assert run.submit(one)["state"] == "refused"
    sandbox.clear_faults()
    end = other.submit(two)
    title = (
        "Another submission or concession of the dispute has ended since it was approved, "
        "and the dispute is open"
    )
    ROWS[title].check(end)
    again = Contest(run.kind, run.dispute)
    approved = again.approve(asking=True)
    assert any(
        "a previous submission or concession at this stage ended refused" in note
        for note in approved["notes"]
    )
    assert again.submit(approved)["state"] == "submitted"


def test_a_claim_of_a_task_that_is_gone_does_not_renew_an_approval(run, sandbox, waited):
    """A later run was reviewed, claimed the dispute and was killed before it sent anything."""
    other, later = Contest(run.kind, run.dispute), Contest(run.kind, run.dispute)
    approved, unseen = run.approve(), other.approve()
    run.end(approved, "unknown", "as it ended")
    later.break_off(later.approve(asking=True))
    waited.append(300.0)
    assert run.submit(approved, 2)["state"] == "unknown"
    end = other.submit(unseen)
    assert end["state"] == "refused"
    assert "another final call for this dispute ended unknown" in end["reason"]
    assert submissions(sandbox, run) == 0


@pytest.mark.parametrize(
    ("evidence", "words"), [(None, "with the approved evidence"), ("A colleague's.", "with other evidence")]
)
def test_it_was_answered_since_it_was_approved(evidence, words, run, sandbox):
    approved = run.approve()
    if evidence:
        sandbox.edit_dispute(run.dispute, evidence={TEXT[run.kind]: evidence})
    sandbox.edit_dispute(run.dispute, submit=True)
    end = run.submit(approved)
    ROWS["It was answered between review and submission"].check(end)
    assert words in end["reason"]
    assert submissions(sandbox, run) == 1


def test_it_was_answered_and_has_moved_on(run, sandbox):
    approved = run.approve()
    sandbox.edit_dispute(run.dispute, submit=True)
    sandbox.edit_dispute(run.dispute, reopen=True, due_in=86_400 * 9)
    title = (
        "It was answered between review and submission … and has moved on since, "
        "to another stage or to the same one opened again"
    )
    ROWS[title].check(run.submit(approved))
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
