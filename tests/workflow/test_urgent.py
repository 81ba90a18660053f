"""One urgent dispute does not set the time by which the others of its batch must be answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import channels
import flows
import pytest
from sweeping import write_case
from test_appeals import without_case
from test_asking_again import HOUR, in_store

from dispute_provider._state.sweep_store import REVIEWED
from dispute_provider._tasks.notifications import ConfiguredNotifier

DAY = 24 * HOUR


def due(sandbox: Any, dispute: str) -> datetime:
    return datetime.fromtimestamp(sandbox.dispute(dispute)["object"]["evidence_details"]["due_by"], UTC)


def minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def test_the_sweep_opens_a_separate_review_for_urgent_disputes(
    sweep, engine, sandbox, cases, stripe_connection
):
    for dispute, hours in (("du_urgent_1", 7), ("du_urgent_2", 20), ("du_later_1", 100), ("du_later_2", 300)):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=hours * HOUR)
        write_case(cases, dispute)

    assert sweep.run().state == "success"

    reviews = sweep.reviews()
    assert sorted(reviews.values()) == [["du_later_1", "du_later_2"], ["du_urgent_1", "du_urgent_2"]]
    memory = in_store(engine, REVIEWED, lambda store: store.get(stripe_connection))
    until = {dispute: datetime.fromisoformat(memory[dispute]["until"]) for dispute in memory}
    assert until["du_urgent_1"] < due(sandbox, "du_urgent_1")
    assert until["du_later_1"] == until["du_later_2"] == due(sandbox, "du_later_1") - timedelta(hours=6)
    named = {dispute: memory[dispute]["review"].partition("/")[2] for dispute in memory}
    assert all(named[dispute] == run for run, disputes in reviews.items() for dispute in disputes)
    sweep.run()
    assert sweep.reviews() == reviews, "both are remembered"


def test_a_sweep_with_only_urgent_disputes_opens_one_review(sweep, sandbox, cases):
    sandbox.create_dispute(api="stripe", id="du_urgent_alone", due_in=10 * HOUR)
    write_case(cases, "du_urgent_alone")
    assert sweep.run().state == "success"
    assert list(sweep.reviews().values()) == [["du_urgent_alone"]]


def test_a_dispute_that_is_past_due_and_still_listed_fails_no_sweep(sweep, engine, sandbox, cases):
    # An inquiry may stay open for months after its due date.
    for dispute, hours in (("du_past", -1), ("du_past_broken", -1), ("du_open", 100)):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=hours * HOUR, status="warning_needs_response")
        write_case(cases, dispute)
    (cases / "du_past_broken" / "case.json").write_text('{"dispute": "du_past_broken"')

    run = sweep.run()

    assert run.state == "success"
    assert list(sweep.reviews().values()) == [["du_open"]]
    found = {each["dispute"]: each["reason"] for each in without_case(engine, run)}
    assert found == dict.fromkeys(("du_past", "du_past_broken"), "its due date has passed")


def test_each_dispute_of_a_review_has_its_own_time_limit(engine, sandbox, stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.team")
    monkeypatch.setattr(channels, "delivered", [])
    sandbox.create_dispute(api="stripe", id="du_urgent", due_in=9 * HOUR)
    sandbox.create_dispute(api="stripe", id="du_inquiry", due_in=12 * DAY)
    cases = [
        {"provider": "stripe", "dispute": dispute, "evidence": {"customer_name": "Zoë"}}
        for dispute in ("du_urgent", "du_inquiry")
    ]
    dag = flows.contest(cases, stripe_connection, notifiers=[ConfiguredNotifier()])

    engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    [form] = engine.forms
    later = minute(due(sandbox, "du_inquiry") - timedelta(hours=6))
    first = minute(due(sandbox, "du_urgent") - timedelta(hours=6))
    assert f"Without an answer by **{later}**" in form["body"]
    assert f"Answer these first, they are due sooner:** du\\_urgent by {first}" in form["body"]
    [message] = channels.delivered
    assert f"answer by {later} (1 due sooner: by {first})" in message


@pytest.mark.parametrize("unanswered", ["du_inquiry"])
def test_a_policy_decides_at_the_deadline_of_each_dispute(unanswered, stripe_connection):
    from test_review_task import TIMEOUT, resume, staged

    now = datetime.now(UTC)
    records = [
        staged("du_urgent", stripe_connection, due=(now + timedelta(hours=6)).isoformat()),
        staged(unanswered, stripe_connection, due=(now + timedelta(days=12)).isoformat()),
    ]
    decided, _ = resume(TIMEOUT, records, at_deadline=flows.SMALL)
    states = {record["dispute"]: record["state"] for record in decided}
    assert states == {"du_urgent": "approved", unanswered: "held"}
