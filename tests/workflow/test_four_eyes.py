"""Four eyes: who answers for a large amount is another known person than who prepared the case."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import flows
import pytest
from airflow.sdk import DAG
from faults_page import rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_review_task import context, staged

from dispute_provider._evidence.record import Record
from dispute_provider._workflow.reviewing.review import single_option
from dispute_provider.operators.evidence import ReviewEvidenceOperator

LIMIT = {"USD": 1000}
ANA = {"id": "ana", "name": "ana"}
# Cyrillic, Greek and Armenian letters, and what NFKC makes Latin of. No name is wholly in another script:
# that is another account.
LOOKALIKES = {"a": "аαаᵃ𝐚", "n": "ոｎⁿ𝐧", "A": "АΑＡ𝐀", "N": "Ｎ𝐍"}


def answer(
    prepared_by: str | None,
    conn_id: str,
    *,
    reviewer: dict[str, str] = ANA,
    triggered: str | None = None,
    staged_by: str | None = None,
) -> dict[str, Any]:
    """What becomes of a dispute of 12.00 USD when a reviewer approves it."""
    record = staged("du_1", conn_id, prepared_by=prepared_by, triggered_by=staged_by)
    with DAG("contest", schedule=None):
        operator = ReviewEvidenceOperator(task_id="review", staged=[], four_eyes_from=LIMIT)
    given = context()
    given["dag_run"].triggering_user_name = triggered
    event = {
        "chosen_options": [single_option(Record.from_dict(record))],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": reviewer,
    }
    shown = {"review": "review/-1/first", "records": [record], "others": []}
    [returned] = operator.execute_complete(given, event, shown)
    return returned


@pytest.mark.parametrize("prepared_by", ["ana@example.com", "ana ", "аna", "ａｎａ", "a clerk", "7"])
def test_a_large_amount_needs_a_preparer_known_to_be_another_user(
    prepared_by, engine, sandbox, stripe_connection
):
    sandbox.create_dispute(api="stripe", id="du_1", amount=50_000, currency="usd")
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"customer_name": "Zoë"}}
    dag = flows.contest(
        [case | {"prepared_by": prepared_by}], stripe_connection, four_eyes_from={"USD": 50_000}
    )

    run = engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    assert run.state == "failed", "a person must know that it was not sent"
    value = engine.result(run, "submit")
    [record] = json.loads(value) if isinstance(value, str) else value
    assert record["state"] == "held"
    assert "four eyes" in record["reason"]
    assert not any(entry["submitted"] for entry in sandbox.journal())


@pytest.mark.parametrize(
    ("prepared_by", "reviewer", "state"),
    [
        ("ana@example.com", ANA, "held"),
        ("ANA@Example.com ", ANA, "held"),
        ("Ana  Lopez", {"id": "7", "name": "ana.lopez"}, "held"),
        ("Ana Lopez", {"id": "8", "name": "ben"}, "approved"),
        ("ana@example.com", {"id": "ben", "name": "ben"}, "approved"),
        ("carl", {"id": "ben", "name": "ben"}, "approved"),
        ("carl", {"id": "9", "name": "Carl"}, "held"),
        ("two of us", ANA, "held"),
        ("two of us", {"id": "ben", "name": "ben"}, "held"),
        ("dora@example.com", {"id": "ben", "name": "ben"}, "held"),
        ("ana@example.com", {"id": "Anonymous", "name": "Anonymous"}, "held"),
    ],
)
def test_names_in_cases_are_mapped_to_users(prepared_by, reviewer, state, stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__ALLOW_ANONYMOUS", "True")
    people = "ana@example.com:ana, Ana Lopez:7, carl, two of us:ana, two of us:ben, dora@example.com:"
    monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", people)
    returned = answer(prepared_by, stripe_connection, reviewer=reviewer)
    assert returned["state"] == state
    if state == "held":
        assert "four eyes are required" in returned["reason"]
        assert "approval" not in returned, "it is asked again at once"


def test_an_unknown_preparer_is_named_with_a_remedy(stripe_connection):
    returned = answer("ada@example.com", stripe_connection)
    assert "'ada@example.com'" in returned["reason"]
    assert "[dispute] people" in returned["reason"]
    assert "prepared_by" in answer(None, stripe_connection)["reason"]


BEN = {"id": "ben", "name": "ben"}
BY_THE_PREPARER = (
    "Four eyes are required, and the preparer of the case, or the user who triggered the run, approves it"
)
UNKNOWN_PREPARER = "Four eyes are required, and the preparer of the case is not a known Airflow user"
UNCLEAR_NAME = "Four eyes are required, and a user name mixes scripts or has invisible characters"


@pytest.mark.parametrize(
    ("title", "refused", "way_out"),
    [
        (BY_THE_PREPARER, {"prepared_by": "ana"}, {"reviewer": BEN}),
        (BY_THE_PREPARER, {"prepared_by": "carl", "triggered": "ana"}, {"reviewer": BEN}),
        (UNKNOWN_PREPARER, {"prepared_by": "ada@example.com"}, {"people": "ada@example.com:ada"}),
        (UNKNOWN_PREPARER, {"prepared_by": None}, {"prepared_by": "carl"}),
        (
            UNCLEAR_NAME,
            {"prepared_by": "carl", "reviewer": {"id": "7", "name": "а\u200bna"}},
            {"reviewer": ANA},
        ),
        (
            UNCLEAR_NAME,
            {"prepared_by": "Ana Lopez", "people": "Ana Lopez:аna", "reviewer": BEN},
            {"people": "Ana Lopez:7"},
        ),
    ],
)
def test_the_way_out_of_a_four_eyes_refusal(title, refused, way_out, stripe_connection, monkeypatch):
    def review(prepared_by: str | None, people: str = "", **facts: Any) -> dict[str, Any]:
        monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", f"ana, ben, carl, {people}")
        return answer(prepared_by, stripe_connection, **facts)

    rows()[title].check(review(**refused))
    assert review(**{**refused, **way_out})["state"] == "approved"


@pytest.mark.parametrize("named", [{"triggered": "ana"}, {"staged_by": "ana"}])
def test_the_user_who_triggered_the_run_may_not_approve(named, stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", "ben")
    assert answer("ben", stripe_connection)["state"] == "approved"
    held = answer("ben", stripe_connection, **named)
    assert held["state"] == "held"
    assert "triggered the run" in held["reason"]


def test_the_preparer_of_a_form_case_is_its_airflow_user(stripe_connection):
    assert answer("ben", stripe_connection, staged_by="ben")["state"] == "approved"
    assert answer("ana", stripe_connection, staged_by="ana")["state"] == "held"
    assert answer("Anonymous", stripe_connection, staged_by="Anonymous")["state"] == "held"


def test_a_user_name_that_imitates_another_may_not_approve(stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", "ben, иван, 山田はな")
    assert answer("ben", stripe_connection, staged_by="аna")["state"] == "held", "Cyrillic and Latin"
    assert answer("ben", stripe_connection, reviewer={"id": "7", "name": "а\u200bna"})["state"] == "held"
    assert answer("иван", stripe_connection)["state"] == "approved"
    assert answer("山田はな", stripe_connection)["state"] == "approved", "as Japanese names are written"


def disguised(name: str) -> st.SearchStrategy[str]:
    """The name with letters replaced, in other cases, with white space and invisible characters."""

    def letter(character: str) -> st.SearchStrategy[str]:
        either = character.lower() + character.upper()
        return st.sampled_from([*either, *(look for each in either for look in LOOKALIKES.get(each, ""))])

    space = st.text(" \t\u00a0\u2003\u200b\u00ad\u2060", max_size=2)
    letters = st.tuples(*(st.tuples(letter(character), space).map("".join) for character in name))
    return st.tuples(space, letters.map("".join), space).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(prepared_by=disguised("ana") | st.text(max_size=12), staged_by=st.none() | disguised("ana"))
def test_no_disguised_name_lets_its_owner_approve(prepared_by, staged_by, stripe_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", "ana@example.com:ana")
    returned = answer(prepared_by, stripe_connection, staged_by=staged_by)
    assert returned["state"] == "held"
