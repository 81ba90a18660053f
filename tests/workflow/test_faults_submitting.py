"""Rows of *While submitting* in ``docs/faults.md``: each fault is driven, read, and its way out taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import running
from contesting import READ, SUBMIT, TEXT, Contest
from faults_page import rows
from state_stores import AssetStores
from support import Connect, chains_of, pass_time

from dispute_provider._ledger.stores import FolderStore
from dispute_provider._transport.client import Client
from dispute_provider._transport.http import HttpTransport
from dispute_provider._transport.transport import HttpRequest, HttpResponse
from dispute_provider.sandbox import Sandbox

ROWS = rows()
SENT_UNSEEN = "The connection breaks, times out or 5xx arrives … and the dispute does not show it"
KILLED = "The worker is killed before, during or after the send"


@pytest.fixture(params=["stripe", "moov"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch, impatient: None) -> list[float]:
    return pass_time(monkeypatch)


@pytest.fixture
def run(kind: str, sandbox: Sandbox, connect: Connect) -> Contest:
    """A run of a dispute that is open."""
    connect(kind)
    return Contest(kind, sandbox.create_dispute(api=kind, amount=100)["id"])


def submissions(sandbox: Sandbox, run: Contest) -> int:
    return len(sandbox.dispute(run.dispute)["submissions"])


def at_the_send(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen after the last check of a submission, just before it goes out."""
    left = [happens]

    class Watched(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            is_submission = request.url.endswith("/evidence/submit") or b"submit=true" in (
                request.body or b""
            )
            if not is_submission or not left:
                return await super().send(request)
            then = left.pop()

            def check() -> None:
                if request.check:
                    request.check()
                # Another thread has an event loop of its own; this one stands still meanwhile.
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(then).result()

            return await super().send(replace(request, check=check))

    monkeypatch.setattr(Client, "transport", Watched)


@pytest.mark.parametrize("effect", ["drop-after", "wrong-json", "truncate"])
def test_a_lost_answer(effect, run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect=effect)
    end = run.submit(approved)
    ROWS["The connection breaks, times out or 5xx arrives"].check(end)
    assert submissions(sandbox, run) == 1


@pytest.mark.parametrize("fault", [{"effect": "drop-before"}, {"effect": "status", "status": 504}])
def test_a_send_that_shows_nowhere_is_sent_by_a_new_review(fault, run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], times=None, **fault)
    ROWS[SENT_UNSEEN].check(run.submit(approved))
    sandbox.clear_faults()
    # Clearing the task looks again, and never sends again.
    assert run.submit(approved, 2)["state"] == "unknown"
    assert submissions(sandbox, run) == 0
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
    assert submissions(sandbox, run) == 1


def test_what_a_colleague_submits_after_an_unknown_end_is_seen_by_clearing_the_task(run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect="drop-before", times=None)
    ROWS[SENT_UNSEEN].check(run.submit(approved))
    sandbox.edit_dispute(run.dispute, submit=True)
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("kind", ["stripe"])
def test_a_stored_500_is_left_behind_by_a_new_review(run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT["stripe"], effect="stored-500")
    ROWS["Stripe replays a stored 500"].check(run.submit(approved))
    again = Contest("stripe", run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
    assert submissions(sandbox, run) == 1


def test_a_try_that_follows_on_a_killed_one_sends_what_never_arrived(run, sandbox, waited):
    approved = run.approve()
    run.break_off(approved)
    ROWS[KILLED].check(run.submit(approved, 2))
    assert submissions(sandbox, run) == 1
    assert (sum(waited) > 204) == (run.kind == "moov")


def test_a_try_that_follows_on_a_killed_one_finds_what_arrived(run, sandbox):
    approved = run.approve()
    run.break_off(approved)
    sandbox.edit_dispute(run.dispute, submit=True)
    ROWS[KILLED].check(run.submit(approved, 2), "an earlier try of this task, or somebody else meanwhile")
    assert submissions(sandbox, run) == 1


def test_a_killed_try_and_a_due_date_that_is_near(run, sandbox, connect):
    dispute = sandbox.create_dispute(api=run.kind, amount=100, due_in=150)["id"]
    near = Contest(run.kind, dispute)
    approved = near.approve()
    near.break_off(approved)
    if run.kind == "moov":
        ROWS[f"{KILLED} … and its due date comes before that"].check(near.submit(approved, 2))
        assert submissions(sandbox, near) == 0
        sandbox.edit_dispute(dispute, submit=True)
    assert near.submit(approved, 2)["state"] == "submitted"


def test_a_killed_try_and_other_evidence(run, sandbox):
    approved = run.approve()
    run.break_off(approved)
    sandbox.edit_dispute(run.dispute, evidence={TEXT[run.kind]: "A colleague's."})
    sandbox.edit_dispute(run.dispute, submit=True)
    ROWS[f"{KILLED} … and it shows other evidence than approved"].check(run.submit(approved, 2))


def test_a_killed_try_of_a_dispute_that_has_moved_on(run, sandbox):
    approved = run.approve()
    run.break_off(approved)
    sandbox.edit_dispute(run.dispute, submit=True)
    sandbox.edit_dispute(run.dispute, reopen=True, due_in=86_400 * 9)
    title = (
        f"{KILLED} … and the dispute is answered and moves on before the next try: "
        "to its next stage, or to the same one opened again, with another due date"
    )
    ROWS[title].check(run.submit(approved, 2))
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"


def test_a_killed_try_and_a_dispute_that_nobody_may_read(run, sandbox):
    approved = run.approve()
    run.break_off(approved)
    sandbox.fault(operation=READ[run.kind], effect="status", status=401, times=None)
    title = f"{KILLED} … and no later try can read the dispute, or is allowed to"
    ROWS[title].check(run.submit(approved, 2))
    sandbox.clear_faults()
    # Clearing the task looks again, and never sends again.
    assert run.submit(approved, 3)["state"] == "unknown"
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
    assert submissions(sandbox, run) == 1


def test_a_task_that_is_cleared_after_success(run, sandbox):
    assert "A task is cleared by hand after success" in ROWS
    approved = run.approve()
    first = run.submit(approved)
    again = run.submit(approved, 2)
    assert (again["state"], again["reason"]) == (first["state"], first["reason"])
    assert submissions(sandbox, run) == 1


def test_two_runs_of_one_dispute(run, sandbox):
    other = Contest(run.kind, run.dispute)
    one, two = run.approve(), other.approve()
    assert run.submit(one)["state"] == "submitted"
    ROWS["Two runs, connections or deployments submit the same dispute"].check(other.submit(two))
    assert submissions(sandbox, run) == 1


def test_two_deployments_without_a_common_ledger(run, sandbox, monkeypatch, tmp_path):
    title = (
        "Two runs, connections or deployments submit the same dispute … "
        "and the two deployments have no ledger in common"
    )
    assert "perhaps `submitted` for both" in ROWS[title].cells[1]
    sandbox.settings(permissive=True)
    other = Contest(run.kind, run.dispute)
    one, two = run.approve(), other.approve()

    def elsewhere() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "another"))
            patch.setattr(running, "ASSETS", approvals_alone())
            other.submit(two)

    at_the_send(monkeypatch, elsewhere)
    assert run.submit(one)["state"] in ("submitted", "submitted-differs")
    assert submissions(sandbox, run) == {"stripe": 1, "moov": 2}[run.kind]


def approvals_alone() -> AssetStores:
    """Asset state stores of another deployment, which knows the same approvals and no ledger."""
    stores = AssetStores()
    stores.by_uri = {uri: store for uri, store in running.ASSETS.by_uri.items() if "ledger" not in uri}
    return stores


def test_a_worker_that_is_frozen_in_the_window_that_cannot_be_closed(run, sandbox, monkeypatch, waited):
    title = (
        "A worker is frozen between its last check and the write to the network, "
        "for longer than 205 seconds, and another task takes over"
    )
    assert "the one window that cannot be closed" in ROWS[title].cells[0]
    sandbox.settings(permissive=True)
    other = Contest(run.kind, run.dispute)
    one, two = run.approve(), other.approve()

    def take_over() -> None:
        waited.append(300.0)
        assert other.submit(two)["state"] == "submitted"

    at_the_send(monkeypatch, take_over)
    end = run.submit(one)
    assert submissions(sandbox, run) == {"stripe": 1, "moov": 2}[run.kind]
    assert end["state"] == {"stripe": "submitted", "moov": "submitted-differs"}[run.kind]
    if run.kind == "moov":
        ROWS[title].check(end)


@pytest.mark.parametrize(
    ("status", "state"),
    [(302, "unknown"), (400, "refused"), (404, "refused"), (401, "held"), (403, "held"), (429, "unknown")],
)
def test_a_refusal_that_is_true(status, state, run, sandbox):
    title = (
        "Any other answer but a readable success (3xx, 4xx, 202, 204), "
        "from the API, a gateway or a proxy that repeats the request"
    )
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect="status", status=status, times=None)
    end = run.submit(approved)
    assert end["state"] == state, end["reason"]
    assert f"`{state}`" in ROWS[title].cells[1]
    sandbox.clear_faults()
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429])
def test_a_refusal_that_is_not_true(status, run, sandbox):
    title = (
        "Any other answer but a readable success (3xx, 4xx, 202, 204), "
        "from the API, a gateway or a proxy that repeats the request"
    )
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect="status", status=status, after=True)
    ROWS[title].check(run.submit(approved))
    assert submissions(sandbox, run) == 1


def test_a_refusal_and_other_evidence(run, sandbox, monkeypatch):
    title = (
        "Any other answer but a readable success (3xx, 4xx, 202, 204), "
        "from the API, a gateway or a proxy that repeats the request … and it shows other evidence"
    )
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect="status", status=400)

    def colleague() -> None:
        sandbox.edit_dispute(run.dispute, evidence={TEXT[run.kind]: "A colleague's."})
        sandbox.edit_dispute(run.dispute, submit=True)

    at_the_send(monkeypatch, colleague)
    ROWS[title].check(run.submit(approved))


def test_a_connection_that_cannot_be_used(run, sandbox, connect):
    approved = run.approve()
    connect(run.kind, extra={"rate_limit": "many"})
    end = run.submit(approved)
    ROWS["A connection, Airflow's state store or the ledger cannot be used"].check(end)
    connect(run.kind)
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("broken", ["list", "create"])
def test_a_ledger_that_cannot_be_used(broken, run, sandbox, monkeypatch):
    approved = run.approve()

    def fail(*given: Any) -> Any:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, broken, fail)
        end = run.submit(approved)
    assert end["state"] == "held", end["reason"]
    if broken == "list":
        ROWS["A connection, Airflow's state store or the ledger cannot be used"].check(end)
    assert submissions(sandbox, run) == 0
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("change", ["wiped", "another"])
def test_a_ledger_that_is_another(change, run, sandbox, monkeypatch, tmp_path):
    monkeypatch.setattr(running, "ASSETS", AssetStores())
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "ledger"))
    approved = run.approve()
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "elsewhere"))
        if change == "another":
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "elsewhere" / "ledger.json").write_text('{"id": "another"}')
        title = (
            "The ledger is not the one that earlier tasks used: its folder was wiped or moved, "
            "or each worker has one of its own"
        )
        ROWS[title].check(run.submit(approved))
    assert submissions(sandbox, run) == 0
    assert run.submit(approved, 2)["state"] == "submitted"


def test_a_file_of_the_ledger_that_was_edited(run, sandbox):
    approved = run.approve()
    [*_, last] = sorted(chains_of(sandbox).glob(f"*/{run.dispute}/*/*"))
    whole = last.read_bytes()
    last.write_bytes(whole.replace(b'"staged"', b'"failed"'))
    ROWS["A file of the ledger was edited, or cannot be read"].check(run.submit(approved))
    assert submissions(sandbox, run) == 0
    last.write_bytes(whole)
    assert run.submit(approved, 2)["state"] == "submitted"


def test_a_dispute_that_another_task_works_on_and_goes_on(run, sandbox, monkeypatch, waited):
    approved = run.approve()
    other = Contest(run.kind, run.dispute)
    claimed = other.approve()
    monkeypatch.setattr(FolderStore, "now", lambda self: time.time())
    other.break_off(claimed)
    end = run.submit(approved)
    ROWS["Another task is staging or submitting the dispute, and goes on for minutes"].check(end)
    assert submissions(sandbox, run) == 0


def test_another_call_that_ended_since_the_approval(run, sandbox):
    other = Contest(run.kind, run.dispute)
    one, two = run.approve(), other.approve()
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


def test_it_was_answered_since_it_was_approved(run, sandbox):
    approved = run.approve()
    sandbox.edit_dispute(run.dispute, submit=True)
    ROWS["It was answered between review and submission"].check(run.submit(approved))
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


def test_evidence_or_a_due_date_that_changed_since_the_approval(run, sandbox):
    row = ROWS["The evidence or the due date changed between review and submission"]
    approved = run.approve()
    sandbox.edit_dispute(run.dispute, due_in=86_400 * 9)
    end = run.submit(approved)
    row.check(end, "its due date")
    again = Contest(run.kind, run.dispute)
    approved = again.approve()
    sandbox.edit_dispute(run.dispute, evidence={TEXT[run.kind]: "A colleague's."})
    row.check(again.submit(approved), "the evidence has changed since it was approved; review it again")
    last = Contest(run.kind, run.dispute)
    assert last.submit(last.approve(asking=True))["state"] == "submitted"


def test_evidence_that_changes_at_the_send(kind, run, sandbox, monkeypatch):
    title = (
        "The evidence or the due date changed between review and submission … "
        "the evidence, in the moment between the last reading and the send"
    )
    approved = run.approve()
    other = {"stripe": "customer_name", "moov": "receipt"}[kind]
    at_the_send(monkeypatch, lambda: sandbox.edit_dispute(run.dispute, evidence={other: "A colleague's."}))
    ROWS[title].check(run.submit(approved))


@pytest.mark.parametrize("moment", ["before the send", "at the send"])
def test_a_new_stage(moment, kind, sandbox, connect, monkeypatch):
    connect(kind)
    inquiry = {"stripe": {"status": "warning_needs_response"}, "moov": {"phase": "inquiry"}}[kind]
    chargeback = {"stripe": {"status": "needs_response"}, "moov": {"phase": "chargeback"}}[kind]
    run = Contest(kind, sandbox.create_dispute(api=kind, amount=100, **inquiry)["id"])
    approved = run.approve()
    title = "The dispute moves to a new stage before the send"
    if moment == "before the send":
        sandbox.edit_dispute(run.dispute, **chargeback)
        ROWS[title].check(run.submit(approved))
        again = Contest(kind, run.dispute)
        assert again.submit(again.approve(asking=True))["state"] == "submitted"
        return

    def colleague() -> None:
        sandbox.edit_dispute(run.dispute, submit=True)
        sandbox.edit_dispute(run.dispute, reopen=True, **chargeback)

    at_the_send(monkeypatch, colleague)
    more = "… or is opened again, in the moment between the last reading and reading back"
    ROWS[f"{title} {more}"].check(run.submit(approved))


@pytest.mark.parametrize("change", [{"due_in": -5}, {"status": "lost"}])
def test_nothing_can_be_sent_any_more(change, run, sandbox):
    approved = run.approve()
    sandbox.edit_dispute(run.dispute, **change)
    end = run.submit(approved)
    if run.kind == "stripe" or "status" in change:
        ROWS["The due date has passed, or the dispute is decided"].check(end)
    assert end["state"] == "refused"
    assert submissions(sandbox, run) == 0
