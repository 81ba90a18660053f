"""The review as a task: who may answer, who is notified, and how unanswered disputes end."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import channels
import flows
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from faults_page import rows
from flows import SMALL, VERDICTS
from msgspec.structs import replace
from state_stores import AssetStores, StateStore

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._evidence.record import Approval, Record, State
from dispute_provider._state.sweep_store import ANSWERED, ENDED, save_answers
from dispute_provider._tasks.notifications import ConfiguredNotifier, reviewers
from dispute_provider._tasks.signing import STAGED, Signer
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
)

TIMEOUT = {"error": "timed out", "error_type": "timeout"}


def contest(disputes: list[str], conn_id: str, **review: Any) -> DAG:
    evidence = {"customer_name": "Zoë"}
    cases = [{"provider": "stripe", "dispute": dispute, "evidence": evidence} for dispute in disputes]
    return flows.contest(cases, conn_id, **review)


def results(engine: Any, run: Any, task: str = "submit") -> dict[str, dict[str, Any]]:
    value = engine.result(run, task)
    value = json.loads(value) if isinstance(value, str) else value
    return {record["dispute"]: record for record in value}


def context() -> Any:
    run = SimpleNamespace(dag_id="contest", run_id="this-run", conf={"staged": []})
    task = SimpleNamespace(task_id="review", map_index=-1)
    return {"dag_run": run, "ti": task, "asset_state_store": AssetStores()}


def staged(dispute: str, conn_id: str, **facts: Any) -> dict[str, Any]:
    values = {"amount": 1200, "currency": "usd", "digest": "d" * 64, **facts}
    record = Record("stripe", conn_id, dispute, State.STAGED, "", **values)
    return Signer(STAGED).sign(record).to_dict()


def resume(event: dict[str, Any], records: list[dict[str, Any]], **review: Any) -> tuple[Any, dict[str, Any]]:
    """What a parked review returns when it is resumed, and what it notes for the sweep."""
    with DAG("contest", schedule=None):
        operator = ReviewEvidenceOperator(task_id="review", staged=[], **review)
    given = context()
    shown = {"review": "review/-1/first", "records": records, "others": []}
    returned = operator.execute_complete(given, event, shown)
    return returned, given["asset_state_store"][ANSWERED].get("contest/this-run", {})


def test_an_unanswered_dispute_is_held_and_stored_as_not_answered(stripe_connection):
    [held], noted = resume(TIMEOUT, [staged("du_1", stripe_connection)])
    assert held["state"] == "held"
    assert "no answer" in held["reason"]
    assert "approval" not in held, "and so the outcome fails for it"
    assert noted[f"{stripe_connection}/du_1"]["action"] is None
    assert noted[f"{stripe_connection}/du_1"]["review"] == "contest/this-run"


def test_a_policy_decides_unanswered_disputes_at_the_deadline(stripe_connection):
    small, large, warned = (
        staged("du_small", stripe_connection),
        staged("du_large", stripe_connection, amount=2000),
        staged("du_warned", stripe_connection, warnings=["a fee of 500 USD"]),
    )
    decided, noted = resume(TIMEOUT, [small, large, warned], at_deadline=SMALL)
    assert [record["state"] for record in decided] == ["approved", "held", "held"]
    assert decided[0]["approval"]["responder"] == "policy small sums"
    assert decided[0]["approval"]["action"] == "submit"
    assert "not below the limit of 20.00 USD" in decided[1]["reason"]
    assert "warnings" in decided[2]["reason"]
    assert {key.rsplit("/", 1)[-1]: answer["action"] for key, answer in noted.items()} == {
        "du_small": "submit",
        "du_large": None,
        "du_warned": None,
    }


def test_no_policy_decides_with_four_eyes_or_after_an_unknown_end(stripe_connection):
    record = staged("du_1", stripe_connection)
    [held], _ = resume(TIMEOUT, [record], at_deadline=SMALL, four_eyes_from={"USD": 1200})
    assert "four eyes" in held["reason"]
    ended = staged("du_1", stripe_connection, last_end="unknown")
    [held], _ = resume(TIMEOUT, [ended], at_deadline=SMALL)
    assert "an earlier submission ended unknown" in held["reason"]


@pytest.mark.parametrize("event", [{"error": "x", "error_type": "unknown"}, {"responded_by_user": None}])
def test_this_policy_decides_only_at_the_deadline(event, stripe_connection):
    [held], _ = resume(event, [staged("du_1", stripe_connection)], at_deadline=SMALL)
    assert held["state"] == "held"


@pytest.mark.parametrize(
    ("state", "action", "loud"),
    [
        ("held", "hold", False),
        ("held", "edit", False),
        ("held", "submit", True),
        ("held", "concede", True),
        ("held", None, True),
        ("rejected", "reject", False),
        ("conceded", "concede", False),
        ("submitted", "submit", False),
        ("approved", "submit", True),
        ("staged", None, True),
    ],
)
def test_the_outcome_fails_for_ends_that_no_reviewer_chose(state, action, loud, stripe_connection):
    given = Approval(action, "ana", "now") if action else None
    record = replace(Record("stripe", stripe_connection, "du_1", State(state), "so"), approval=given)
    signed = Signer("contest/this-run").sign(record)
    with DAG("contest", schedule=None):
        outcome = ReportOutcomeOperator(task_id="outcome", results=[signed.to_dict()])
    if loud:
        with pytest.raises(AirflowFailException, match="du_1"):
            outcome.execute(context())
    else:
        assert outcome.execute(context()) == {state: 1}


def test_an_end_with_a_replaced_key_is_stored_as_refused(stripe_connection, connect):
    record = Record("stripe", stripe_connection, "du_1", State.APPROVED, "so", digest="d" * 64)
    at = "2026-11-01T09:30:00+00:00"
    signed = Signer("contest/this-run").sign(replace(record, approval=Approval("submit", "ana (7)", at)))
    given = context()
    save_answers(given, [signed], {})
    connect("stripe", password="sk_test_51TheKeyAfterThat")
    with DAG("contest", schedule=None):
        outcome = ReportOutcomeOperator(task_id="outcome", results=[signed.to_dict()])
    with pytest.raises(AirflowFailException, match="was replaced since"):
        outcome.execute(given)
    noted = given["asset_state_store"][ENDED]["contest/this-run"][f"{stripe_connection}/du_1"]
    assert (noted["action"], noted["state"], noted["at"][:19]) == ("submit", "refused", at[:19])


def test_a_failing_state_store_does_not_lose_the_answer(stripe_connection, monkeypatch, caplog):
    def refuse(self: StateStore, key: str, value: Any, **options: Any) -> None:
        raise ConnectionError("the API server is away")

    monkeypatch.setattr(StateStore, "set", refuse)
    [held], noted = resume(TIMEOUT, [staged("du_1", stripe_connection)])
    assert held["state"] == "held"
    assert not noted
    title = "The answers to a review cannot be stored for the sweep, because Airflow's own API fails"
    assert rows()[title].quotes(caplog.text)


def test_a_policy_approves_first_and_reviewers_get_the_rest(engine, sandbox, stripe_connection, capsys):
    sandbox.create_dispute(api="stripe", id="du_small", amount=1999)
    sandbox.create_dispute(api="stripe", id="du_large", amount=2000)

    run = engine.run(
        contest(["du_small", "du_large"], stripe_connection, policy=SMALL),
        lambda form: {"chosen_options": ["Hold for later"], "params_input": {}},
    )

    ended = results(engine, run)
    assert ended["du_small"]["state"] == "submitted"
    assert ended["du_small"]["approval"]["responder"] == "policy small sums"
    assert ended["du_large"]["state"] == "held"
    [form] = engine.forms
    assert "du_small" not in json.dumps(form)
    why = "the policy small sums: 20.00 USD is not below the limit of 20.00 USD"
    assert f"du_large needs a reviewer; {why}" in capsys.readouterr().out


def test_a_sample_of_a_policys_approvals_is_reviewed(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1", amount=100)
    everything = ApprovalPolicy("all looked at", {"usd": 2000}, verdicts=VERDICTS, sample=1)

    run = engine.run(
        contest(["du_1"], stripe_connection, policy=everything),
        lambda form: {"chosen_options": ["Hold for later"], "params_input": {}},
    )

    assert results(engine, run)["du_1"]["state"] == "held"
    assert engine.forms


def test_no_review_opens_if_a_policy_approves_everything(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1", amount=100)
    run = engine.run(contest(["du_1"], stripe_connection, policy=SMALL))
    assert results(engine, run)["du_1"]["state"] == "submitted"


@pytest.mark.parametrize(("typed", "state"), [("du_1", "conceded"), ("", "held")])
def test_a_concession_must_be_confirmed(typed, state, engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1")

    def concede(form: dict[str, Any]) -> dict[str, Any]:
        [option] = [option for option in form["options"] if option.startswith("Concede du_1")]
        assert form["options"][0] != option
        return {"chosen_options": [option], "params_input": {"concede_confirm": typed, "note": "too weak"}}

    run = engine.run(contest(["du_1"], stripe_connection), concede)

    decided = results(engine, run, "review")["du_1"]
    assert decided["state"] == ("approved" if typed else "held")
    if typed:
        assert decided["approval"]["action"] == "concede"
        assert decided["reason"].startswith("concession approved: too weak")
    else:
        assert "is invalid: " in decided["reason"]
    assert results(engine, run)["du_1"]["state"] == state
    assert sandbox.dispute("du_1")["status"] == ("lost" if typed else "needs_response")
    assert not any(entry["submitted"] for entry in sandbox.journal())


def test_a_case_that_is_to_be_edited_is_held_by_name(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1")

    def edit(form: dict[str, Any]) -> dict[str, Any]:
        [option] = [option for option in form["options"] if option.startswith("Edit")]
        return {"chosen_options": [option], "params_input": {}}

    run = engine.run(contest(["du_1"], stripe_connection), edit)

    record = results(engine, run)["du_1"]
    assert run.state == "success", "a reviewer decided it"
    assert (record["state"], record["approval"]["action"]) == ("held", "edit")
    assert "opens a new review" in record["reason"]


def test_reviewers_are_notified_with_the_link_and_a_failing_notifier_stops_nothing(
    engine, sandbox, stripe_connection, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.Broken, channels.team, channels.nothing")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/team/")
    monkeypatch.setattr(channels, "delivered", [])
    sandbox.create_dispute(api="stripe", id="du_1")
    dag = contest(["du_1"], stripe_connection, notifiers=[ConfiguredNotifier(), channels.Broken()])

    run = engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    assert results(engine, run)["du_1"]["state"] == "submitted"
    [message] = channels.delivered
    assert message.startswith("A review is open, answer by 20")
    assert "du_1" in message
    page = f"https://airflow.example/team/dags/contest/runs/{quote(run.run_id, safe='')}/tasks/review"
    assert message.endswith(f" -> {page}/required_actions")
    assert channels.team.text == "{{ message }} -> {{ link }}", "the next message has its own"


@pytest.mark.parametrize(("named", "refused"), [("ana", False), ("ben, 7:ana", True)])
def test_only_the_named_reviewers_may_answer(named, refused, engine, sandbox, stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__REVIEWERS", named)
    sandbox.create_dispute(api="stripe", id="du_1")
    dag = contest(["du_1"], stripe_connection, assigned_users=reviewers())

    def run() -> Any:
        return engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    if refused:
        with pytest.raises(AssertionError, match="403"):
            run()
        assert not any(entry["submitted"] for entry in sandbox.journal())
    else:
        assert results(engine, run())["du_1"]["state"] == "submitted"


def test_without_named_reviewers_any_user_may_answer():
    assert reviewers() is None


def test_times_are_in_the_configured_zone(engine, sandbox, stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "Asia/Tokyo")
    sandbox.create_dispute(api="stripe", id="du_1", due_in=timedelta(days=3).total_seconds())
    engine.run(
        contest(["du_1"], stripe_connection),
        lambda form: {"chosen_options": ["Hold for later"], "params_input": {"hold_for": "Ben"}},
    )
    [form] = engine.forms
    assert " JST)" in form["body"]
    assert form["params"]["hold_reason"]["schema"]["enum"][0] == "Decide later"
