"""An open dispute returns to a reviewer before its due date, after any earlier answer."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import channels
import pytest
from airflow.sdk import Asset
from faults_page import rows
from sweeping import load, write_case
from test_asking_again import HOUR, in_store

from dispute_provider._state.sweep_store import ANSWERED, REMINDED, REVIEWED
from dispute_provider._tasks.record_lists import LARGEST_LIST, records_of

# By its URI, under which Airflow stores it.
ENDED = Asset(name="disputes ended", uri="dispute-provider://ended")


@pytest.fixture
def points(monkeypatch, engine, sandbox):
    """Let points in time before a dispute's due date pass, as one that is passed at this very moment."""
    passed: list[float] = []

    def now_for(dispute: str) -> None:
        due = datetime.fromtimestamp(sandbox.dispute(dispute)["object"]["evidence_details"]["due_by"], UTC)
        passed.append((due - datetime.now(UTC)) / timedelta(hours=1))
        monkeypatch.setenv("AIRFLOW__DISPUTE__ASK_AGAIN", ",".join(map(str, passed)))

    monkeypatch.setenv("AIRFLOW__DISPUTE__ASK_AGAIN", "")
    return now_for


def answer_last(sweep: Any, engine: Any, conn_id: str, dispute: str, answer: Any) -> None:
    """Run the last review of a dispute to its end, and move its notes to those of the opened run."""
    opened = in_store(engine, REVIEWED, lambda store: store.get(conn_id)[dispute]["review"])
    run_id = opened.partition("/")[2]
    conf = engine.api.get(f"/api/v2/dags/dispute_review/dagRuns/{run_id}").json()["conf"]
    run = engine.run(load("dispute_review"), answer, conf)
    name = f"dispute_review/{run.run_id}"

    def move(store: Any) -> None:
        noted = {key: {**entry, "review": opened} for key, entry in (store.get(name) or {}).items()}
        store.set(opened, noted)

    in_store(engine, ANSWERED, move)
    in_store(engine, ENDED, move)
    engine.api.delete(f"/api/v2/dags/dispute_review/dagRuns/{run.run_id}")


def open_before_due(engine: Any, sandbox: Any, conn_id: str, dispute: str, hours: float) -> None:
    """Let the last review of a dispute have been opened that many hours before its due date."""
    due = datetime.fromtimestamp(sandbox.dispute(dispute)["object"]["evidence_details"]["due_by"], UTC)
    opened = (due - timedelta(hours=hours)).isoformat()

    def work(store: Any) -> None:
        memory = store.get(conn_id)
        store.set(conn_id, {**memory, dispute: {**memory[dispute], "at": opened}})

    in_store(engine, REVIEWED, work)


def records(engine: Any, run: Any, task: str, key: str = "return_value") -> list[Any]:
    """The records that a task of the sweep has pushed for its first connection."""
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/contest.{task}/xcomEntries/{key}"
    value = engine.api.get(path, params={"deserialize": False, "map_index": 0}).json()["value"]
    return list(records_of(json.loads(value) if isinstance(value, str) else value))


def notes_of(engine: Any, run_id: str, dispute: str) -> str:
    conf = engine.api.get(f"/api/v2/dags/dispute_review/dagRuns/{run_id}").json()["conf"]
    return "\n".join(note for r in conf["staged"] if r["dispute"] == dispute for note in r.get("notes", []))


def test_a_dispute_left_out_of_an_answer_is_reviewed_at_each_hour_with_its_history(
    sweep, engine, sandbox, cases, stripe_connection, points
):
    for dispute in ("du_left_1", "du_left_2"):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=100 * HOUR)
        write_case(cases, dispute)
    sweep.run()
    answer_last(
        sweep,
        engine,
        stripe_connection,
        "du_left_1",
        lambda form: {"chosen_options": ["Submit none"], "params_input": {}},
    )
    sweep.run()
    [first] = sweep.reviews()

    points("du_left_2")
    sweep.run()
    [second] = sweep.reviews().keys() - {first}
    assert sweep.reviews()[second] == ["du_left_1", "du_left_2"]
    assert "held by the reviewer (decide later) – ana, 2" in notes_of(engine, second, "du_left_1")
    sweep.run()
    assert len(sweep.reviews()) == 2, "once"


@pytest.mark.parametrize("state", ["refused", "unknown"])
def test_an_approved_dispute_that_was_not_sent_is_reviewed_again_and_reminders_report_it(
    state, sweep, engine, sandbox, cases, stripe_connection, points, monkeypatch
):
    dispute = f"du_{state}"
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.team")
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "")
    monkeypatch.setattr(channels, "delivered", [])
    in_store(engine, REMINDED, lambda store: store.set(stripe_connection, {}))
    sandbox.create_dispute(api="stripe", id=dispute, due_in=50 * HOUR)
    write_case(cases, dispute)
    sweep.run()
    [review] = sweep.reviews()
    name = f"dispute_review/{review}"
    at = "2026-11-01T09:30:00+00:00"
    answer = {"review": name, "action": "submit", "who": "ana (7)", "at": at}
    key = f"{stripe_connection}/{dispute}"
    in_store(engine, ANSWERED, lambda store: store.set(name, {key: {**answer, "why": "approved"}}))
    end = {**answer, "state": state, "reason": "the bank's own words"}
    in_store(engine, ENDED, lambda store: store.set(name, {key: end}))

    points(dispute)
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "72")
    sweep.run()

    assert list(sweep.reviews().values()) == [[dispute], [dispute]]
    became = f"approved – ana (7), 2026-11-01 09:30 UTC, then {state}: the bank's own words"
    [again] = sweep.reviews().keys() - {review}
    assert became in notes_of(engine, again, dispute)
    [message] = channels.delivered
    assert became in message


def test_a_refusal_is_stored_by_the_run_and_reviewed_again(
    sweep, engine, sandbox, cases, stripe_connection, points
):
    sandbox.create_dispute(api="stripe", id="du_edited", due_in=50 * HOUR)
    write_case(cases, "du_edited")
    sweep.run()

    def approve_after_a_change(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.edit_dispute("du_edited", evidence={"customer_name": "a colleague's"})
        return {"chosen_options": form["options"][:1], "params_input": {}}

    answer_last(sweep, engine, stripe_connection, "du_edited", approve_after_a_change)
    [first] = sweep.reviews()
    sweep.run()

    [second] = sweep.reviews().keys() - {first}
    assert "approved – ana, 2" in notes_of(engine, second, "du_edited")
    assert "then refused: the evidence has changed" in notes_of(engine, second, "du_edited")


def test_a_dispute_that_cannot_be_read_and_a_case_given_twice_stop_no_other(
    sweep, engine, sandbox, cases, moov_connection, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", moov_connection)

    def write(dispute: str, text: str = "Delivered.") -> Path:
        return write_case(cases, dispute, text, provider="moov")

    gone, twice, there = (sandbox.create_dispute(api="moov")["id"] for _ in range(3))
    for dispute in (gone, twice, there):
        write(dispute)
    sweep.run()
    sandbox.fault(operation="listDisputeEvidence", dispute=gone, effect="status", status=404, times=None)
    second = write(twice, "Another account of it.").read_text()
    write(twice)
    (cases / "again").mkdir()
    (cases / "again" / "case.json").write_text(second)
    write(there, "Delivered, and signed for.")

    run = sweep.run()
    assert run.state == "failed", "a person must look at the other two"

    assert [there] in sweep.reviews().values()
    ends = [(record.dispute, record.state) for record in records(engine, run, "stage")]
    assert Counter(ends) == {(there, "staged"): 1, (twice, "refused"): 2}
    [unreadable] = records(engine, run, "find", "unreadable")
    assert (unreadable.dispute, unreadable.state) == (gone, "held")
    assert rows()["Between sweeps: One dispute cannot be read"].quotes(unreadable.reason)

    sandbox.clear_faults()
    (cases / "again" / "case.json").unlink()
    write(twice, "The only account of it.")
    write(gone, "Another account of it.")
    assert sweep.run().state == "success"
    assert sorted([gone, twice]) in sweep.reviews().values()


def test_a_case_at_the_address_of_another_dispute_is_not_used(
    sweep, engine, sandbox, cases, stripe_connection
):
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute, due_in=7 * HOUR)
    (cases / "stripe").mkdir()
    write_case(cases / "stripe", "du_2")
    wrong = write_case(cases / "stripe", "du_1")
    wrong.write_text(wrong.read_text().replace("du_1", "du_2"))

    run = sweep.run()
    assert run.state == "failed", "du_1 is due soon"
    assert [*sweep.reviews().values()] == [["du_2"]]
    [held] = records(engine, run, "find", "without_case")
    assert (held.dispute, held.state) == ("du_1", "held")
    title = "The case at the address of an open dispute is for another dispute, or for another API"
    assert rows()[f"Between sweeps: {title}"].quotes(held.reason)

    write_case(cases / "stripe", "du_1")
    assert sweep.run().state == "success"
    assert ["du_1"] in sweep.reviews().values()


def test_an_open_dispute_is_reviewed_again_at_the_second_hour(
    sweep, engine, sandbox, cases, stripe_connection, points
):
    sandbox.create_dispute(api="stripe", id="du_hours", due_in=100 * HOUR)
    write_case(cases, "du_hours")
    hold = {"chosen_options": ["Hold for later"], "params_input": {}}
    seen: list[int] = []
    sweep.run()
    for _ in ("the first hour", "the second"):
        answer_last(sweep, engine, stripe_connection, "du_hours", lambda form: hold)
        sweep.run()
        seen.append(len(sweep.reviews()))
        points("du_hours")
        sweep.run()
        seen.append(len(sweep.reviews()))
    assert seen == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("option", "reviews"), [("Reject", [1, 2, 2]), ("Submit", [1, 1, 1])], ids=["rejected", "submitted"]
)
def test_a_rejected_dispute_is_reviewed_at_the_first_hour_and_a_submitted_one_never(
    option, reviews, sweep, engine, sandbox, cases, stripe_connection, points
):
    dispute = f"du_{option.lower()}"
    sandbox.create_dispute(api="stripe", id=dispute, due_in=100 * HOUR)
    write_case(cases, dispute)

    def answer(form: Any) -> dict[str, Any]:
        [chosen] = [each for each in form["options"] if each.startswith(option)]
        return {"chosen_options": [chosen], "params_input": {}}

    seen: list[int] = []
    sweep.run()
    answer_last(sweep, engine, stripe_connection, dispute, answer)
    sweep.run()
    seen.append(len(sweep.reviews()))
    points(dispute)
    sweep.run()
    seen.append(len(sweep.reviews()))
    if option == "Reject":
        answer_last(sweep, engine, stripe_connection, dispute, answer)
        points(dispute)
    sweep.run()
    seen.append(len(sweep.reviews()))
    assert seen == reviews


def test_a_held_dispute_is_reviewed_at_the_default_hours(sweep, engine, sandbox, cases, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_default", due_in=HOUR)
    write_case(cases, "du_default")
    hold = {"chosen_options": ["Hold for later"], "params_input": {}}
    seen: list[int] = []
    sweep.run()
    # A first review a week before the due date, then one before each of the other hours: 6 and 2.
    for opened in (7 * 24, 12, 4):
        answer_last(sweep, engine, stripe_connection, "du_default", lambda form: hold)
        open_before_due(engine, sandbox, stripe_connection, "du_default", opened)
        sweep.run()
        seen.append(len(sweep.reviews()))
        sweep.run()
        seen.append(len(sweep.reviews()))
    assert seen == [2, 2, 3, 3, 4, 4]


def test_a_failing_evidence_store_stops_neither_the_search_nor_reminders(
    sweep, engine, sandbox, cases, stripe_connection, monkeypatch, tmp_path, caplog
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.team")
    monkeypatch.setenv("AIRFLOW__DISPUTE__REMINDERS", "72")
    monkeypatch.setattr(channels, "delivered", [])
    in_store(engine, REMINDED, lambda store: store.set(stripe_connection, {}))
    no_folder = tmp_path / "a file"
    no_folder.write_text("no folder can be made of it")
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(no_folder))
    write_case(cases, "du_kept")
    # More records than a task returns in its XCom: they would go to the store.
    named = [{"api": "stripe", "due_in": 50 * HOUR} for _ in range(LARGEST_LIST + 1)]
    ids = {each["id"] for each in sandbox.create_disputes(named)}
    sandbox.create_dispute(api="stripe", id="du_kept", due_in=50 * HOUR)

    run = sweep.run()

    assert {each.dispute for each in records(engine, run, "find", "without_case")} == ids
    reminded = "\n".join(channels.delivered)
    assert all(dispute in reminded for dispute in {*ids, "du_kept"})
    row = rows()["Between sweeps: `evidence_store` cannot be written"]
    assert row.quotes(caplog.text)

    no_folder.unlink()
    caplog.clear()
    run = sweep.run()
    assert {each.dispute for each in records(engine, run, "find", "without_case")} == ids
    assert not row.quotes(caplog.text)


def test_a_connection_that_cannot_be_used_stops_no_other(
    sweep, engine, sandbox, cases, stripe_connection, connect, monkeypatch
):
    broken = connect("stripe", "stripe_broken", password="no key")
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", f"{broken},{stripe_connection}")
    sandbox.create_dispute(api="stripe", id="du_beside")
    write_case(cases, "du_beside")

    assert sweep.run().state == "failed", "a person must mend the connection"

    assert list(sweep.reviews().values()) == [["du_beside"]]
    connect("stripe", "stripe_broken")
    assert sweep.run().state == "success"
