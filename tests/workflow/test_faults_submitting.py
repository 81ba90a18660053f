"""Rows of *While submitting* in ``docs/faults.md`` about one task: the fault, its reason, and the way out."""

from __future__ import annotations

import shutil

import pytest
from contesting import READ, SUBMIT, TEXT, Contest, submissions
from faults_page import rows
from sending import at_the_send

from dispute_provider.sandbox import Sandbox

ROWS = rows()
SENT_UNSEEN = "The connection breaks, times out or 5xx arrives … and the dispute does not show it"
LIMITED = "to more than the policy, or one reviewer without four eyes, may approve"
KILLED = "The worker is killed before, during or after the send"
CONCEDE = {"stripe": "PostDisputesDisputeClose", "moov": "acceptDispute"}
pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.parametrize("effect", ["drop-after", "wrong-json", "truncate"])
def test_a_lost_answer(effect, run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect=effect)
    end = run.submit(approved)
    ROWS["The connection breaks, times out or 5xx arrives"].check(end)
    assert submissions(sandbox, run) == 1


@pytest.mark.parametrize("fault", [{"effect": "drop-before"}, {"effect": "status", "status": 504}])
def test_a_call_that_never_shows_is_sent_by_a_new_review(fault, run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], times=None, **fault)
    ROWS[SENT_UNSEEN].check(run.submit(approved))
    sandbox.clear_faults()
    # Clearing the task reads the dispute again, and never sends again.
    assert run.submit(approved, 2)["state"] == "unknown"
    assert submissions(sandbox, run) == 0
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
    assert submissions(sandbox, run) == 1


def test_clearing_the_task_finds_a_colleagues_submission_after_an_unknown_end(run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT[run.kind], effect="drop-before", times=None)
    ROWS[SENT_UNSEEN].check(run.submit(approved))
    sandbox.edit_dispute(run.dispute, submit=True)
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("kind", ["stripe"])
def test_a_new_review_gets_past_a_stored_500(run, sandbox):
    approved = run.approve()
    sandbox.fault(operation=SUBMIT["stripe"], effect="stored-500")
    ROWS["Stripe replays a stored 500"].check(run.submit(approved))
    again = Contest("stripe", run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
    assert submissions(sandbox, run) == 1


def test_the_try_after_a_killed_one_sends_what_never_arrived(run, sandbox, waited):
    approved = run.approve()
    run.break_off(approved)
    ROWS[KILLED].check(run.submit(approved, 2))
    assert submissions(sandbox, run) == 1
    assert (sum(waited) > 204) == (run.kind == "moov")


def test_the_try_after_a_killed_one_finds_what_arrived(run, sandbox):
    approved = run.approve()
    run.break_off(approved)
    sandbox.edit_dispute(run.dispute, submit=True)
    ROWS[KILLED].check(run.submit(approved, 2), "an earlier try of this task, or someone else")
    assert submissions(sandbox, run) == 1


def test_a_killed_try_close_to_the_due_date(run, sandbox, connect):
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


def test_a_killed_try_leaves_its_link_to_the_task_that_took_it_over(run, sandbox):
    approved = run.approve()
    other = Contest(run.kind, run.dispute)
    others = other.approve()
    run.break_off(approved)
    other.break_off(others)
    sandbox.fault(operation=READ[run.kind], effect="status", status=401, times=None)
    assert run.submit(approved, 2)["state"] == "unknown"
    sandbox.clear_faults()
    assert other.submit(others, 2)["state"] == "submitted"
    assert submissions(sandbox, run) == 1


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


def test_a_killed_try_of_a_dispute_that_cannot_be_read(run, sandbox):
    approved = run.approve()
    run.break_off(approved)
    sandbox.fault(operation=READ[run.kind], effect="status", status=401, times=None)
    title = f"{KILLED} … and no later try can read the dispute, or is allowed to"
    ROWS[title].check(run.submit(approved, 2))
    sandbox.clear_faults()
    # Clearing the task reads the dispute again, and never sends again.
    assert run.submit(approved, 3)["state"] == "unknown"
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"
    assert submissions(sandbox, run) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [(302, "unknown"), (400, "refused"), (404, "refused"), (401, "held"), (403, "held"), (429, "unknown")],
)
def test_a_true_refusal(status, state, run, sandbox):
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
def test_a_false_refusal(status, run, sandbox):
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


def test_a_dispute_that_has_no_evidence_any_more(run, sandbox):
    approved = run.approve()
    if run.kind == "stripe":
        sandbox.edit_dispute(run.dispute, evidence={TEXT["stripe"]: ""})
    else:
        items = sandbox.dispute(run.dispute)["evidence"]
        sandbox.edit_dispute(run.dispute, remove=[item["evidenceID"] for item in items])
    row = ROWS["The evidence or the due date changed between review and submission"]
    row.check(run.submit(approved), "the dispute has no evidence any more; stage and review it again")
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"


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


def test_a_concession_of_another_amount(run, sandbox):
    approved = run.ask(run.stage(), "Concede")
    sandbox.edit_dispute(run.dispute, amount=99_900)
    end = run.submit(approved)
    ROWS["The amount changed between review and concession"].check(end)
    assert "from 1.00 USD to 999.00 USD" in end["reason"]
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.ask(again.stage(), "Concede"))["state"] == "conceded"


def by_policy(contest):
    return contest.review(contest.stage())


def by_one_of_two(contest):
    return contest.ask(contest.stage(), four_eyes_from={"USD": 1_000_000, "eur": 5})


@pytest.mark.parametrize("approve", [by_policy, by_one_of_two])
@pytest.mark.parametrize("change", [{"amount": 1_000_000}, {"amount": 7, "currency": "eur"}])
def test_an_amount_that_whoever_approved_it_may_not_approve(approve, change, run, sandbox):
    approved = approve(run)
    sandbox.edit_dispute(run.dispute, **change)
    end = run.submit(approved)
    title = f"The amount changed between review and concession … or between review and submission, {LIMITED}"
    ROWS[title].check(end)
    assert "from 1.00 USD to" in end["reason"]
    assert submissions(sandbox, run) == 0
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"


@pytest.mark.parametrize("approve", [by_policy, by_one_of_two])
def test_an_amount_that_changed_below_the_limit_is_submitted(approve, run, sandbox):
    approved = approve(run)
    sandbox.edit_dispute(run.dispute, amount=999_999)
    assert run.submit(approved)["state"] == "submitted"


def test_a_reviewer_approves_the_evidence_whatever_the_amount(run, sandbox):
    approved = run.approve(asking=True)
    sandbox.edit_dispute(run.dispute, amount=99_900)
    assert run.submit(approved)["state"] == "submitted"


@pytest.mark.parametrize("change", [{"due_in": -5}, {"status": "lost"}])
def test_a_dispute_that_is_past_due_or_decided(change, run, sandbox):
    approved = run.approve()
    sandbox.edit_dispute(run.dispute, **change)
    end = run.submit(approved)
    if run.kind == "stripe" or "status" in change:
        ROWS["The due date has passed, or the dispute is decided"].check(end)
    assert end["state"] == "refused"
    assert submissions(sandbox, run) == 0


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"effect": "drop-after"}, "conceded"),
        ({"effect": "drop-before", "times": None}, "unknown"),
        ({"effect": "status", "status": 504, "times": None}, "unknown"),
    ],
)
def test_the_lost_answer_to_a_concession(fault, state, run, sandbox):
    row = ROWS["The answer to a concession is lost"]
    approved = run.ask(run.stage(), "Concede")
    sandbox.fault(operation=CONCEDE[run.kind], **fault)
    end = run.submit(approved)
    assert end["state"] == state, end["reason"]
    assert f"`{state}`" in row.cells[1]
    if state == "conceded":
        return
    row.check(end)
    sandbox.clear_faults()
    # Clearing the task reads the dispute again, and never sends again.
    assert run.submit(approved, 2)["state"] == "unknown"
    assert submissions(sandbox, run) == 0
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.ask(again.stage(), "Concede"))["state"] == "conceded"


class TestRejectingEvidenceThatTheApiWouldSubmit:
    """A rejected dispute that was switched to manual gets its earlier evidence and method back."""

    TITLE = (
        "The evidence of a rejected dispute cannot be put back, because the API, the evidence store or "
        "the connection fails"
    )

    @pytest.fixture
    def run(self, sandbox, stripe_connection, tmp_path, monkeypatch) -> Contest:
        monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
        monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", "a signing key that has at least 32 characters")
        dispute = sandbox.create_dispute(
            api="stripe",
            amount=100,
            intended_submission_method="smart_disputes",
            evidence={TEXT["stripe"]: "A colleague's."},
        )
        return Contest("stripe", dispute["id"], switch_to_manual=True, merge="overwrite")

    def check_way_out(self, run: Contest, sandbox: Sandbox) -> None:
        """The dispute is on manual; the next run stages it, and its review submits it."""
        assert sandbox.dispute(run.dispute)["object"]["intended_submission_method"] == "manual"
        again = Contest("stripe", run.dispute, merge="overwrite")
        assert again.submit(again.approve(asking=True))["state"] == "submitted"

    @pytest.mark.parametrize("failing", ["the API", "the connection", "the evidence store"])
    def test_it_cannot_be_put_back(self, failing, run, sandbox, connect, tmp_path, monkeypatch):
        rejected = run.ask(run.stage(), "Reject")
        assert rejected["state"] == "rejected"
        if failing == "the API":
            sandbox.fault(operation=SUBMIT["stripe"], effect="status", status=403, times=None)
        elif failing == "the connection":
            connect("stripe", extra={"rate_limit": "many"})
        else:
            shutil.rmtree(tmp_path / "store")
        end = run.submit(rejected)
        if failing == "the evidence store":
            assert (end["state"], "did not clear" in end["reason"]) == ("rejected", True), end["reason"]
        else:
            ROWS[self.TITLE].check(end)
        sandbox.clear_faults()
        connect("stripe")
        self.check_way_out(run, sandbox)

    def test_a_colleague_has_edited_it(self, run, sandbox):
        rejected = run.ask(run.stage(), "Reject")
        sandbox.edit_dispute(run.dispute, evidence={"customer_name": "A colleague's."})
        end = run.submit(rejected)
        ROWS[f"{self.TITLE} … or because a colleague has edited the dispute since it was staged"].check(end)
        self.check_way_out(run, sandbox)
