"""The desk lists the reviews that a user may answer, and what an answer to them must match."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from parking import park
from viewing import DAG, ELSEWHERE, PREFIX, Site, Staged, signed

from dispute_provider._evidence.record import Approval, Record, State
from dispute_provider._workflow.reviewing import review

Stage = Callable[..., Staged]


def reviews(site: Site, user: str = "ana") -> list[dict[str, Any]]:
    """Return this run's reviews as the desk lists them."""
    answer = site.client(user).get(f"{PREFIX}/reviews")
    assert answer.status_code == 200, answer.text
    return [each for each in answer.json()["reviews"] if each["run_id"] == site.run_id]


def test_a_review_is_listed_with_the_entries_of_an_answer(site: Site, stage_one: Stage) -> None:
    one, other = stage_one(), stage_one(status="warning_needs_response")
    park(site, one, other)
    [listed] = reviews(site)
    assert (listed["state"], listed["answered_by"], listed["ready_in"]) == ("awaiting_input", None, 0)
    assert (listed["may_answer"], listed["multiple"], listed["unverified"]) == (True, True, [])
    entries = {each["dispute"]: each["entries"] for each in listed["disputes"]}
    dispute = one.record.dispute
    assert entries[dispute] == {
        "submit": review.submit_option(one.record),
        "hold": dispute,
        "edit": dispute,
        "reject": dispute,
        "concede": review.concede_option(one.record),
    }
    # Conceding does not settle an inquiry.
    assert entries[other.record.dispute].keys() == {"submit", "hold", "edit", "reject"}
    # Airflow takes all fields of a form or none.
    assert {"note", "hold_reason", "hold_for", "hold", "reject", "edit"} <= listed["params"].keys()
    assert not any(text in str(listed) for text in ("Robin Larsen", "Receipt no. 7"))


def test_the_entries_are_understood_by_the_review(site: Site, stage_one: Stage) -> None:
    staged = [stage_one() for _ in range(5)]
    park(site, *staged)
    [listed] = reviews(site)
    entries = [each["entries"] for each in listed["disputes"]]
    disputes = [each["dispute"] for each in listed["disputes"]]
    params = {
        **listed["params"],
        "hold": [f"{entries[1]['hold']} · Needs documents · Ben"],
        "edit": [entries[2]["edit"]],
        "reject": [entries[3]["reject"]],
        "concede": [entries[4]["concede"]],
        "concede_confirm": disputes[4],
    }
    decided = review.decide([each.record for each in staged], [entries[0]["submit"]], params)
    assert not isinstance(decided, str), decided
    assert [decided[dispute].action for dispute in disputes] == [
        "submit",
        "hold",
        "edit",
        "reject",
        "concede",
    ]
    assert decided[disputes[1]].reason == "held by the reviewer (needs documents, assigned to Ben)"


def test_a_review_of_one_dispute_has_an_option_for_each_choice(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    park(site, staged)
    [listed] = reviews(site)
    [dispute] = listed["disputes"]
    for action, option in dispute["entries"].items():
        params = {**listed["params"], "concede_confirm": dispute["dispute"] if action == "concede" else ""}
        decided = review.decide([staged.record], [option], params)
        assert not isinstance(decided, str), decided
        assert decided[staged.record.dispute].action == action


def test_evidence_that_the_form_does_not_offer_cannot_be_submitted(site: Site, stage_one: Stage) -> None:
    one, other = stage_one(), stage_one()
    changed = replace(one.record, digest="0" * 64)
    park(site, one, other, shown=signed(changed, other.record))
    [listed] = reviews(site)
    entries = {each["dispute"]: each["entries"] for each in listed["disputes"]}
    assert entries[one.record.dispute] == {"hold": one.record.dispute}
    assert "submit" in entries[other.record.dispute]


def test_forged_records_are_named_and_offer_nothing(site: Site, stage_one: Stage) -> None:
    one, other = stage_one(), stage_one()
    [forged, honest] = signed(one.record, other.record)
    park(site, one, other, shown=[{**forged, "amount": 1}, honest])
    [listed] = reviews(site)
    assert [each["dispute"] for each in listed["disputes"]] == [other.record.dispute]
    [unverified] = listed["unverified"]
    assert unverified["dispute"] == one.record.dispute
    assert "it is not shown" in unverified["reason"]


def test_a_review_that_has_just_parked_is_not_ready(site: Site, stage_one: Stage) -> None:
    park(site, stage_one(), ago=timedelta(seconds=1))
    [listed] = reviews(site)
    assert 3 < listed["ready_in"] <= 4.1
    form = site.client("ana").get(f"{site.address('review')}/form").json()
    assert form["id"] == listed["id"]
    assert form.keys() == {"id", "try_number", "state", "ready_in", "answered_by"}


def test_only_assigned_users_may_answer(site: Site, stage_one: Stage) -> None:
    park(site, stage_one(), assignees=["oda"])
    assert [reviews(site, user)[0]["may_answer"] for user in ("ana", "oda")] == [False, True]


def test_users_see_the_reviews_of_their_own_dags(site: Site, stage_one: Stage) -> None:
    here, there = stage_one(), stage_one()
    park(site, here)
    park(site, there, dag=ELSEWHERE)
    assert {each["dag_id"] for each in reviews(site)} == {DAG, ELSEWHERE}
    assert {each["dag_id"] for each in reviews(site, "bob")} == {ELSEWHERE}
    assert reviews(site, "vic") == []


def test_an_answered_review_moves_to_the_answered_ones(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    park(site, staged)
    [listed] = reviews(site)
    client = site.client("ana")
    answer = {
        "chosen_options": [listed["disputes"][0]["entries"]["submit"]],
        "params_input": {**listed["params"], "note": "Read."},
    }
    path = f"/api/v2/dags/{DAG}/dagRuns/{site.run_id}/taskInstances/review/-1/hitlDetails"
    assert site.client("vic").patch(path, json=answer).status_code == 403
    assert client.patch(path, json=answer).status_code == 200
    assert client.patch(path, json=answer).status_code == 409
    assert reviews(site) == []
    form = client.get(f"{site.address('review')}/form").json()
    assert (form["answered_by"], form["state"]) == ({"id": "ana", "name": "ana"}, "scheduled")

    def answered(user: str) -> list[Any]:
        found = site.client(user).get(f"{PREFIX}/answered").json()["reviews"]
        return [(each["dag_id"], each["by"]) for each in found if each["run_id"] == site.run_id]

    assert answered("ana") == [(DAG, "ana")]
    assert answered("bob") == answered("vic") == []


def test_each_dispute_s_way_is_shown_with_its_reasons(site: Site, stage_one: Stage) -> None:
    record = stage_one().record
    approval = Approval("submit", "ana", "2026-11-29T12:00:00+00:00")
    approved = replace(record, approval=approval).ended(State.APPROVED, "approved")
    submitted = approved.ended(State.SUBMITTED, "confirmed by reading the dispute", "req_1")
    scope = f"{DAG}/{site.run_id}"
    site.returns("stage", signed(record))
    site.returns("review", signed(approved, scope=scope))
    site.returns("nothing", signed(submitted, scope=scope))
    progress = site.client("ana").get(f"{PREFIX}/dags/{DAG}/runs/{site.run_id}/progress").json()
    [dispute] = progress["disputes"]
    assert {step["state"] for step in dispute["steps"]} == {"staged", "approved", "submitted"}
    assert progress["tasks"].keys() == {"stage", "review", "nothing", "mapped[0]", "mapped[1]"}


def test_forged_ends_are_not_shown(site: Site, stage_one: Stage) -> None:
    record: Record = stage_one().record
    site.returns("stage", signed(record))
    [forged] = signed(record.ended(State.SUBMITTED, "sent"), scope="another/run")
    site.returns("nothing", [forged])
    progress = site.client("ana").get(f"{PREFIX}/dags/{DAG}/runs/{site.run_id}/progress").json()
    [dispute] = progress["disputes"]
    assert dispute["state"] == "staged"
