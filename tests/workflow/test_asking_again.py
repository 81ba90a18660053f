"""The sweep opens another review of unanswered disputes, and sends reminders of open disputes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import channels
import pytest
from airflow.sdk import DAG, Asset, task
from sweeping import load, write_case

from dispute_provider._state.approvals import SUBMISSIONS
from dispute_provider._state.sweep_store import ANSWERED, REMINDED, REVIEWED

HOUR = 3600


def in_store(engine: Any, asset: Asset, work: Callable[[Any], Any]) -> Any:
    """Look into one of Airflow's stores, or change what is in it, as a task can."""
    seen: list[Any] = []
    with DAG("in_store", schedule=None) as dag:

        @task(outlets=[asset])
        def look(**context: Any) -> None:
            seen.append(work(context["asset_state_store"][asset]))

        look()
    assert engine.run(dag).state == "success"
    return seen[0]


def age(engine: Any, conn_id: str) -> None:
    """Let the reviews that are open have ended an hour ago."""
    until = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    def work(store: Any) -> None:
        memory = store.get(conn_id)
        store.set(conn_id, {dispute: {**asked, "until": until} for dispute, asked in memory.items()})

    in_store(engine, REVIEWED, work)


def note_answer(engine: Any, conn_id: str, dispute: str, action: str | None, **more: str) -> None:
    """Store an answer to the review that the sweep has opened."""
    review = in_store(engine, REVIEWED, lambda store: store.get(conn_id)[dispute]["review"])
    answer = {f"{conn_id}/{dispute}": {"review": review, "action": action, **more}}
    in_store(engine, ANSWERED, lambda store: store.set(review, {**(store.get(review) or {}), **answer}))


def test_an_unanswered_dispute_is_reviewed_once_more(sweep, engine, sandbox, cases, stripe_connection):
    for dispute in ("du_late_1", "du_late_2", "du_decided"):
        sandbox.create_dispute(api="stripe", id=dispute)
        write_case(cases, dispute)
    sweep.run()
    [first] = sweep.reviews()
    note_answer(engine, stripe_connection, "du_decided", "hold")
    age(engine, stripe_connection)

    assert sweep.run().state == "success"
    reviews = sweep.reviews()
    assert sorted(map(tuple, reviews.values())) == [
        ("du_decided", "du_late_1", "du_late_2"),
        ("du_late_1", "du_late_2"),
    ]
    assert len(set(reviews)) == 2, "a run of its own, though it is about the same"
    assert first in reviews

    sweep.run()
    assert len(sweep.reviews()) == 2, "the new review is open"


def test_a_dispute_whose_review_run_was_deleted_is_reviewed_again(
    sweep, engine, sandbox, cases, stripe_connection
):
    sandbox.create_dispute(api="stripe", id="du_deleted")
    write_case(cases, "du_deleted")
    sweep.run()
    [first] = sweep.reviews()
    assert engine.api.delete(f"/api/v2/dags/dispute_review/dagRuns/{first}").is_success
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_deleted"]]


def test_a_void_answer_is_reviewed_again_before_the_review_ends(
    sweep, engine, sandbox, cases, stripe_connection
):
    sandbox.create_dispute(api="stripe", id="du_void")
    write_case(cases, "du_void")
    sweep.run()
    note_answer(engine, stripe_connection, "du_void", None)
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_void"], ["du_void"]]


def test_an_edited_case_is_reviewed_again_and_so_is_its_first_version(
    sweep, engine, sandbox, cases, stripe_connection
):
    sandbox.create_dispute(api="stripe", id="du_edit")
    write_case(cases, "du_edit", "One.")
    sweep.run()
    note_answer(engine, stripe_connection, "du_edit", "edit")
    for text in ("Two.", "One."):
        write_case(cases, "du_edit", text)
        sweep.run()
    assert len(sweep.reviews()) == 3


def test_a_review_stores_its_answers_under_its_own_name(sweep, engine, sandbox, stripe_connection, cases):
    sandbox.create_dispute(api="stripe", id="du_noted")
    write_case(cases, "du_noted")
    sweep.run()
    [review] = sweep.reviews()
    opened = engine.api.get(f"/api/v2/dags/dispute_review/dagRuns/{review}").json()["conf"]

    run = engine.run(
        load("dispute_review"),
        lambda form: {
            "chosen_options": ["Hold for later"],
            "params_input": {"hold_reason": "Needs documents", "hold_for": "Ben", "note": "Zoë says no"},
        },
        opened,
    )

    name = f"dispute_review/{run.run_id}"
    noted = in_store(engine, ANSWERED, lambda store: store.get(name))
    assert noted[f"{stripe_connection}/du_noted"].pop("at")
    assert noted == {
        f"{stripe_connection}/du_noted": {
            "review": name,
            "action": "hold",
            "who": "ana (ana)",
            "why": "held by the reviewer (needs documents, assigned to Ben)",
            "place": "review/-1",
        }
    }, "without the note, which stays with the answer"


def test_answers_to_other_reviews_are_not_stored_for_the_sweep(engine, sandbox, stripe_connection, cases):
    sandbox.create_dispute(api="stripe", id="du_by_hand")
    path = write_case(cases, "du_by_hand")
    run = engine.run(
        load("stripe_dispute_evidence"),
        lambda form: {"chosen_options": ["Hold for later"], "params_input": {}},
        {"case_path": str(path)},
    )
    name = f"stripe_dispute_evidence/{run.run_id}"
    assert in_store(engine, ANSWERED, lambda store: store.get(name)) is None


def test_closed_disputes_are_deleted_from_the_memory(sweep, engine, sandbox, cases, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_gone")
    write_case(cases, "du_gone")
    sweep.run()
    note_answer(engine, stripe_connection, "du_gone", "hold")
    [review] = [f"dispute_review/{run_id}" for run_id in sweep.reviews()]
    sandbox.edit_dispute("du_gone", status="won")
    sweep.run()
    assert not in_store(engine, REVIEWED, lambda store: store.get(stripe_connection))
    assert in_store(engine, ANSWERED, lambda store: store.get(review)) is None


def openings(engine: Any, review: str) -> Any:
    """Return the last opening of a review in Airflow's store."""
    return in_store(engine, SUBMISSIONS, lambda store: store.get(f"answers {review}/review/-1"))


def test_the_opening_of_a_review_whose_records_are_all_refused_is_deleted(sweep, engine, sandbox, cases):
    sandbox.create_dispute(api="stripe", id="du_forged")
    write_case(cases, "du_forged")
    sweep.run()
    [opened] = sweep.reviews()
    conf = engine.api.get(f"/api/v2/dags/dispute_review/dagRuns/{opened}").json()["conf"]
    conf["staged"][0]["amount"] = 7

    run = engine.run(load("dispute_review"), conf=conf)

    assert "edited" in engine.result(run, "review")[0]["reason"]
    assert openings(engine, f"dispute_review/{run.run_id}") is None


def test_the_opening_of_a_review_that_was_deleted_before_its_answer_is_deleted(
    sweep, engine, sandbox, cases, stripe_connection
):
    sandbox.create_dispute(api="stripe", id="du_unanswered")
    write_case(cases, "du_unanswered")
    sweep.run()
    [opened] = sweep.reviews()
    review = f"dispute_review/{opened}"
    in_store(engine, SUBMISSIONS, lambda store: store.set(f"answers {review}/review/-1", "review/-1/first"))
    engine.api.delete(f"/api/v2/dags/dispute_review/dagRuns/{opened}")
    sandbox.edit_dispute("du_unanswered", status="won")
    sweep.run()
    assert openings(engine, review) is None


@pytest.fixture
def delivered(monkeypatch, engine, stripe_connection):
    """The messages that the team's channel has received."""
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.team")
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "72, 24, 8, soon")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example")
    monkeypatch.setattr(channels, "delivered", [])
    in_store(engine, REMINDED, lambda store: store.set(stripe_connection, {}))
    return channels.delivered


def test_open_disputes_are_listed_once_in_a_reminder_soonest_first(
    delivered, sweep, engine, sandbox, cases, stripe_connection
):
    for dispute, hours in (
        ("du_later", 90),
        ("du_case", 60),
        ("du_none", 20),
        ("du_held", 30),
        ("du_no", 40),
    ):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=hours * HOUR, amount=1200)
        if dispute != "du_none":
            write_case(cases, dispute)

    assert sweep.run().state == "failed", "there is no case for du_none"

    [message] = delivered
    head, *lines = message.removesuffix(" -> https://airflow.example/required_actions").split("\n")
    assert head == "Open disputes of connection stripe_default that are due soon: 4"
    assert [line.split(" · ")[0] for line in lines] == ["du_none", "du_held", "du_no", "du_case"]
    assert "12.00 USD · due 20" in lines[0]
    assert "no case was found for it" in lines[0]
    assert "its review is open, answer by 20" in lines[3]
    [run_id] = sweep.reviews()
    assert lines[3].endswith(f"https://airflow.example/dags/dispute_review/runs/{run_id}")

    sweep.run()
    assert len(delivered) == 1, "once"

    sandbox.edit_dispute("du_none", due_in=7 * HOUR)
    sweep.run()
    assert [line.split(" · ")[0] for line in delivered[1].split("\n")[1:]] == ["du_none"], (
        "the date is nearer now"
    )


def test_reminders_give_the_reason_of_held_disputes_and_omit_rejected_ones(
    delivered, sweep, engine, sandbox, cases, stripe_connection, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "")
    for dispute in ("du_held", "du_rejected"):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=20 * HOUR)
        write_case(cases, dispute)
    sweep.run()
    assert not delivered
    note_answer(engine, stripe_connection, "du_held", "hold", why="held, for Ben", who="ana (7)")
    note_answer(engine, stripe_connection, "du_rejected", "reject", why="rejected", who="ana (7)")
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "24")

    sweep.run()

    [message] = delivered
    assert "held, for Ben – ana (7)" in message
    assert "du_rejected" not in message
    assert f"/dags/dispute_review/runs/{next(iter(sweep.reviews()))}" in message


def test_a_failing_notifier_does_not_fail_the_sweep_and_is_called_again(
    delivered, sweep, sandbox, cases, monkeypatch
):
    sandbox.create_dispute(api="stripe", id="du_down", due_in=20 * HOUR)
    write_case(cases, "du_down")
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.Broken,no.such.module")
    assert sweep.run().state == "success"
    assert not delivered

    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.Broken,channels.team")
    assert sweep.run().state == "success"
    assert len(delivered) == 1
    assert "du_down" in delivered[0]

    sweep.run()
    assert len(delivered) == 1, "one of the two notifiers sent it"
