"""Screening passes only valid data without unknown fields, and passes common data."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispute_provider._contracts.contract import Operation, load, read_schema
from dispute_provider._contracts.json_data import Json
from dispute_provider._contracts.reading import Reading, read
from dispute_provider._contracts.screening import Screen
from dispute_provider._contracts.validation import violations

LOADED = [load("stripe"), load("moov")]
OPERATIONS = [operation for api in LOADED for operation in api.operations.values()]
CASE = read_schema("case.schema.json")


class Word(StrEnum):
    SAME = "manual"


def request_of(operation: Operation) -> Json:
    given = {name: each["example"] for name, each in operation.parameters.items() if "example" in each}
    return given | operation.body_example


def answers_of(operation: Operation) -> Iterator[Any]:
    for code, response in operation.document["responses"].items():
        content = operation.contract.resolve(response).get("content", {})
        if code.startswith("2") and "application/json" in content:
            yield content["application/json"]["example"]


def _requests() -> Iterator[Any]:
    for operation in OPERATIONS:
        yield pytest.param(operation.schema, request_of(operation), id=operation.id)
    for api in LOADED:
        evidence = {"uncategorized_text" if api.api == "stripe" else "cover-letter": "It was delivered."}
        yield pytest.param(api.named_schemas["CaseEvidence"], evidence, id=f"{api.api} evidence")
    yield pytest.param(CASE, {"provider": "stripe", "dispute": "du_1", "evidence": {"a": "b"}}, id="case")


def _answers() -> Iterator[Any]:
    for operation in OPERATIONS:
        for answer in answers_of(operation):
            yield pytest.param(operation.success_schema, answer, id=operation.id)


REQUESTS, ANSWERS = list(_requests()), list(_answers())
SEEDS = [each.values for each in (*REQUESTS, *ANSWERS)]
OF_ANSWERS = {id(each.values[0]) for each in ANSWERS}
SCREENS = {id(schema): Screen(schema, answer=id(schema) in OF_ANSWERS) for schema, _ in SEEDS}

texts = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(categories=["Cs", "Cc", "Zs", "Zl", "Lu"]), max_size=4),
    st.sampled_from(
        ["", "needs_response", "2026-11-30T14:00:00Z", "2026-11-30t14:00:00z", "9999-12-31T23:59:59-12:00"]
    ),
    st.sampled_from(["du_1\n", "../x", "a\u2028/../b", "\ufeff", "\x85", "USD\n", Word.SAME]),
    st.sampled_from(["c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10", "C1A7E5A42F3B4A7E8A0E3F6F3F9B2D10"]),
    # Around the limits, counted in UTF-16 units and not.
    st.builds(
        lambda character, length, more: character * (length + more),
        st.sampled_from(["a", "\U0001f600", "\uffff"]),
        st.sampled_from(
            [25, 40, 50, 100, 127, 128, 250, 255, 256, 500, 2500, 5000, 10_000, 20_000, 75_000, 150_000]
        ),
        st.integers(-1, 1),
    ),
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 25.0, 253_402_300_799, 253_402_300_800, 2**63, 10**40]),
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(texts | st.integers(), inner, max_size=3),
    ),
    max_leaves=5,
)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[Json, Any]:
    """A schema, and one of its own examples with a few things changed."""
    schema, instance = draw(st.sampled_from(SEEDS))
    instance = copy.deepcopy(instance)
    for _ in range(draw(st.integers(1, 3))):
        node, key = instance, None
        holder: Any = None
        while isinstance(node, dict | list) and node and draw(st.integers(0, 3)):
            holder, key = (
                node,
                draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node)))),
            )
            node = holder[key]
        if holder is None:
            continue
        match draw(st.sampled_from(["change", "change", "remove", "add", "wrap"])):
            case "remove":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(texts)] = draw(values)
            case "wrap":
                holder[key] = tuple(node) if isinstance(node, list) else [node]
            case _:
                holder[key] = draw(values)
    return schema, instance


STRIPE = load("stripe")
METADATA = STRIPE["PostDisputesDispute"].schema


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(spoilt())
@example((METADATA, {"dispute": "du_1", "metadata": {"a" * 41: "b"}}))
@example((METADATA, {"dispute": "du_1\n"}))
@example((METADATA, {"dispute": "du_1", "evidence": {"uncategorized_text": "\ud800"}}))
@example((METADATA, {"dispute": "du_1", "expand": ("charge",)}))
@example((METADATA, {"dispute": "du_1", "evidence": {"uncategorized_text": "\U0001f600" * 10_001}}))
def test_data_that_passes_is_valid_and_has_no_unknown_fields(changed: tuple[Json, Any]) -> None:
    schema, instance = changed
    if SCREENS[id(schema)].passes(instance):
        with pytest.MonkeyPatch.context() as patch:
            # So that it is judged by what explains.
            patch.setattr(Screen, "passes", lambda self, instance, is_json=False: False)
            if id(schema) in OF_ANSWERS:
                assert read(schema, instance, is_json=False) == Reading(instance)
            else:
                assert not violations(schema, instance)


@pytest.mark.parametrize(("schema", "request_"), REQUESTS)
def test_a_common_request_passes(schema: Json, request_: Any) -> None:
    screen = Screen(schema)
    if any("x-maxBytes" in each for each in _properties(schema)):
        assert not screen.passes(request_), "a file is judged by what knows files"
    else:
        assert screen.passes(request_), violations(schema, request_)


@pytest.mark.parametrize(("schema", "answer"), ANSWERS)
def test_a_common_answer_passes(schema: Json, answer: Any) -> None:
    assert SCREENS[id(schema)].passes(answer)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "of a later version"},
        {"created": 253_402_300_800},
        {"created": -1},
        {"currency": None},
        {"evidence": "none"},
    ],
)
def test_data_that_needs_a_warning_does_not_pass(change: Json) -> None:
    operation = STRIPE["GetDisputesDispute"]
    (answer,) = answers_of(operation)
    assert operation.success_schema
    assert not SCREENS[id(operation.success_schema)].passes({**answer, **change})


def test_null_passes_in_optional_fields() -> None:
    operation = load("moov")["getDispute"]
    (answer,) = answers_of(operation)
    assert SCREENS[id(operation.success_schema)].passes(answer | {"networkReasonDescription": None})
    assert not Screen(operation.schema).passes(request_of(operation) | {"x-moov-version": None})


def test_all_text_of_an_object_is_counted_together() -> None:
    screen = Screen(METADATA)
    names = ["uncategorized_text", "product_description", "access_activity_log", "cancellation_rebuttal"]
    names += ["refund_refusal_explanation", "refund_policy_disclosure", "duplicate_charge_explanation"]
    names += ["cancellation_policy_disclosure"]
    evidence = dict.fromkeys(names, "a" * 18_750)
    assert screen.passes({"dispute": "du_1", "evidence": evidence})
    assert not screen.passes({"dispute": "du_1", "evidence": evidence | {"customer_name": "a"}})


def _properties(schema: Json) -> list[Json]:
    return [each for each in schema.get("properties", {}).values() if isinstance(each, dict)]


_OURS = {
    "maxLength",
    "format",
    "pattern",
    "x-maxTextLength",
    "x-maxBytes",
    "x-knownValues",
    "x-expected",
    "x-mustRead",
}


@pytest.mark.parametrize(
    "document", [*(api.document for api in LOADED), CASE], ids=["stripe", "moov", "case"]
)
def test_no_keyword_of_ours_is_inside_a_negation(document: Json) -> None:
    def below(node: Any) -> Iterator[Json]:
        if isinstance(node, dict):
            yield node
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from below(child)

    for node in below(document):
        for keyword in ("not", "if", "oneOf"):
            if isinstance(node.get(keyword), dict | list):
                for inner in below(node[keyword]):
                    assert not _OURS & set(inner), keyword


json_texts = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)
odd = st.sampled_from(
    [
        '"\\ud800"',
        '"\\ud800x"',
        '{"\\udfff": 1}',
        '"\\ud83d\\ude00"',
        "NaN",
        "1e400",
        "-0",
        '{"a": 1, "a": 2}',
        "01",
    ]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given((json_texts | odd).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=30))
def test_both_decoders_return_the_same(body: bytes) -> None:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return
    assert repr(decoded) == repr(json.loads(body))
    assert json.dumps(decoded, ensure_ascii=False).encode()
