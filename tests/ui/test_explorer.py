"""The explorer finds operations, describes them, and prepares requests for those who may send them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import Connect
from viewing import PREFIX, Site

from dispute_provider import APIS
from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Operation
from dispute_provider.sandbox import STRIPE_KEY, Sandbox

ALL = [operation for api in APIS for operation in contract.load(api).operations.values()]
TEXT = 'It\'s a "mug" for {{ 1 }}'


pytestmark = pytest.mark.usefixtures("shipped_dags")


@pytest.fixture
def both(connect: Connect) -> None:
    for api in ("stripe", "moov"):
        connect(api)


def prepare(site: Site, operation: Operation, user: str = "ana", conn_id: str = "", **values: Any) -> Any:
    asked = {"operation": operation.id, "conn_id": conn_id or f"{operation.api}_default", "values": values}
    return site.client(user).post(f"{PREFIX}/dags/{operation.api}_request/requests", json=asked)


def examples(operation: Operation, fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an example for each required field."""
    found = {each["name"]: each for each in fields if each["required"] and each["kind"] != "document"}
    return {
        name: each["choices"][0][0] if each["kind"] == "choice" else each["example"]
        for name, each in found.items()
    }


def shown(site: Site, operation: Operation, user: str = "ana") -> Any:
    return site.client(user).get(f"{PREFIX}/explorer/{operation.api}/{operation.id}").json()


def test_it_finds_operations(site: Site) -> None:
    found = site.client("vic").get(f"{PREFIX}/explorer", params={"text": "SUBMIT evidnce"}).json()
    assert found["operations"][0]["id"] == "submitDisputeEvidence"
    everything = site.client("vic").get(f"{PREFIX}/explorer").json()["operations"]
    assert len(everything) == len(ALL)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.id)
def test_each_operation_is_described_and_prepared(site: Site, operation: Operation, sandbox: Sandbox) -> None:
    described = shown(site, operation)
    assert (described["may_test"], described["missing"]) == (True, "")
    assert described["connections"] == [f"{operation.api}_default"]
    secrets = {name for name in operation.schema["properties"] if operation.role(name) == "secret"}
    assert not secrets & {each["path"][0] for each in described["fields"]}
    prepared = prepare(site, operation, **examples(operation, described["fields"])).json()
    assert prepared["violations"] == []
    snippets = {each["name"]: each["code"] for each in prepared["snippets"]}
    assert snippets["HTTP"].startswith(f"{operation.method} /")
    assert snippets["cURL"].startswith(f"curl -X {operation.method} {sandbox.url}")
    for name in ("Operator", "@task"):
        compile(snippets.get(name, ""), name, "exec")
    assert ("@task" in snippets) != prepared["final"]
    assert "[redacted" not in snippets["cURL"] + snippets.get("Operator", "") + snippets.get("@task", "")
    assert STRIPE_KEY not in json.dumps(snippets)
    assert sandbox.journal() == []


@pytest.mark.usefixtures("both")
def test_texts_are_shown_as_they_are_sent(site: Site) -> None:
    operation = contract.load("stripe")["PostDisputesDispute"]
    values = {"dispute": "dp_1", "evidence.product_description": TEXT, "submit": False, "unset": ["metadata"]}
    prepared = prepare(site, operation, **values).json()
    evidence = {"product_description": TEXT}
    assert prepared["conf"] == {
        "operation": "PostDisputesDispute",
        "conn_id": "stripe_default",
        "arguments": {"dispute": "dp_1", "evidence": evidence, "submit": False, "metadata": ""},
    }
    snippets = {each["name"]: each["code"] for each in prepared["snippets"]}
    assert json.loads(snippets["Case"]) == {"provider": "stripe", "dispute": "dp_1", "evidence": evidence}
    assert repr(TEXT) in snippets["@task"]
    assert prepared["final"] is False
    assert prepare(site, operation, **{**values, "submit": True}).json()["final"] is True


@pytest.mark.usefixtures("both")
def test_every_violation_is_at_its_field(site: Site) -> None:
    operation = contract.load("stripe")["PostDisputesDispute"]
    values = {"dispute": "a/b", "evidence.customer_name": "x" * 5001, "metadata": {"k": "v" * 501}}
    prepared = prepare(site, operation, **values).json()
    assert [each["field"] for each in prepared["violations"]] == [
        "dispute",
        "evidence.customer_name",
        "metadata",
    ]
    assert prepared["snippets"] == []
    [violation] = prepare(site, operation, conn_id="missing", dispute="dp_1", submit=False).json()[
        "violations"
    ]
    assert violation["text"].startswith("/conn_id: ")


def test_connections_come_from_the_setting(
    site: Site, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("stripe")
    connect("moov")
    operation = contract.load("moov")["ping"]
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", "moov_default,missing,stripe_default")
    assert shown(site, operation)["connections"] == ["moov_default"]
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", "moov_default dispute_sweep,missing,stripe_default")
    assert shown(site, operation)["connections"] == []


@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("vic", 403), ("bob", 403)], ids=["no login", "viewer", "other DAG"]
)
@pytest.mark.usefixtures("both")
def test_only_those_who_may_send_a_request_see_it(site: Site, user: str | None, status: int) -> None:
    operation = contract.load("stripe")["GetDisputes"]
    assert prepare(site, operation, user=user or "").status_code == status
    for path in ("explorer", f"explorer/stripe/{operation.id}"):
        answer = site.client(user).get(f"{PREFIX}/{path}")
        assert answer.status_code == (401 if user is None else 200)
        assert "stripe_default" not in answer.text
    if user:
        assert shown(site, operation, user)["may_test"] is False


@pytest.mark.parametrize("path", ["explorer/nonsense/GetDisputes", "explorer/stripe/nonsense"])
def test_an_unknown_operation_is_not_found(site: Site, path: str) -> None:
    assert site.client("ana").get(f"{PREFIX}/{path}").status_code == 404


@pytest.mark.parametrize("dag_id", ["viewed", "nonsense_request", "stripe_GetDisputes"])
def test_no_other_dag_prepares_requests(site: Site, dag_id: str) -> None:
    asked = {"operation": "GetDisputes", "conn_id": "stripe_default", "values": {}}
    assert site.client("ana").post(f"{PREFIX}/dags/{dag_id}/requests", json=asked).status_code == 404


def test_what_is_missing_is_said(site: Site) -> None:
    operation = contract.load("stripe")["GetDisputes"]
    path = "/api/v2/dags/stripe_request"
    admin = site.client("ada")
    assert admin.patch(path, json={"is_paused": True}).is_success
    assert shown(site, operation)["missing"] == "paused"
    assert admin.patch(path, json={"is_paused": False}).is_success
    assert shown(site, operation)["missing"] == ""
