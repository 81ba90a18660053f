"""The inbox lists every open dispute of the last sweep once, in its latest state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from parking import park
from viewing import DAG, ELSEWHERE, PREFIX, Site, Staged, signed

from dispute_provider._evidence.record import Approval, Record, State
from dispute_provider._workflow.listing import NEW_CASE, NO_CASE_FOUND

Stage = Callable[..., Staged]
_CASE_DAG = "stripe_dispute_evidence"


@pytest.fixture(autouse=True)
def _one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign the records of connections that exist only by name."""
    monkeypatch.setenv(
        "AIRFLOW__DISPUTE__SIGNING_KEY", "a key of the workers and the API server of these tests"
    )


def sweep(
    site: Site, connection: str, *records: Record, without: tuple[str, ...] = (), dag: str = DAG
) -> None:
    """Leave a sweep's list of the open disputes of a connection."""
    leave_list(site, connection, signed(*records, scope=f"{dag}/{site.run_id}"), without, dag)


def leave_list(site: Site, connection: str, records: Any, without: tuple[str, ...], dag: str = DAG) -> None:
    """Leave a list with records as they are given."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    here = {"dag_id": dag, "run_id": site.run_id, "task_id": "nothing", "map_index": -1}
    with create_session() as session:
        session.execute(update(TaskInstance).filter_by(**here).values(operator="FindCasesOperator"))
    value = {
        "connection": connection,
        "records": records,
        "without_case": list(without),
    }
    XComModel.set(key="listing", value=value, serialize=False, **here)


def inbox(site: Site, connection: str, user: str = "ana", **query: Any) -> dict[str, Any]:
    """Return the inbox, searched for a connection that only this test uses."""
    answer = site.client(user).get(f"{PREFIX}/inbox", params={"text": connection, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def made(connection: str, number: int, state: State = State.STAGED, **fields: Any) -> Record:
    record = Record("stripe", connection, f"du_{number}", state, "waiting for review")
    due = f"2030-01-{number % 28 + 1:02d}T12:00:00+00:00"
    return replace(record, amount=1000 + number, currency="usd", due=due, stage="chargeback", **fields)


def test_each_open_dispute_is_listed_with_its_state_in_words(site: Site) -> None:
    records = [
        made("words", 1),
        replace(made("words", 2, State.HELD), reason="no case was found for it"),
        replace(made("words", 3, State.HELD), reason="held by the reviewer (needs documents)"),
        made("words", 4, State.REFUSED),
        made("words", 5, State.APPROVED),
    ]
    sweep(site, "words", *records, without=("du_2",))
    found = inbox(site, "words")
    assert {each["dispute"]: each["state"] for each in found["disputes"]} == {
        "du_1": "Waiting for review",
        "du_2": "No case",
        "du_3": "Held",
        "du_4": "Needs a person",
        "du_5": "Approved, not sent",
    }
    assert found["totals"] == ["50.15 USD"]
    assert [each["dispute"] for each in inbox(site, "words", group="no-case")["disputes"]] == ["du_2"]
    assert inbox(site, "words", sort="amount")["disputes"][0]["dispute"] == "du_5"
    assert {each["connection"] for each in found["sweeps"]} >= {"words"}


def test_what_happened_after_the_sweep_is_shown(site: Site, stage_one: Stage, nothing_open: None) -> None:
    staged = stage_one()
    sweep(site, "stripe_default", replace(staged.record, state=State.HELD, reason="held", digest=None))
    park(site, staged)
    dispute = staged.record.dispute
    [row] = inbox(site, dispute)["disputes"]
    assert (row["state"], row["run"]) == ("Waiting for review", [DAG, site.run_id])
    [review] = [
        each
        for each in site.client("ana").get(f"{PREFIX}/reviews").json()["reviews"]
        if each["run_id"] == site.run_id
    ]
    assert row["review"] == f"{review['id']}:{review['disputes'][0]['key']}"

    client = site.client("ana")
    path = f"/api/v2/dags/{DAG}/dagRuns/{site.run_id}/taskInstances/review/-1/hitlDetails"
    answer = {"chosen_options": [review["disputes"][0]["entries"]["submit"]], "params_input": {}}
    assert client.patch(path, json=answer).status_code == 200
    approval = Approval("submit", "ana", "2026-11-29T12:00:00+00:00")
    sent = replace(staged.record, approval=approval).ended(State.SUBMITTED, "confirmed by reading back")
    site.returns("stage", signed(sent, scope=f"{DAG}/{site.run_id}"))
    [row] = inbox(site, dispute)["disputes"]
    assert (row["state"], row["reason"], row["review"]) == ("Sent", "confirmed by reading back", None)


def test_a_page_has_no_more_than_fifty_disputes(site: Site) -> None:
    sweep(site, "paged", *(made("paged", number) for number in range(120)))
    first, last = inbox(site, "paged"), inbox(site, "paged", offset=100)
    assert (len(first["disputes"]), len(last["disputes"]), first["total"]) == (50, 20, 120)
    dues = [each["due"] for each in first["disputes"]]
    assert dues == sorted(dues)


def test_forged_entries_keep_only_their_names(site: Site) -> None:
    sweep(site, "forged", made("forged", 1))
    from airflow.models.xcom import XComModel

    [record] = signed(made("forged", 1), scope="another/run")
    value = {"connection": "forged", "records": [{**record, "amount": 1}], "without_case": []}
    here = {"dag_id": DAG, "run_id": site.run_id, "task_id": "nothing", "map_index": -1}
    XComModel.set(key="listing", value=value, serialize=False, **here)
    [row] = inbox(site, "forged")["disputes"]
    assert (row["state"], row["money"], row["url"]) == ("Needs a person", "unknown amount", None)


def test_users_see_the_sweeps_of_their_own_dags(site: Site) -> None:
    sweep(site, "private", made("private", 1))
    assert inbox(site, "private")["total"] == 1
    for user in ("bob", "vic"):
        found = inbox(site, "private", user)
        assert (found["total"], found["totals"]) == (0, [])
        assert "private" not in str(found["sweeps"])
    sweep(site, "public", made("public", 1), dag=ELSEWHERE)
    assert inbox(site, "public", "bob")["total"] == 1


def test_texts_of_any_kind_do_not_break_the_list(site: Site) -> None:
    reason = "<script>alert(1)</script> \u202e\ud800\x00"
    sweep(site, "texts", replace(made("texts", 1, State.HELD), reason="held"))
    assert inbox(site, "texts")["total"] == 1
    answer = site.client("ana").get(f"{PREFIX}/inbox", params={"text": reason.encode("utf-8", "replace")})
    assert answer.status_code == 200


def test_arguments_outside_the_page_are_refused(site: Site) -> None:
    for query in ({"group": "other"}, {"sort": "none"}, {"offset": -1}, {"text": "x" * 101}):
        assert site.client("ana").get(f"{PREFIX}/inbox", params=query).status_code == 422


@pytest.mark.usefixtures("shipped_dags")
def test_a_dispute_whose_case_was_just_made_is_being_staged(site: Site) -> None:
    records = [replace(made("making", n, State.HELD), reason=NO_CASE_FOUND) for n in (1, 2)]
    sweep(site, "making", *records, without=("du_1", "du_2"))
    conf = {"conn_id": "making", "dispute": "du_1"}
    runs = f"/api/v2/dags/{_CASE_DAG}/dagRuns"
    run_id = f"{site.run_id}_case"
    started = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    assert site.client("ada").post(runs, json=started).is_success

    def states() -> dict[str, Any]:
        return {each["dispute"]: each for each in inbox(site, "making")["disputes"]}

    found = states()["du_1"]
    assert (found["state"], found["reason"], found["case_dag"]) == ("Being staged", None, None)
    assert found["run"] == [_CASE_DAG, run_id]
    assert states()["du_2"]["state"] == "No case"
    assert [each["dispute"] for each in inbox(site, "making", group="staging")["disputes"]] == ["du_1"]
    assert site.client("ada").patch(f"{runs}/{run_id}", json={"state": "failed"}).is_success
    assert states()["du_1"]["state"] == "No case"


def test_new_cases_are_being_staged_until_their_sweep_ends(site: Site) -> None:
    sweep(site, "sweeping", replace(made("sweeping", 1), reason=NEW_CASE), made("sweeping", 2))

    def states() -> dict[str, str]:
        return {each["dispute"]: each["state"] for each in inbox(site, "sweeping")["disputes"]}

    assert states() == {"du_1": "Being staged", "du_2": "Waiting for review"}
    assert DAG in inbox(site, "sweeping")["sweeping"]
    path = f"/api/v2/dags/{DAG}/dagRuns/{site.run_id}"
    assert site.client("ada").patch(path, json={"state": "success"}).is_success
    assert states() == {"du_1": "Waiting for review", "du_2": "Waiting for review"}


def test_a_case_that_the_sweep_could_not_stage_does_not_wait_for_review(site: Site) -> None:
    new = replace(made("unstaged", 1), reason=NEW_CASE)
    sweep(site, "unstaged", new, made("unstaged", 2))
    why = "receipt.heic is a HEIC picture"
    site.returns("stage", signed(new.ended(State.REFUSED, why), scope=f"{DAG}/{site.run_id}"))
    [refused, other] = inbox(site, "unstaged")["disputes"]
    assert (refused["state"], refused["reason"]) == ("Needs a person", why)
    assert refused["run"] == [DAG, site.run_id]
    assert other["state"] == "Waiting for review"
