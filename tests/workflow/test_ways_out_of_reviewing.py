"""Rows of *Answers that approve nothing* in ``docs/faults.md``: the fault, its reason, and the way out."""

from __future__ import annotations

import pytest
import running
from contesting import Contest, submissions
from faults_page import rows
from state_stores import AssetStores

ROWS = rows()
pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture(autouse=True)
def _own_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ASSETS", AssetStores())


@pytest.mark.parametrize("answer", ["Submit", "Reject"])
def test_an_answer_is_withdrawn_by_clearing_its_review(answer, run, sandbox):
    staged = run.stage()
    withdrawn = run.ask(staged, answer)
    approved = run.ask(staged)
    ROWS["An approval or a rejection is withdrawn by clearing its review"].check(run.submit(withdrawn))
    assert submissions(sandbox, run) == 0
    assert run.submit(approved, 2)["state"] == "submitted"


@pytest.mark.parametrize("answer", ["Submit", "Reject"])
def test_a_state_store_that_was_emptied_needs_a_new_review(answer, run, sandbox, monkeypatch):
    answered = run.ask(run.stage(), answer)
    monkeypatch.setattr(running, "ASSETS", AssetStores())
    title = "Airflow's state store is emptied between a review and its submission"
    ROWS[title].check(run.submit(answered))
    assert submissions(sandbox, run) == 0
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"


def test_a_record_of_another_run_is_replaced_by_the_run_s_own(run, sandbox):
    copied = Contest(run.kind, run.dispute).approve()
    ROWS["A record is copied from another run"].check(run.submit(copied))
    assert submissions(sandbox, run) == 0
    assert run.submit(run.approve(), 2)["state"] == "submitted"


def test_a_review_without_an_answer_is_followed_by_another(run):
    held = run.ask(run.stage(), error="timed out", error_type="timeout")
    ROWS["No reviewer answers in time"].check(held, "no answer in time; nothing was sent")
    again = Contest(run.kind, run.dispute)
    assert again.submit(again.approve(asking=True))["state"] == "submitted"


def test_a_record_of_an_earlier_version_is_staged_again(run):
    staged = run.stage()
    former = {name: value for name, value in staged.items() if name not in ("signature", "staged_as")}
    title = "dispute-provider is upgraded from a version that signed records differently"
    ROWS[title].check(run.review(former))
    assert run.submit(run.approve())["state"] == "submitted"
