"""No text of an answer gets out that its contract gives no role: each path of each answer, and of errors.

The paths are made from the schemas: at each place a text is put that nobody may see.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from running import run
from support import Asked, Peer, Reply

from dispute_provider._contracts.contract import Contract, Operation
from dispute_provider._contracts.json_data import Json
from dispute_provider._contracts.redaction import SHOWN, redacted_answer
from dispute_provider.exceptions import DisputeError
from dispute_provider.operators.call import CallOperator

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    name: Contract(name, json.loads(path.read_bytes()))
    for folder in ("schemas", "tests/third_api/added/schemas")
    for path in sorted((ROOT / folder).glob("*.openapi.json"))
    if (name := path.name.partition(".")[0])
}
TEXT = "Jane Roe lives at 1 Elm Street"
OPERATIONS = [
    pytest.param(operation, id=f"{name}-{operation.id}")
    for name, api in CONTRACTS.items()
    for operation in api.operations.values()
    if operation.success_schema
]
Step = str | int


def string_paths(
    api: Contract, schema: Json, path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], Json]]:
    """Each place of an answer where a text may be, with its schema; and a member that no schema has."""
    schema = api.resolve(schema)
    for branch in schema.get("anyOf", ()):
        yield from string_paths(api, branch, path)
    types = schema.get("type", ())
    if "string" in ([types] if isinstance(types, str) else types):
        yield path, schema
    if "properties" in schema:
        for name, member in {**schema["properties"], "no_such_member": {"type": "string"}}.items():
            yield from string_paths(api, member, (*path, name))
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield from string_paths(api, others, (*path, "another"))
    if "items" in schema:
        yield from string_paths(api, schema["items"], (*path, 0))


def planted(value: Any, path: tuple[Step, ...], text: str) -> Any:
    """An answer with a text at a place, which is made where the answer has not got it."""
    if not path:
        return text
    step, *rest = path
    if isinstance(step, int):
        return [planted(value[0] if isinstance(value, list) and value else None, tuple(rest), text)]
    kept = value if isinstance(value, dict) else {}
    return {**kept, step: planted(kept.get(step), tuple(rest), text)}


def example_of(operation: Operation) -> Any:
    responses = operation.document["responses"]
    success = next(operation.contract.resolve(responses[code]) for code in responses if code[0] == "2")
    return copy.deepcopy(success["content"]["application/json"]["example"])


def is_shown(schema: Json) -> bool:
    return schema.get("x-role") in SHOWN


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_has_no_role_is_redacted_at_each_place(operation: Operation) -> None:
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
def test_what_the_contract_shows_is_stored_as_it_came(operation: Operation) -> None:
    """Ids, dates and enums of the example: an answer stays of use."""
    assert operation.success_schema
    for path, schema in string_paths(operation.contract, operation.success_schema):
        if is_shown(schema):
            assert TEXT in json.dumps(redacted_answer(operation, planted(None, path, TEXT))), path
        for known in schema.get("x-knownValues", ()):
            assert known in json.dumps(redacted_answer(operation, planted(None, path, known))), path


@pytest.mark.parametrize("value", [TEXT, [TEXT], {"a": TEXT}, [{"a": [TEXT]}], {TEXT: 1}, TEXT.encode()])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_of_another_form_is_redacted_as_a_whole(operation: Operation, value: Any) -> None:
    assert TEXT not in json.dumps(redacted_answer(operation, value))


def test_a_date_or_uuid_that_is_none_is_redacted() -> None:
    operation = CONTRACTS["moov"]["getDispute"]
    stored = redacted_answer(operation, {"respondBy": TEXT, "merchantAccountID": TEXT, "status": TEXT})
    assert TEXT not in json.dumps(stored)


# A sample of each API's calls, by the operator: what it answers reaches no XCom, log or error.
CALLS: list[tuple[str, str, dict[str, str]]] = [
    ("stripe", "GetDisputesDispute", {"dispute": "dp_1"}),
    ("stripe", "GetDisputes", {}),
    ("stripe", "GetChargesCharge", {"charge": "ch_1"}),
    ("moov", "getDispute", {"disputeID": "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"}),
    ("moov", "listDisputeEvidence", {"disputeID": "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"}),
]


@pytest.mark.parametrize(("name", "operation_id", "arguments"), CALLS, ids=[call[1] for call in CALLS])
def test_no_place_gets_out_by_an_operator(
    name: str, operation_id: str, arguments: dict[str, str], connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    operation = CONTRACTS[name][operation_id]
    assert operation.success_schema
    answers = [
        planted(example_of(operation), path, TEXT)
        for path, schema in string_paths(operation.contract, operation.success_schema)
        if not is_shown(schema)
    ]
    asked = iter(answers)

    def answer(request: Asked) -> Reply:
        return Reply(200, json.dumps(next(asked)).encode())

    caplog.set_level(logging.DEBUG)
    with Peer(answer) as peer, structlog.testing.capture_logs() as logged:
        conn_id = connect(name, host=peer.url)
        for _ in answers:
            operator = CallOperator(
                task_id="call", api=name, operation_id=operation_id, arguments=arguments, conn_id=conn_id
            )
            try:
                told = json.dumps(run(operator))
            except DisputeError as error:
                told = f"{error} {error!r}"
            assert TEXT not in told
    assert TEXT not in caplog.text + str(logged)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"unknown": TEXT}},
        {"unknown": TEXT},
        {"errors": [TEXT]},
        {"errors": [{"unknown": TEXT}]},
        [TEXT],
        TEXT,
        {"error": {"message": {"text": TEXT}, "code": [TEXT], "param": {"a": TEXT}}},
        {"message": TEXT},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize(("name", "operation_id", "arguments"), [CALLS[0], CALLS[3]], ids=["stripe", "moov"])
def test_an_error_of_another_form_is_not_quoted(
    name: str, operation_id: str, arguments: dict[str, str], body: Any, connect: Any
) -> None:
    with Peer(lambda asked: Reply(400, json.dumps(body).encode())) as peer:
        conn_id = connect(name, host=peer.url)
        operator = CallOperator(
            task_id="call", api=name, operation_id=operation_id, arguments=arguments, conn_id=conn_id
        )
        with pytest.raises(DisputeError) as refused:
            run(operator)
    assert (
        TEXT not in f"{refused.value} {refused.value!r} {refused.value.__cause__} {refused.value.__context__}"
    )
