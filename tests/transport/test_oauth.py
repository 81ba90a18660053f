"""Tokens: minted once, renewed before they end, minted again once when refused, and never shown."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from drivers import Driver
from support import Connect

from dispute_provider._apis.api import Api
from dispute_provider.exceptions import AuthenticationError, DisputeError
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_SECRET_KEY, Sandbox

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def dispute(sandbox: Sandbox, connect: Connect, driver: Driver) -> str:
    """A dispute, on a connection that works with tokens."""
    connect("moov", extra={"account": MOOV_ACCOUNT, "auth": "oauth2", "rate_limit": 1000})
    return str(sandbox.create_dispute(api="moov", evidence={"receipt": "We sent it."})["id"])


def get(dispute: str) -> Any:
    return lambda api: api.call("getDispute", accountID=MOOV_ACCOUNT, disputeID=dispute)


def schemes(sandbox: Sandbox, operation: str) -> list[str]:
    return [entry["headers"]["authorization"].split()[0] for entry in sandbox.journal(operation=operation)]


@pytest.mark.parametrize("absolute", [True, False])
def test_one_token_serves_many_calls(absolute: bool, driver: Driver, sandbox: Sandbox, dispute: str) -> None:
    sandbox.settings(absolute_expiry=absolute)
    driver.run("moov", *[get(dispute)] * 4)
    assert schemes(sandbox, "createAccessToken") == ["Basic"]
    assert schemes(sandbox, "getDispute") == ["Bearer"] * 4


@pytest.mark.parametrize("absolute", [True, False])
def test_a_token_is_renewed_a_minute_before_it_ends(
    absolute: bool, driver: Driver, sandbox: Sandbox, dispute: str
) -> None:
    sandbox.settings(absolute_expiry=absolute, token_seconds=59)
    driver.run("moov", *[get(dispute)] * 3)
    assert len(sandbox.journal(operation="createAccessToken")) == 3
    assert {entry["status"] for entry in sandbox.journal(operation="getDispute")} == {200}


def test_only_the_scopes_of_transfers_are_requested(driver: Driver, sandbox: Sandbox, dispute: str) -> None:
    driver.run("moov", get(dispute))
    [minted] = sandbox.journal(operation="createAccessToken")
    assert minted["body"]["grant_type"] == "client_credentials"
    assert minted["body"]["scope"].split() == [
        f"/accounts/{MOOV_ACCOUNT}/transfers.{right}" for right in ("read", "write")
    ]


def test_a_refused_token_is_replaced_once(driver: Driver, sandbox: Sandbox, dispute: str) -> None:
    sandbox.fault(operation="getDispute", effect="status", status=401)
    driver.run("moov", get(dispute), get(dispute))
    assert len(sandbox.journal(operation="createAccessToken")) == 2
    assert [entry["status"] for entry in sandbox.journal(operation="getDispute")] == [401, 200, 200]


def test_a_second_refusal_is_final(driver: Driver, sandbox: Sandbox, dispute: str) -> None:
    sandbox.fault(operation="getDispute", effect="status", status=401, times=None)
    with pytest.raises(AuthenticationError):
        driver.run("moov", get(dispute))
    assert len(sandbox.journal(operation="createAccessToken")) == 2
    assert len(sandbox.journal(operation="getDispute")) == 2


def test_refused_keys_are_not_retried(
    driver: Driver, sandbox: Sandbox, dispute: str, connect: Connect
) -> None:
    connect("moov", extra={"account": MOOV_ACCOUNT, "auth": "basic"})
    sandbox.fault(operation="getDispute", effect="status", status=401, times=None)
    with pytest.raises(AuthenticationError):
        driver.run("moov", get(dispute))
    assert len(sandbox.journal(operation="getDispute")) == 1
    assert not sandbox.journal(operation="createAccessToken")


def test_a_submission_with_an_expired_token_is_not_resent_before_a_read(
    driver: Driver, sandbox: Sandbox, dispute: str
) -> None:
    sandbox.fault(operation="submitDisputeEvidence", effect="status", status=401, after=True)

    async def submit(api: Api) -> Any:
        return await api.call("submitDisputeEvidence", accountID=MOOV_ACCOUNT, disputeID=dispute)

    with pytest.raises(AuthenticationError):
        driver.run("moov", submit)
    assert [entry["status"] for entry in sandbox.journal(operation="submitDisputeEvidence")] == [401]


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "status", "status": 400, "body": {"error": "invalid_client"}},
        {"effect": "status", "status": 422},
        {"effect": "wrong-json", "times": None},
        {"effect": "wrong-json", "times": None, "body": {"access_token": 1, "expires_in": "soon"}},
    ],
    ids=lambda fault: f"{fault['effect']}-{fault.get('body')}",
)
def test_without_a_token_nothing_else_is_sent(
    fault: dict[str, Any], driver: Driver, sandbox: Sandbox, dispute: str
) -> None:
    sandbox.fault(operation="createAccessToken", **fault)
    with pytest.raises(DisputeError, match="createAccessToken"):
        driver.run("moov", get(dispute))
    assert not sandbox.journal(operation="getDispute")


def test_neither_token_nor_key_is_logged_or_shown(
    driver: Driver, sandbox: Sandbox, dispute: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    async def look(api: Api) -> None:
        await api.call("getDispute", accountID=MOOV_ACCOUNT, disputeID=dispute)
        seen.append(repr(vars(api)) + repr(api.settings))
        [token] = api._tokens
        seen.append(token.value)

    driver.run("moov", look)
    shown, token = seen
    assert token
    assert token not in shown + caplog.text
    assert MOOV_SECRET_KEY not in shown + caplog.text
