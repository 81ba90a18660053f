"""Redact each text of each answer that its contract gives no role; the paths are made from the schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from string_paths import TEXT, example_of, is_shown, planted, string_paths

from dispute_provider._contracts.contract import Contract, Operation
from dispute_provider._contracts.redaction import redacted_answer

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    name: Contract(name, json.loads(path.read_bytes()))
    for folder in ("schemas", "tests/third_api/added/schemas")
    for path in sorted((ROOT / folder).glob("*.openapi.json"))
    if (name := path.name.partition(".")[0])
}
OPERATIONS = [
    pytest.param(operation, id=f"{name}-{operation.id}")
    for name, api in CONTRACTS.items()
    for operation in api.operations.values()
    if operation.success_schema
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_strings_without_a_role_are_redacted(operation: Operation) -> None:
    assert operation.success_schema
    hidden = 0
    for path, schema in string_paths(operation.contract, operation.success_schema):
        stored = json.dumps(redacted_answer(operation, planted(example_of(operation), path, TEXT)))
        if is_shown(schema):
            continue
        hidden += 1
        assert TEXT not in stored, path
    assert hidden


@pytest.mark.parametrize("operation", OPERATIONS)
def test_strings_that_the_contract_shows_are_unchanged(operation: Operation) -> None:
    """Ids, dates and enums of the example: an answer stays of use."""
    assert operation.success_schema
    for path, schema in string_paths(operation.contract, operation.success_schema):
        if is_shown(schema):
            assert TEXT in json.dumps(redacted_answer(operation, planted(None, path, TEXT))), path
        for known in schema.get("x-knownValues", ()):
            assert known in json.dumps(redacted_answer(operation, planted(None, path, known))), path


@pytest.mark.parametrize("value", [TEXT, [TEXT], {"a": TEXT}, [{"a": [TEXT]}], {TEXT: 1}, TEXT.encode()])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_in_another_format_is_redacted_entirely(operation: Operation, value: Any) -> None:
    assert TEXT not in json.dumps(redacted_answer(operation, value))


@pytest.mark.parametrize(
    ("value", "is_term"),
    [
        ("action-required", True),
        ("ACTION_REQUIRED", True),
        ("Jane Roe", False),
        ("JANE ROE", False),
        ("Jane", False),
        ("a" * 41, False),
    ],
)
def test_a_new_value_of_an_open_list_must_look_like_one(value: str, is_term: bool) -> None:
    stored = redacted_answer(CONTRACTS["moov"]["getDispute"], {"status": value})
    assert (stored["status"] == value) is is_term


def test_an_invalid_date_or_uuid_is_redacted() -> None:
    operation = CONTRACTS["moov"]["getDispute"]
    stored = redacted_answer(operation, {"respondBy": TEXT, "merchantAccountID": TEXT, "status": TEXT})
    assert TEXT not in json.dumps(stored)
