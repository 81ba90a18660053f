"""Forms: every field of a contract has its widget, and what is typed in comes back out as it was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import Param

from dispute_provider._cases.form import form_params
from dispute_provider._contracts import contract
from dispute_provider._contracts.evidence_fields import fields as evidence_fields
from dispute_provider._evidence.case import Case
from dispute_provider._explain.forms import (
    arguments_from_form,
    case_from_form,
    case_params,
    fields,
    request_params,
)

APIS = ("stripe", "moov")
OPERATIONS = [operation for api in APIS for operation in contract.load(api).operations.values()]
UPDATE = contract.load("stripe")["PostDisputesDispute"]
LIMITS = {"maxLength", "minLength", "pattern", "maxItems", "minimum", "maximum"}


def all_params() -> Iterator[tuple[str, Param]]:
    for operation in OPERATIONS:
        for name, param in request_params(operation).items():
            yield f"{operation.id}: {name}", param
    for api in APIS:
        for name, param in case_params(api).items():
            yield f"case of {api}: {name}", param


ALL = [pytest.param(param, id=name) for name, param in all_params()]


@pytest.mark.parametrize("param", ALL)
def test_airflow_accepts_the_form_unchanged(param: Param) -> None:
    param.resolve()
    types = param.schema["type"]
    assert isinstance(types, str) or len([name for name in types if name != "null"]) in (1, 2)
    assert not {"$ref", "anyOf", "oneOf", "const"} & param.schema.keys()
    assert param.schema["title"]
    assert param.description


@pytest.mark.parametrize("param", ALL)
def test_airflow_checks_no_limit(param: Param) -> None:
    """It would stop at the first one, and quote what a customer wrote."""
    assert not LIMITS & param.schema.keys()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_argument_has_a_field(operation: contract.Operation) -> None:
    """But for what the connection gives, and secrets."""
    covered = {field.path[0] for field in fields(operation)}
    left_out = operation.schema["properties"].keys() - covered
    assert left_out <= {
        "Stripe-Version",
        "Stripe-Context",
        "x-moov-version",
        "Origin",
        "token",
        "refresh_token",
        "client_secret",
    }


@pytest.mark.parametrize(
    ("name", "widget"),
    [
        ("dispute", {"type": "string"}),
        ("Stripe-Account", {"type": ["null", "string"]}),
        ("evidence.customer_name", {"type": ["null", "string"]}),
        ("evidence.product_description", {"type": ["null", "string"], "format": "multiline"}),
        ("evidence.enhanced_evidence", {"type": ["null", "object"]}),
        ("metadata", {"type": ["null", "object"]}),
        ("submit", {"type": "boolean"}),
        ("expand", {"type": ["null", "array"], "items": {"type": "string"}}),
        ("unset", {"type": ["null", "array"], "items": {"type": "string"}}),
    ],
)
def test_widgets(name: str, widget: dict[str, Any]) -> None:
    schema = request_params(UPDATE)[name].schema
    chosen = {key: schema[key] for key in ("type", "format", "items") if key in schema}
    assert chosen == widget


def test_other_widgets() -> None:
    listed = request_params(contract.load("moov")["listDisputes"])
    assert listed["startDateTime"].schema["format"] == "date-time"
    assert listed["count"].schema["type"] == ["null", "integer"]
    assert listed["status"].schema["enum"][-1] is None
    text = request_params(contract.load("moov")["uploadDisputeEvidenceText"])
    assert text["text"].schema["format"] == "multiline"
    assert None not in text["evidenceType"].schema["enum"]
    # Two types that are not null become a field that takes either.
    created = request_params(contract.load("stripe")["GetDisputes"])["created"]
    assert created.schema["type"] == ["null", "object", "integer"]


def test_values_are_shown_as_people_write_them() -> None:
    listed = request_params(contract.load("moov")["listDisputes"])
    shown = listed["status"].schema["values_display"]
    assert (shown["response-needed"], shown["null"]) == ("Response needed", "(not sent)")
    assert case_params("stripe")["product"].schema["values_display"]["physical"] == "Physical"
    assert case_params("moov")["customer_contacted"].schema["values_display"]["yes"] == "Yes"


def test_limits_are_stated() -> None:
    params = request_params(UPDATE)
    assert "At most 5,000 characters." in params["evidence.customer_name"].description
    limits = params["evidence.uncategorized_text"].description
    assert "At most 20,000 characters. All texts together: at most 150,000 characters." in limits
    assert "At most 750 characters." in case_params("moov")["cover-letter"].description


@pytest.mark.parametrize(("api", "said"), [("stripe", "4.5 MB"), ("moov", "no PNG")])
def test_the_limits_of_documents_are_stated_once(api: str, said: str) -> None:
    params = {**form_params(api), **case_params(api)}
    assert [name for name, param in params.items() if said in (param.description or "")] == ["folder"]
    assert said not in (form_params()["folder"].description or "")


def test_only_required_fields_contain_an_example() -> None:
    update = request_params(UPDATE)
    assert update["dispute"].value
    assert update["submit"].value is False
    assert {name for name, param in update.items() if param.value} == {"dispute"}
    listed = request_params(contract.load("stripe")["GetDisputes"])
    assert {param.value for param in listed.values()} == {None}
    assert listed["charge"].schema["examples"] == ["ch_1QkExample0001"]


class TestArguments:
    def test_empty_fields_are_omitted(self) -> None:
        empty = dict.fromkeys(request_params(UPDATE))
        assert arguments_from_form(UPDATE, empty | {"dispute": "dp_1"}) == {"dispute": "dp_1"}

    def test_fields_are_nested(self) -> None:
        values = {
            "dispute": "dp_1",
            "evidence.customer_name": " Zoë \n",
            "evidence.enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}},
            "metadata": {"order": ""},
            "submit": False,
            "expand": ["charge", ""],
            "conn_id": "another",
        }
        assert arguments_from_form(UPDATE, values) == {
            "dispute": "dp_1",
            "evidence": {
                "customer_name": " Zoë \n",
                "enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}},
            },
            "metadata": {"order": ""},
            "submit": False,
            "expand": ["charge"],
        }

    def test_unset(self) -> None:
        values = {
            "dispute": "dp_1",
            "evidence.receipt": "",
            "metadata": {"order": "1"},
            "unset": ["metadata", "evidence.appeal"],
        }
        assert arguments_from_form(UPDATE, values) == {
            "dispute": "dp_1",
            "evidence": {"receipt": "", "appeal": ""},
            "metadata": "",
        }

    def test_only_fields_that_accept_empty_text_can_be_unset(self) -> None:
        offered = request_params(UPDATE)["unset"].schema["examples"]
        assert {"metadata", "evidence.customer_name", "evidence.enhanced_evidence"} <= set(offered)
        assert not {"dispute", "submit", "expand", "intended_submission_method"} & set(offered)
        assert "unset" not in request_params(contract.load("moov")["updateDisputeEvidence"])


class TestCases:
    @pytest.mark.parametrize("api", APIS)
    def test_every_kind_of_evidence_has_a_field(self, api: str) -> None:
        evidence = {name.replace("/", ".") for name in evidence_fields(contract.load(api))}
        names = case_params(api).keys()
        assert evidence <= names
        case = {"dispute", "account", "prepared_by", "customer_contacted", "product", "metadata"}
        rest = names - evidence - case
        assert rest == ({f"{name}-files" for name in evidence} if api == "moov" else set())

    def test_an_appeal_is_nested_as_in_a_case_file(self) -> None:
        values = {
            "dispute": "dp_1",
            "appeal.card.reason_for_filing": "Signed for.",
            "appeal.card.supporting_files": ["slip.pdf", "", "tracking.pdf"],
        }
        case = case_from_form("stripe", values)
        card = {
            "reason_for_filing": "Signed for.",
            "supporting_files": [{"file": "slip.pdf"}, {"file": "tracking.pdf"}],
        }
        assert case == {"provider": "stripe", "dispute": "dp_1", "evidence": {"appeal": {"card": card}}}
        assert {entry.name for entry in Case.parse(case).evidence} == {
            "appeal/card/reason_for_filing",
            "appeal/card/supporting_files",
        }
        section = case_params("stripe")["appeal.card.reason_for_filing"].schema["section"]
        assert section == "Appeal"

    @pytest.mark.parametrize("api", APIS)
    def test_an_empty_form_is_an_empty_case(self, api: str) -> None:
        values = {name: param.value for name, param in case_params(api).items()}
        assert case_from_form(api, values) == {"provider": api, "evidence": {}}
        emptied = dict.fromkeys(values, "") | {"metadata": {}}
        assert case_from_form(api, emptied) == {"provider": api, "evidence": {}}

    def test_stripe(self) -> None:
        case = case_from_form(
            "stripe",
            {
                "dispute": "dp_1",
                "customer_contacted": "no",
                "product": "digital",
                "metadata": {"order": "1"},
                "customer_name": " Zoë ",
                "receipt": "documents/r.pdf",
                "refund_policy": "",
                "enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}},
                "case_path": None,
            },
        )
        assert case == {
            "provider": "stripe",
            "dispute": "dp_1",
            "customer_contacted": False,
            "product": "digital",
            "metadata": {"order": "1"},
            "evidence": {
                "customer_name": " Zoë ",
                "receipt": {"file": "documents/r.pdf"},
                "enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}},
            },
        }
        assert Case.parse(case).customer_contacted is False

    def test_moov(self) -> None:
        case = case_from_form(
            "moov",
            {
                "dispute": "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10",
                "customer_contacted": "yes",
                "cover-letter": "Delivered.",
                "receipt": "See both.",
                "receipt-files": ["a.pdf", "", "b.pdf"],
                "other-files": ["c.pdf"],
                "generic-evidence-files": [""],
            },
        )
        assert case["evidence"] == {
            "cover-letter": "Delivered.",
            "receipt": ["See both.", {"file": "a.pdf"}, {"file": "b.pdf"}],
            "other": {"file": "c.pdf"},
        }
        assert case["customer_contacted"] is True
        assert len(Case.parse(case).evidence) == 5
