"""Each answer of an API becomes a checked object or an error of the tree, without customer text."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from dispute_provider._apis.api import Api
from dispute_provider._apis.listing import Listing
from dispute_provider._apis.moov import MoovApi
from dispute_provider._apis.stripe import StripeApi
from dispute_provider._contracts.answers import Answer, read_answer
from dispute_provider._contracts.contract import Operation, load
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.error_messages import redact
from dispute_provider._contracts.headers import retry_after_seconds
from dispute_provider._contracts.request import Request, encode
from dispute_provider._evidence.snapshot import Dispute, Snapshot
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider.exceptions import AmbiguousError, ApiError, DisputeError, ServerError
from dispute_provider.sandbox import MOOV_ACCOUNT

DISPUTE = "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"
API_TYPES: dict[str, type[Api]] = {"stripe": StripeApi, "moov": MoovApi}
EVERY_OPERATION = [
    pytest.param(operation, id=f"{api}-{operation.id}")
    for api in ("stripe", "moov")
    for operation in load(api).operations.values()
]


def request_for(operation: Operation) -> Request:
    """A request with something in each parameter, unchecked."""
    arguments: dict[str, Any] = {
        name: parameter.get("example", "x") for name, parameter in operation.parameters.items()
    }
    for name, schema in operation.body_schema.get("properties", {}).items():
        resolved = operation.contract.resolve(schema)
        if "x-maxBytes" in resolved:
            arguments[name] = FilePart("a.pdf", b"%PDF-1.4", "application/pdf")
    return encode(operation, arguments)


def success_of(operation: Operation) -> tuple[int, Any]:
    responses = operation.document["responses"]
    code = next(code for code in responses if code.startswith("2"))
    content = operation.contract.resolve(responses[code]).get("content", {})
    return int(code), copy.deepcopy(content.get("application/json", {}).get("example"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(["error", "message", "code", "type", "param"]), json_values, max_size=5
    ).map(lambda value: json.dumps({"error": value}).encode()),
    st.sampled_from(
        [b"[" * 200_000, b'{"error":' * 100_000, b"\xff\xfe{}", b"NaN", b"1" * 10_000, b'"\\ud800"']
    ),
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": st.text(max_size=30) | st.integers().map(str) | st.floats().map(str),
        "Stripe-Should-Retry": st.sampled_from(["true", "false", "maybe", ""]),
        "Request-Id": st.text(max_size=20),
        "x-request-id": st.text(max_size=20),
    },
).map(CaseInsensitiveDict)


@pytest.mark.parametrize("operation", EVERY_OPERATION)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(status=st.integers(100, 599), headers=headers, body=bodies)
def test_any_answer_is_read_or_raises_an_api_error(
    operation: Operation, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    outcome: Answer | ApiError
    try:
        request, read_error = request_for(operation), API_TYPES[operation.api].read_error
        outcome = read_answer(request, status, headers, body, "Bearer secret", read_error=read_error)
    except ApiError as error:
        outcome = error
    assert outcome.status == status
    if isinstance(outcome, Answer):
        assert 200 <= status < 300
        return
    assert outcome.operation == operation.id
    assert len(str(outcome)) < 2000
    assert outcome.retry_after is None or outcome.retry_after >= 0
    if 200 <= status < 300:
        assert isinstance(outcome, ServerError if operation.after_failure == "resend" else AmbiguousError)


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_a_documented_answer_has_no_warning(operation: Operation) -> None:
    status, example = success_of(operation)
    body = b"" if example is None else json.dumps(example).encode()
    answer = read_answer(request_for(operation), status, {}, body)
    assert answer.data == (example or None)
    assert not answer.warnings


def test_unknown_values_pass_with_a_warning() -> None:
    operation = load("stripe")["GetDisputesDispute"]
    status, example = success_of(operation)
    example |= {"status": "escalated_to_the_moon", "new_field": 1}
    del example["balance_transactions"]
    answer = read_answer(request_for(operation), status, {}, json.dumps(example).encode())
    assert answer.data["new_field"] == 1
    assert len(answer.warnings) == 2
    assert "moon" not in str(answer.warnings)


@pytest.mark.parametrize(
    "body", ["""["not", "what", "was", "asked", "for"]""", """[{"page": "of a gateway"}]"""]
)
def test_a_list_of_other_objects_is_unreadable(body: str) -> None:
    operation = load("moov")["listDisputes"]
    with pytest.raises(ServerError) as refused:
        read_answer(request_for(operation), 200, {}, body.encode())
    assert refused.value.should_retry is not False, "another try may reach the API"


@pytest.mark.parametrize("status", [201, 202, 203, 206])
def test_an_undocumented_success_status_uses_the_same_schema(status: int) -> None:
    operation = load("stripe")["GetDisputesDispute"]
    _, example = success_of(operation)
    answer = read_answer(request_for(operation), status, {}, json.dumps(example).encode())
    assert answer.warnings == (f"status {status} is not in the contract",)
    with pytest.raises(ServerError):
        read_answer(request_for(operation), status, {}, b"{}")


def mutations(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each place of a structure, with each thing that should not stand there."""
    wrong: tuple[Any, ...] = (None, "", "x", [], {}, [None], -1, 10**30, 1e308, True)
    for other in wrong:
        yield path, other
    if path:
        yield path, ...
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in children:
        yield from mutations(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copied = copy.deepcopy(value)
    at = copied
    for step in path[:-1]:
        at = at[step]
    if other is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = other
    return copied


def api_of(name: str) -> Api:
    cls = API_TYPES[name]
    account = MOOV_ACCOUNT if name == "moov" else None
    return cls(
        ConnectionSettings(
            "shop", None, "Bearer x", {"Stripe-Version": "2026-10-28.endive"}, account, live=False, rate=1.0
        )
    )


def drive(api: Api, reading: Any, spoilt: str, path: tuple[Any, ...], other: Any) -> Any:
    """Answer every call with its contract's example, one of them changed at one place."""
    sent = 0

    async def send(request: Request, authorization: str, claim: None = None) -> Answer:
        nonlocal sent
        sent += 1
        status, example = success_of(request.operation)
        if request.operation.id == spoilt:
            example = changed(example, path, other)
        if (
            isinstance(example, dict)
            and "has_more" in example
            and (sent > 20 or request.operation.id != spoilt)
        ):
            example["has_more"] = False
        return read_answer(request, status, {}, json.dumps(example).encode())

    api.client.send = send  # type: ignore[method-assign]
    return asyncio.run(reading(api))


READINGS = [
    ("stripe", "GetDisputesDispute", lambda api: api.read("dp_1")),
    ("stripe", "GetDisputes", lambda api: api.list_open()),
    ("stripe", "GetAccount", lambda api: api.probe()),
    ("moov", "getDispute", lambda api: api.read(DISPUTE)),
    ("moov", "listDisputeEvidence", lambda api: api.read(DISPUTE)),
    ("moov", "listDisputes", lambda api: api.list_open()),
    ("moov", "getAccount", lambda api: api.prepare()),
]


@pytest.mark.parametrize(("name", "operation", "reading"), READINGS, ids=[row[1] for row in READINGS])
def test_no_malformed_answer_crashes_its_reader(name: str, operation: str, reading: Any) -> None:
    """One bad dispute must not stop the others of its batch."""
    api = api_of(name)
    _, example = success_of(load(name)[operation])
    read = refused = 0
    for path, other in mutations(example):
        try:
            result = drive(api, reading, operation, path, other)
        except DisputeError:
            refused += 1
        else:
            read += 1
            for found in result.disputes if isinstance(result, Listing) else [result]:
                if isinstance(found, Snapshot):
                    assert found.digest({})
                elif isinstance(found, Dispute):
                    assert found.past_due() in (True, False)
    assert read
    assert refused


@settings(max_examples=500, deadline=None, derandomize=True)
@given(value=st.text(max_size=60) | st.floats().map(str) | st.integers().map(str) | st.none())
def test_retry_after_is_read_or_ignored(value: str | None) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or seconds >= 0


@settings(max_examples=200, deadline=None, derandomize=True)
@given(when=st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)), usegmt=st.booleans())
def test_retry_after_reads_every_http_date(when: datetime, usegmt: bool) -> None:
    moment = when.replace(tzinfo=UTC, microsecond=0)
    seconds = retry_after_seconds(format_datetime(moment, usegmt=usegmt), now=moment - timedelta(seconds=90))
    assert seconds == 90
    assert retry_after_seconds(format_datetime(moment), now=moment + timedelta(seconds=1)) == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("-5", 0),
        ("2.5", 2.5),
        ("Sun, 22 Nov 2026 10:00:30 -0000", 30),
        ("Sunday, 22-Nov-26 10:00:30 GMT", 30),
        ("Sun Nov 22 10:00:30 2026", 30),
        ("soon", None),
        ("", None),
        (None, None),
        ("Mon, 32 Foo 9999999999 99:99:99 +999999999", None),
    ],
)
def test_retry_after_values(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=datetime(2026, 11, 22, 10, tzinfo=UTC)) == seconds


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=40), min_size=1, max_size=4
    ),
    before=st.text(max_size=10),
    spelling=st.sampled_from(["plain", "json", "ascii-json"]),
)
def test_messages_do_not_quote_sent_texts(texts: list[str], before: str, spelling: str) -> None:
    assume(not any(text in "[redacted]" for text in texts))
    spellings: dict[str, Callable[[str], str]] = {
        "plain": str,
        "json": lambda text: json.dumps(text, ensure_ascii=False),
        "ascii-json": json.dumps,
    }
    spell = spellings[spelling]
    message = before + " | ".join(map(spell, texts))
    kept = redact(message, {"evidence": {"list": texts}})
    for text in texts:
        assert text not in kept.replace("[redacted]", "\n")
        assert spell(text)[1:-1] not in kept.replace("[redacted]", "\n") or len(spell(text)) <= 5


def test_an_answer_shows_neither_its_data_nor_what_was_sent() -> None:
    operation = load("stripe")["PostDisputesDispute"]
    answer = Answer(200, "req_1", {"evidence": {"customer_name": "Zoë"}}, operation=operation)
    request = Request.of(operation, dispute="dp_1", evidence={"customer_name": "Zoë"})
    assert "Zoë" not in f"{answer!r} {request!r} {request.operation!r}"
