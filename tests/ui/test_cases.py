"""A dispute without a case has a form for one, which checks what is typed and prepares its run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from test_inbox import _one_key, inbox, made, sweep
from viewing import PREFIX, Site

from dispute_provider import APIS
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.record import Record, State
from dispute_provider._workflow.listing import NO_CASE_FOUND

pytestmark = pytest.mark.usefixtures("shipped_dags")
one_key = _one_key
Ask = Callable[..., Any]
_DAG = "stripe_dispute_evidence"


def without_case(connection: str = "cases", number: int = 1, **fields: Any) -> Record:
    return replace(made(connection, number, State.HELD, **fields), reason=NO_CASE_FOUND)


@pytest.fixture(autouse=True)
def _listed(site: Site, one_key: None) -> None:
    record = without_case(dispute_reason="product_not_received", account="acct_1")
    sweep(site, "cases", record, made("cases", 2), without=(record.dispute,))


@pytest.fixture
def ask(site: Site) -> Ask:
    """Ask for the form of a dispute; with values, for the case."""

    def ask(user: str = "ana", dag: str = _DAG, dispute: str = "du_1", **values: Any) -> Any:
        path = f"{PREFIX}/dags/{dag}/cases"
        query = {"connection": "cases", "dispute": dispute}
        body = {"values": values} if values else None
        return site.client(user).request("POST" if values else "GET", path, params=query, json=body)

    return ask


def test_only_a_dispute_without_a_case_has_the_form(site: Site) -> None:
    rows = {each["dispute"]: each["case_dag"] for each in inbox(site, "cases")["disputes"]}
    assert rows == {"du_1": _DAG, "du_2": None}


def test_a_dispute_that_no_case_can_answer_has_no_form(site: Site) -> None:
    closed = replace(without_case(), reason="closed at the bank")
    sweep(site, "cases", closed, without=(closed.dispute,))
    [row] = inbox(site, "cases")["disputes"]
    assert (row["state"], row["case_dag"]) == ("No case", None)


def test_the_setting_says_which_dag_takes_the_case(
    site: Site, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", "cases dispute_sweep")
    assert inbox(site, "cases", text="du_1")["disputes"][0]["case_dag"] is None
    assert ask().status_code == 404
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", "cases moov_dispute_evidence")
    assert ask().status_code == 404


def test_the_evidence_that_the_reason_needs_comes_first(ask: Ask) -> None:
    form = ask().json()
    assert (form["dag_id"], form["dispute"], form["account"], form["needs"]) == (_DAG, "du_1", "acct_1", True)
    first = [each["name"] for each in form["fields"] if not each["section"]]
    assert {"shipping_tracking_number", "customer_communication", "access_activity_log"} <= set(first)
    assert first == [each["name"] for each in form["fields"][: len(first)]]
    assert "refund_policy" not in first
    [tracking] = [each for each in form["fields"] if each["name"] == "shipping_tracking_number"]
    assert tracking["limits"] == ["Shows that the parcel was carried."] or tracking["limits"][0].endswith(".")
    assert not {"dispute", "account", "case_path", "conn_id"} & {each["name"] for each in form["fields"]}


def test_the_documents_are_looked_for_at_the_dispute_s_address(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__DISPUTE__CASE_ROOTS", raising=False)
    assert ask().json()["folder"] == ""
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", "s3://shop/cases/,/elsewhere")
    assert ask().json()["folder"] == "s3://shop/cases/stripe/du_1"


def test_what_is_typed_becomes_the_run_s_configuration_and_a_case_file(ask: Ask) -> None:
    text = 'Zoë\'s \u202e"lamp": {{ 1 }}\n# no comment'
    values = {
        "customer_name": "1234",
        "product_description": text,
        "receipt": "r.pdf",
        "customer_contacted": "no",
        "product": None,
        "not_a_field": "x",
    }
    prepared = ask(**values).json()
    assert prepared["violations"] == []
    given = {
        name: values[name]
        for name in ("customer_name", "product_description", "receipt", "customer_contacted")
    }
    assert prepared["conf"] == {"conn_id": "cases", "dispute": "du_1", "account": "acct_1", **given}
    case = yaml.safe_load(prepared["file"])
    assert case == {
        "provider": "stripe",
        "dispute": "du_1",
        "account": "acct_1",
        "customer_contacted": False,
        "evidence": {"customer_name": "1234", "product_description": text, "receipt": {"file": "r.pdf"}},
    }
    assert Case.parse(case).dispute == "du_1"


def test_every_violation_is_at_its_field(ask: Ask) -> None:
    found = ask(
        customer_name="x" * 5_001,
        billing_address="Card 4111 1111 1111 1111",
        metadata={"k": "v" * 501},
        prepared_by="x" * 300,
    ).json()["violations"]
    assert {each["field"] for each in found} == {"customer_name", "metadata", "prepared_by"}
    [card] = ask(billing_address="Card 4111 1111 1111 1111").json()["violations"]
    assert card["field"] == "billing_address"
    assert "card number" in card["text"]
    assert "4111" not in card["text"]


def test_values_that_airflow_would_not_take_are_refused(ask: Ask) -> None:
    for name, value in {"customer_name": 7, "receipt": {"file": "r.pdf"}, "product": "boat"}.items():
        [violation] = ask(**{name: value}).json()["violations"]
        assert violation["field"] == name


@pytest.mark.parametrize("user", ["vic", "bob", None])
def test_only_those_who_may_start_the_run_have_the_form(site: Site, ask: Ask, user: str | None) -> None:
    assert ask(user=user).status_code == (403 if user else 401)
    assert ask(user=user, customer_name="x").status_code == (403 if user else 401)


@pytest.mark.parametrize("dispute", ["du_3", "", "../du_1"])
def test_a_dispute_that_the_inbox_does_not_have_is_not_found(ask: Ask, dispute: str) -> None:
    assert ask(dispute=dispute).status_code == 404


def test_what_keeps_the_run_from_starting_is_said(site: Site, ask: Ask) -> None:
    path = f"/api/v2/dags/{_DAG}"
    for paused in (True, False):
        assert site.client("ada").patch(path, json={"is_paused": paused}).is_success
        assert ask().json()["missing"] == ("paused" if paused else "")


@pytest.mark.parametrize("api", APIS)
def test_the_form_has_every_field_of_a_case(site: Site, api: str) -> None:
    from dispute_provider._explain.form_fields import param_fields
    from dispute_provider._explain.forms import case_params

    fields = param_fields(case_params(api), {})
    assert {each["name"] for each in fields} == set(case_params(api))
    assert all(each["title"] and each["section"] for each in fields)
