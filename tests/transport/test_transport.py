"""The resend policy, against an API that really fails: what is sent again, what never, under which key."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from drivers import Driver
from support import Connect
from tenacity import Future, RetryCallState

from dispute_provider._transport import retries as attempts
from dispute_provider._transport.client import Client
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnreachableError,
)
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import MOOV_ACCOUNT, STRIPE_READONLY_KEY, Sandbox

pytestmark = pytest.mark.usefixtures("impatient")

SOON = {"Retry-After": "0"}
# What leaves open whether the request was carried out. All but the last two end before the work is done.
UNCLEAR: list[dict[str, Any]] = [
    {"effect": "status", "status": 500},
    {"effect": "status", "status": 503},
    {"effect": "status", "status": 504},
    {"effect": "drop-before"},
    {"effect": "reset"},
    {"effect": "status", "status": 504, "after": True},
    {"effect": "drop-after"},
]
UNREADABLE: list[dict[str, Any]] = [
    {"effect": "truncate"},
    {"effect": "wrong-json"},
    {"effect": "wrong-type"},
    {"effect": "wrong-json", "body": "{}"},
    {"effect": "wrong-json", "body": ""},
]


def named(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values()) or "none"


def submissions(sandbox: Sandbox, dispute: str) -> int:
    return len(sandbox.dispute(dispute)["submissions"])


@pytest.fixture
def stripe_dispute(sandbox: Sandbox) -> str:
    evidence = {"uncategorized_text": "We sent it."}
    return str(sandbox.create_dispute(api="stripe", evidence=evidence)["id"])


@pytest.fixture
def moov_dispute(sandbox: Sandbox) -> dict[str, str]:
    created = sandbox.create_dispute(api="moov", evidence={"receipt": "We sent it."})
    return {"accountID": MOOV_ACCOUNT, "disputeID": created["id"]}


@pytest.mark.parametrize("fault", UNCLEAR + UNREADABLE, ids=named)
def test_a_read_is_retried(
    fault: dict[str, Any], driver: Driver, sandbox: Sandbox, stripe_dispute: str, moov_dispute: dict[str, str]
) -> None:
    for api, operation, arguments in (
        ("stripe", "GetDisputesDispute", {"dispute": stripe_dispute}),
        ("moov", "getDispute", moov_dispute),
    ):
        sandbox.fault(operation=operation, times=2, **fault)
        assert driver.call(api, operation, **arguments).status == 200
        assert len(sandbox.journal(operation=operation)) == 3


def test_a_read_is_given_up_after_four_attempts(
    driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    sandbox.fault(operation="GetDisputesDispute", effect="status", status=502, times=None)
    with pytest.raises(ServerError) as caught:
        driver.call("stripe", "GetDisputesDispute", dispute=stripe_dispute)
    assert caught.value.status == 502
    assert len(sandbox.journal(operation="GetDisputesDispute")) == 4


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (402, InvalidRequestError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, InvalidRequestError),
    ],
)
def test_a_refused_request_is_never_retried(
    status: int, error: type[ApiError], driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    sandbox.fault(operation="GetDisputesDispute", effect="status", status=status, times=None)
    with pytest.raises(error) as caught:
        driver.call("stripe", "GetDisputesDispute", dispute=stripe_dispute)
    assert caught.value.status == status
    assert caught.value.request_id
    assert len(sandbox.journal(operation="GetDisputesDispute")) == 1


def test_should_retry_false_is_obeyed(driver: Driver, sandbox: Sandbox, stripe_dispute: str) -> None:
    headers = {"Stripe-Should-Retry": "false"}
    sandbox.fault(operation="GetDisputesDispute", effect="status", status=500, headers=headers, times=None)
    with pytest.raises(ServerError) as caught:
        driver.call("stripe", "GetDisputesDispute", dispute=stripe_dispute)
    assert caught.value.should_retry is False
    assert len(sandbox.journal(operation="GetDisputesDispute")) == 1


def test_retry_after_in_seconds_and_as_a_date_is_waited_for(
    driver: Driver, sandbox: Sandbox, moov_dispute: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(Client, "sleep", staticmethod(pause))
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    for asked in ("7", date):
        sandbox.fault(operation="getDispute", effect="status", status=429, headers={"Retry-After": asked})
        driver.call("moov", "getDispute", **moov_dispute)
    in_seconds, until_a_date = waited
    assert in_seconds == 7
    assert 0 < until_a_date <= 20


@pytest.mark.parametrize("asked", ["31", "86400", "inf", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_wait_that_is_too_long_is_left_to_the_scheduler(
    asked: str, driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    headers = {"Retry-After": asked}
    sandbox.fault(operation="GetDisputesDispute", effect="status", status=429, headers=headers, times=None)
    with pytest.raises(RateLimitedError) as caught:
        driver.call("stripe", "GetDisputesDispute", dispute=stripe_dispute)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 30
    assert len(sandbox.journal(operation="GetDisputesDispute")) == 1


@pytest.mark.parametrize("fault", UNCLEAR + UNREADABLE[:-2], ids=named)
@pytest.mark.parametrize("operation", ["submitDisputeEvidence", "acceptDispute"])
def test_final_calls_at_moov_are_sent_exactly_once(
    operation: str, fault: dict[str, Any], driver: Driver, sandbox: Sandbox, moov_dispute: dict[str, str]
) -> None:
    sandbox.fault(operation=operation, times=None, **fault)
    with pytest.raises(AmbiguousError, match="do not resend"):
        driver.call("moov", operation, **moov_dispute)
    assert len(sandbox.journal(operation=operation)) == 1


@pytest.mark.parametrize("operation", ["submitDisputeEvidence", "acceptDispute"])
def test_a_final_call_at_moov_is_not_resent_after_a_429(
    operation: str, driver: Driver, sandbox: Sandbox, moov_dispute: dict[str, str]
) -> None:
    sandbox.fault(operation=operation, effect="status", status=429, headers=SOON, after=True)
    with pytest.raises(RateLimitedError):
        driver.call("moov", operation, **moov_dispute)
    assert len(sandbox.journal(operation=operation)) == 1


@pytest.mark.parametrize("fault", UNCLEAR + UNREADABLE, ids=named)
def test_stripes_submission_is_resent_with_one_key_and_happens_once(
    fault: dict[str, Any], driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    sandbox.fault(operation="PostDisputesDispute", times=2, **fault)
    answer = driver.call(
        "stripe",
        "PostDisputesDispute",
        dispute=stripe_dispute,
        evidence={"uncategorized_text": "We sent it."},
        submit=True,
        **{"Idempotency-Key": "one-key"},
    )
    assert answer.data["status"] == "under_review"
    sent = sandbox.journal(operation="PostDisputesDispute")
    assert [entry["headers"]["idempotency-key"] for entry in sent] == ["one-key"] * 3
    assert len({entry["raw_body"] for entry in sent}) == 1
    assert submissions(sandbox, stripe_dispute) == 1


@pytest.mark.parametrize("fault", UNCLEAR, ids=named)
def test_stripes_submission_without_a_key_is_sent_once(
    fault: dict[str, Any], driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    sandbox.fault(operation="PostDisputesDispute", times=None, **fault)
    with pytest.raises(AmbiguousError):
        driver.call("stripe", "PostDisputesDispute", dispute=stripe_dispute, submit=True)
    assert len(sandbox.journal(operation="PostDisputesDispute")) == 1


def test_a_stored_500_is_replayed_and_stays_ambiguous(
    driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    sandbox.fault(operation="PostDisputesDispute", effect="stored-500")
    key = {"Idempotency-Key": "stored"}
    with pytest.raises(AmbiguousError) as caught:
        driver.call("stripe", "PostDisputesDispute", dispute=stripe_dispute, submit=True, **key)
    assert caught.value.status == 500
    sent = sandbox.journal(operation="PostDisputesDispute")
    assert {entry["headers"]["idempotency-key"] for entry in sent} == {"stored"}


def test_a_conflict_with_the_same_key_is_our_own_attempt_in_progress(
    driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    busy = {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use."}}
    sandbox.fault(operation="PostDisputesDispute", effect="drop-after")
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=409, body=busy, times=2)
    key = {"Idempotency-Key": "busy"}
    assert driver.call("stripe", "PostDisputesDispute", dispute=stripe_dispute, submit=True, **key).data["id"]
    assert len(sandbox.journal(operation="PostDisputesDispute")) == 4
    assert submissions(sandbox, stripe_dispute) == 1


@pytest.mark.parametrize("last", [429, 409, 400, 403])
def test_the_error_of_an_ambiguous_attempt_is_kept(
    last: int, driver: Driver, sandbox: Sandbox, stripe_dispute: str
) -> None:
    """The first attempt was carried out: a 429 must not be read as proof that nothing was sent."""
    sandbox.fault(operation="PostDisputesDispute", effect="drop-after")
    sandbox.fault(operation="PostDisputesDispute", effect="status", status=last, headers=SOON, times=None)
    key = {"Idempotency-Key": "doubt"}
    with pytest.raises(AmbiguousError):
        driver.call("stripe", "PostDisputesDispute", dispute=stripe_dispute, submit=True, **key)
    assert submissions(sandbox, stripe_dispute) == 1


def test_a_refused_connection_is_retried_and_unreachable(
    driver: Driver, sandbox: Sandbox, connect: Connect
) -> None:
    made: list[int] = []

    def count(state: RetryCallState) -> float:
        made.append(state.attempt_number)
        return 0.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts, "_BACKOFF", count)
        connect("stripe", host="http://127.0.0.1:1")
        with pytest.raises(UnreachableError, match="no connection") as caught:
            driver.call("stripe", "PostDisputesDispute", dispute="dp_1", submit=True)
    assert max(made) == 4
    assert caught.value.status is None


def test_a_read_only_key_is_reported(
    driver: Driver, sandbox: Sandbox, connect: Connect, stripe_dispute: str
) -> None:
    connect("stripe", password=STRIPE_READONLY_KEY)
    with pytest.raises(PermissionDeniedError) as caught:
        driver.call("stripe", "PostDisputesDispute", dispute=stripe_dispute, submit=False)
    assert STRIPE_READONLY_KEY not in str(caught.value)


def test_waits_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def wait(attempt: int, error: Exception) -> float:
        state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]  # only its outcome is looked at
        state.attempt_number = attempt
        state.outcome = Future.construct(attempt, error, has_exception=True)
        return attempts._wait(state)

    silent = ServerError("down.", operation="getDispute")
    asked = RateLimitedError("slowly.", operation="getDispute", retry_after=7.0)
    assert 0.5 <= wait(1, silent) <= 1.0
    assert 2.0 <= wait(3, silent) <= 2.5
    assert wait(9, silent) <= 5.5
    assert wait(1, asked) == 7.0


def test_concurrent_calls_stay_within_the_rate(sandbox: Sandbox, connect: Connect) -> None:
    connect("stripe", extra={"rate_limit": 50})
    dispute = sandbox.create_dispute(api="stripe")["id"]

    async def calls() -> None:
        async with StripeHook().session() as api:
            await asyncio.gather(*[api.call("GetDisputesDispute", dispute=dispute) for _ in range(21)])

    began = time.monotonic()
    asyncio.run(calls())
    # A burst of 0.05 s at 50 requests per second is three requests.
    assert time.monotonic() - began >= (20 - 3) / 50
    assert len(sandbox.journal()) == 21
