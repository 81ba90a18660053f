"""The wire contracts and the case schema: valid, closed where we send, open where we receive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from dispute_provider._contracts.json_data import Json

SCHEMAS = Path(__file__).parents[2] / "schemas"
THIRD_API = Path(__file__).parents[1] / "third_api" / "added" / "schemas"
APIS = {
    path.name.removesuffix(".openapi.json"): json.loads(path.read_text("utf-8"))
    for folder in (SCHEMAS, THIRD_API)
    for path in folder.glob("*.openapi.json")
}
CASE: Json = json.loads((SCHEMAS / "case.schema.json").read_text("utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")
FILE = "receipt.pdf"


def resolve(doc: Json, node: Json) -> Json:
    while "$ref" in node:
        target: Any = doc
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    return node


EVERY_OPERATION = [
    pytest.param(doc, method, item[method], id=f"{api}-{item[method]['operationId']}")
    for api, doc in sorted(APIS.items())
    for item in doc["paths"].values()
    for method in METHODS
    if method in item
]


def parameters(doc: Json, operation: Json) -> list[Json]:
    return [resolve(doc, parameter) for parameter in operation.get("parameters", [])]


def media_types(doc: Json, operation: Json) -> Iterator[Json]:
    """Everything that holds a schema and its example: bodies, answers, parameters, headers."""
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for answer in (resolve(doc, raw) for raw in operation["responses"].values()):
        yield from answer.get("content", {}).values()
        yield from (resolve(doc, header) for header in answer["headers"].values())
    yield from parameters(doc, operation)


def subschemas(
    doc: Json, schema: Json, at: str = "", seen: tuple[int, ...] = ()
) -> Iterator[tuple[str, Json]]:
    """A schema and all below it, references followed."""
    schema = resolve(doc, schema)
    yield at, schema
    for name, child in schema.get("properties", {}).items():
        yield from subschemas(doc, child, f"{at}/{name}")
    for key in ("items", "additionalProperties", "propertyNames", "if", "then", "else"):
        if isinstance(child := schema.get(key), dict):
            yield from subschemas(doc, child, f"{at}/{key}")
    for child in schema.get("anyOf", []):
        yield from subschemas(doc, child, f"{at}/anyOf")


def problems(doc: Json, schema: Json, instance: Any) -> list[str]:
    rooted = {"allOf": [schema], "components": doc.get("components", {})}
    checker = Draft202012Validator.FORMAT_CHECKER
    return [e.message for e in Draft202012Validator(rooted, format_checker=checker).iter_errors(instance)]


def has_type(schema: Json, kind: str) -> bool:
    types = schema.get("type", [])
    return kind in ([types] if isinstance(types, str) else types)


def walk(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


@pytest.mark.parametrize("api", sorted(APIS))
def test_a_contract_is_valid_openapi(api: str) -> None:
    assert APIS[api]["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(APIS[api]).validate()


@pytest.mark.parametrize("api", sorted(APIS))
def test_every_schema_is_valid_json_schema(api: str) -> None:
    doc = APIS[api]
    for name, schema in doc["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("title"), name
        assert schema.get("description"), name
    for parameter in doc["components"]["parameters"].values():
        Draft202012Validator.check_schema(parameter["schema"])
    Draft202012Validator.check_schema(CASE)


@pytest.mark.parametrize("document", [*APIS.values(), CASE], ids=[*APIS, "case"])
def test_references_are_local_and_can_be_resolved(document: Json) -> None:
    for node in walk(document):
        if "$ref" in node:
            assert node["$ref"].startswith("#/components/")
            assert resolve(document, node)


@pytest.mark.parametrize("document", [*APIS.values(), CASE], ids=[*APIS, "case"])
def test_patterns_reject_a_trailing_line_break(document: Json) -> None:
    """In Python ``$`` also matches before a last line break, which in a header or a path is another line."""
    for node in walk(document):
        if isinstance(node.get("pattern"), str) and "x-form" in node:
            assert not re.search(node["pattern"], "stripe\n"), node["pattern"]
            assert not re.search(node["pattern"], "v2024.01.00\n"), node["pattern"]
            assert not re.search(node["pattern"], "2026-09-30\n"), node["pattern"]


@pytest.mark.parametrize(("doc", "method", "operation"), EVERY_OPERATION)
def test_operations_are_described_completely(doc: Json, method: str, operation: Json) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["security"] is not None
    assert operation["x-effect"] in ("read", "write", "irreversible")
    assert operation["x-after-failure"] in ("resend", "resend-same-key", "reconcile")
    assert operation["x-effect"] == "read" or method != "get"
    assert {*operation["tags"]} <= {tag["name"] for tag in doc["tags"]}
    if operation["x-effect"] == "irreversible":
        assert operation["x-after-failure"] != "resend"
    assert len(operation.get("requestBody", {"content": [1]})["content"]) == 1
    for parameter in parameters(doc, operation):
        assert parameter["description"], parameter["name"]
        assert parameter["schema"].get("title"), parameter["name"]
        assert "example" in parameter, parameter["name"]


@pytest.mark.parametrize(("doc", "method", "operation"), EVERY_OPERATION)
def test_answers_carry_a_request_id_and_an_example(doc: Json, method: str, operation: Json) -> None:
    assert any(status.startswith("2") for status in operation["responses"])
    for status, raw in operation["responses"].items():
        answer = resolve(doc, raw)
        headers = [resolve(doc, header) for header in answer["headers"].values()]
        assert "request-id" in [header.get("x-role") for header in headers], status
        if status.startswith("2") and "application/json" in answer.get("content", {}):
            assert "example" in answer["content"]["application/json"]


@pytest.mark.parametrize(("doc", "method", "operation"), EVERY_OPERATION)
def test_examples_fit_their_schemas(doc: Json, method: str, operation: Json) -> None:
    for holder in media_types(doc, operation):
        Draft202012Validator.check_schema(holder["schema"])
        if "example" in holder:
            assert not problems(doc, holder["schema"], holder["example"])


@pytest.mark.parametrize(("doc", "method", "operation"), EVERY_OPERATION)
def test_requests_are_closed_at_every_level(doc: Json, method: str, operation: Json) -> None:
    sent = [content["schema"] for content in operation.get("requestBody", {}).get("content", {}).values()]
    for root in sent + [parameter["schema"] for parameter in parameters(doc, operation)]:
        for at, schema in subschemas(doc, root):
            if has_type(schema, "object"):
                assert "additionalProperties" in schema and schema["additionalProperties"] is not True, at
            assert "x-knownValues" not in schema and "x-expected" not in schema, at
            if "pattern" in schema:
                assert schema["x-form"].startswith("must be "), at


@pytest.mark.parametrize(("doc", "method", "operation"), EVERY_OPERATION)
def test_answers_may_have_additional_fields(doc: Json, method: str, operation: Json) -> None:
    for raw in operation["responses"].values():
        for content in resolve(doc, raw).get("content", {}).values():
            for at, schema in subschemas(doc, content["schema"]):
                assert schema.get("additionalProperties") is not False, at
                assert "enum" not in schema and "const" not in schema, at
                assert not {*schema.get("required", [])} & {*schema.get("x-expected", [])}, at
                named = {*schema.get("required", []), *schema.get("x-expected", [])}
                assert named <= schema.get("properties", {}).keys(), at


@pytest.mark.parametrize(("doc", "method", "operation"), EVERY_OPERATION)
def test_file_parts_have_limits(doc: Json, method: str, operation: Json) -> None:
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        fields = resolve(doc, content["schema"])["properties"]
        parts = {name for name, schema in fields.items() if "x-maxBytes" in schema}
        assert bool(parts) == (media == "multipart/form-data")
        assert all("contentType" in content["encoding"][name] for name in parts)
        assert {*content.get("encoding", {})} <= {*fields}


def test_stripe_evidence_is_labelled_for_a_form() -> None:
    fields = APIS["stripe"]["components"]["schemas"]["DisputeEvidenceParams"]["properties"]
    kinds = [schema["x-kind"] for schema in fields.values()]
    assert {kind: kinds.count(kind) for kind in {*kinds}} == {
        "long-text": 8,
        "short-text": 10,
        "file": 9,
        "object": 1,
        "group": 1,
    }
    limits = {"long-text": 20_000, "short-text": 5_000, "file": None, "object": None, "group": None}
    assert all(schema.get("maxLength") == limits[schema["x-kind"]] for schema in fields.values())


@pytest.mark.parametrize("api", sorted(APIS))
def test_evidence_of_a_case_is_closed_and_labelled(api: str) -> None:
    doc = APIS[api]
    evidence = doc["components"]["schemas"]["CaseEvidence"]
    assert evidence["additionalProperties"] is False
    for name, raw in evidence["properties"].items():
        field = resolve(doc, raw)
        assert field["title"] and field["description"] and field["x-section"] and field["x-kind"], name
    for at, schema in subschemas(doc, evidence):
        if has_type(schema, "object"):
            assert "additionalProperties" in schema, at


def test_a_case_holds_every_kind_of_evidence_the_apis_take() -> None:
    stripe, moov = (APIS[api]["components"]["schemas"] for api in ("stripe", "moov"))
    wire, case = stripe["DisputeEvidenceParams"]["properties"], stripe["CaseEvidence"]["properties"]
    assert list(case) == list(wire)
    labels = ("title", "description", "x-section", "x-kind")
    for name in case:
        field = resolve(APIS["stripe"], case[name])
        assert [field[label] for label in labels] == [wire[name][label] for label in labels]
    assert {*moov["CaseEvidence"]["properties"]} == {*moov["EvidenceType"]["enum"]}


@pytest.mark.parametrize("example", CASE["examples"], ids=lambda case: str(case["provider"]))
def test_the_examples_of_a_case_fit(example: Json) -> None:
    assert not problems(CASE, CASE, example)
    doc = APIS[example["provider"]]
    assert not problems(doc, doc["components"]["schemas"]["CaseEvidence"], example["evidence"])


REFUSED: list[tuple[str, str, list[Any]]] = [
    ("stripe", "parameters/Dispute", ["a/b", "a?b", "a#b", "%2e%2e", "a\\b"]),
    ("stripe", "parameters/Dispute", ["", ".", "..", "du 1", "du_1\n", "du\u0000", "du\u00a0", "x" * 5001]),
    ("stripe", "parameters/StripeAccount", ["", "acct_", "acct_1\n", "acct_1\r\nX: y", "1"]),
    ("stripe", "parameters/StripeVersion", ["2026", "2026-09-30.endive\n", "latest"]),
    ("stripe", "parameters/StripeContext", ["", "acct_1/", "/acct_1", "acct_1//acct_2", "acct_1\n", "a b"]),
    ("stripe", "parameters/IdempotencyKey", ["", "a b", "a\n", "x" * 256, "é"]),
    (
        "stripe",
        "schemas/MetadataParams",
        ["x", {"": "a"}, {"a][b": "c"}, {"k" * 41: "v"}, {"k": "v" * 501}, {"k": 1}],
    ),
    (
        "stripe",
        "schemas/DisputeEvidenceParams",
        [{"customer": "x"}, {"customer_name": "x" * 5001}, {"receipt": {}}],
    ),
    (
        "stripe",
        "schemas/EnhancedEvidenceParams",
        ["x", "\n", {"visa": {}}, {"visa_compliance": {"fee": True}}],
    ),
    ("stripe", "schemas/AppealParams", ["x", {"card": "x"}, {"card": {"supporting_files": "file_1"}}]),
    ("stripe", "schemas/DisputeUpdateParams", [{"submit": "true"}, {"evidences": {}}, {"expand": "charge"}]),
    ("stripe", "schemas/DisputeCloseParams", [{"submit": True}]),
    (
        "stripe",
        "schemas/CaseEvidence",
        [{"customer_name": ""}, {"receipt": "file_1"}, {"enhanced_evidence": ""}],
    ),
    (
        "moov",
        "parameters/Account",
        ["", "x", "5b0cf9a2-6d0e-4f5b-9a55-0c1f6c1d7e01\n", "5b0cf9a26d0e4f5b9a550c1f6c1d7e01"],
    ),
    (
        "moov",
        "parameters/Version",
        ["v2024.02.00", "2024.01.00", "v2024.01.00\n", "v2024.1.0", "v٢024.01.00"],
    ),
    ("moov", "parameters/Origin", ["shop.example.com", "https://a b", "https://a\n"]),
    ("moov", "schemas/EvidenceTextParams", [{"text": "x"}, {"text": "x" * 751, "evidenceType": "other"}]),
    ("moov", "schemas/EvidenceTextParams", [{"text": "x", "evidenceType": "cancellation-policy"}]),
    ("moov", "schemas/EvidenceUpdateParams", [{}, {"text": None}, {"kind": "other"}]),
    ("moov", "schemas/CaseEvidence", [{"receipt": ""}, {"receipt": []}, {"receipt": [1]}, {"receipts": "x"}]),
    (
        "moov",
        "schemas/CaseEvidence",
        [{"other": "x" * 751}, {"other": [["x"]]}, {"other": {"optional": True}}],
    ),
    *(
        (
            api,
            "schemas/CaseFile",
            [
                {"file": path}
                for path in ("", "/etc/x", "../x", "a/../../x", "a/..", "..", "s3://b/x", "a\\b", "a\n")
            ],
        )
        for api in ("moov", "stripe")
    ),
]


@pytest.mark.parametrize(("api", "where", "instance"), [(a, w, i) for a, w, many in REFUSED for i in many])
def test_invalid_values_are_refused(api: str, where: str, instance: Any) -> None:
    kind, name = where.split("/")
    found = APIS[api]["components"][kind][name]
    assert problems(APIS[api], found["schema"] if kind == "parameters" else found, instance)


ACCEPTED: list[tuple[str, str, list[Any]]] = [
    ("stripe", "parameters/Dispute", ["du_1", "dp_1", "...", "Zoë"]),
    ("stripe", "parameters/StripeVersion", ["2020-08-27", "2026-10-28.endive"]),
    ("stripe", "parameters/StripeContext", ["acct_1", "acct_1/acct_2", "org_1/acct_1/acct_2"]),
    ("stripe", "schemas/MetadataParams", ["", {}, {"k": ""}]),
    ("stripe", "schemas/DisputeUpdateParams", [{}, {"submit": False}, {"metadata": ""}]),
    (
        "stripe",
        "schemas/DisputeEvidenceParams",
        [{"enhanced_evidence": ""}, {"customer_name": ""}, {"appeal": ""}],
    ),
    ("stripe", "schemas/DisputeEvidenceParams", [{"customer_name": "Zoë\n{{ dag }}\u0000"}]),
    ("stripe", "schemas/AppealParams", [{"card": ""}, {"card": {"supporting_files": ""}}]),
    ("stripe", "schemas/CaseEvidence", [{}, {"receipt": {"file": "a..b/c (1).pdf", "optional": True}}]),
    ("moov", "parameters/Version", ["v2024.01.00", "v2026.07.00", "latest"]),
    (
        "moov",
        "schemas/CaseEvidence",
        [{}, {"other": "x"}, {"other": {"file": FILE}}, {"other": ["x", {"file": FILE}]}],
    ),
]


@pytest.mark.parametrize(("api", "where", "instance"), [(a, w, i) for a, w, many in ACCEPTED for i in many])
def test_valid_values_are_accepted(api: str, where: str, instance: Any) -> None:
    kind, name = where.split("/")
    found = APIS[api]["components"][kind][name]
    assert not problems(APIS[api], found["schema"] if kind == "parameters" else found, instance)


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "Stripe"},
        {"provider": "../x"},
        {"dispute": ""},
        {"account": "acct 1"},
        {"product": "other"},
        {"evidence": "text"},
        {"submit": True},
        {"metadata": {"k": 1}},
    ],
)
def test_an_invalid_case_is_refused(change: Json) -> None:
    assert problems(CASE, CASE, CASE["examples"][0] | change)
