"""Airflow's own HTTP operators on our connections: they get the key and nothing else, or fail in silence."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.http.triggers.http import HttpSensorTrigger
from airflow.sdk.exceptions import TaskDeferred
from support import Asked, Connect, Peer, Reply

from dispute_provider._transport import timeouts
from dispute_provider.exceptions import ApiError, ConnectionConfigError
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import (
    MOOV_ACCOUNT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_KEY,
    Sandbox,
)

CANARY = "canary-5f1c"
# A secret in an extra: a stand-in on loopback is reached without the proxy.
EXTRA = {"account": MOOV_ACCOUNT, "proxy": f"http://ana:{CANARY}@proxy.example.com"}
# A secret in a separate extra, options of the stock hooks, and headers that they do not support.
FOREIGN = {
    "webhook_secret": CANARY,
    "X-Canary": CANARY,
    "Authorization": f"Bearer {CANARY}",
    "verify": False,
    "allow_redirects": True,
    "srv_lookup": True,
    "proxies": {"http": f"http://{CANARY}.example.com"},
}
PAIR = base64.b64encode(f"{MOOV_PUBLIC_KEY}:{MOOV_SECRET_KEY}".encode()).decode()
AUTHORIZATION = {"stripe": f"Bearer {STRIPE_KEY}", "moov": f"Basic {PAIR}"}
ENDPOINT = {"stripe": "/v1/disputes", "moov": f"/accounts/{MOOV_ACCOUNT}/disputes"}
SECRETS = (CANARY, STRIPE_KEY, MOOV_SECRET_KEY, PAIR)


def extra(api: str, **fields: Any) -> dict[str, Any]:
    return EXTRA | fields | ({"account": "acct_1Shop"} if api == "stripe" else {})


def operator(conn_id: str, api: str, **fields: Any) -> HttpOperator:
    given = {"method": "GET", "endpoint": ENDPOINT[api], **fields}
    return HttpOperator(task_id="stock", http_conn_id=conn_id, **given)


@pytest.fixture(params=["stripe", "moov"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_stock_operator_makes_an_authorised_call(api: str, sandbox: Sandbox, connect: Connect) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    conn_id = connect(api, extra=extra(api) if api == "moov" else {})
    answered = json.loads(operator(conn_id, api).execute({}))
    found = answered["data"][0]["id"] if api == "stripe" else answered[0]["disputeID"]
    assert found == dispute
    [entry] = sandbox.journal()
    assert entry["status"] == 200
    assert CANARY not in json.dumps(entry)


@pytest.mark.parametrize("name", FOREIGN)
def test_an_extra_that_is_not_ours_is_refused(name: str, api: str, connect: Connect) -> None:
    with Peer() as peer:
        conn_id = connect(api, host=peer.url, extra=extra(api, **{name: FOREIGN[name]}))
        with pytest.raises(ConnectionConfigError, match=f"unknown extra '{name}'") as caught:
            operator(conn_id, api).execute({})
    assert not peer.asked
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_sends_the_key_and_no_extra(method: str, api: str, connect: Connect) -> None:
    with Peer() as peer:
        conn_id = connect(api, host=peer.url, extra=extra(api))
        operator(conn_id, api, method=method).execute({})
    [asked] = peer.asked
    assert asked.path == ENDPOINT[api]
    assert asked.headers["authorization"] == AUTHORIZATION[api]
    assert CANARY not in json.dumps(dict(asked.headers)) + asked.path + asked.body.decode()
    ours = {"stripe-account", "stripe-version"} if api == "stripe" else {"x-moov-version"}
    usual = {"host", "user-agent", "accept-encoding", "accept", "connection", "authorization"}
    assert asked.headers.keys() - {"content-length", "content-type"} == usual | ours


def test_with_tokens_it_sends_one_and_not_the_keys(sandbox: Sandbox, connect: Connect) -> None:
    conn_id = connect("moov", extra=extra("moov", auth="oauth2"))
    operator(conn_id, "moov").execute({})
    used = {entry["operation"]: entry["headers"]["authorization"].split()[0] for entry in sandbox.journal()}
    assert used == {"createAccessToken": "Basic", "listDisputes": "Bearer"}


def test_neither_task_nor_netrc_can_replace_the_key(
    api: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password of-mallory\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Peer() as peer:
        conn_id = connect(api, host=peer.url, extra=extra(api))
        operator(conn_id, api, headers={"Authorization": "Bearer mallory"}).execute({})
    assert peer.asked[0].headers["authorization"] == AUTHORIZATION[api]


def test_no_redirect_is_followed_even_if_the_task_asks(api: str, connect: Connect) -> None:
    with Peer() as elsewhere, Peer(lambda asked: Reply(307, b"", {"Location": elsewhere.url})) as peer:
        conn_id = connect(api, host=peer.url, extra=extra(api))
        with pytest.raises(ApiError, match="307"):
            operator(conn_id, api, extra_options={"allow_redirects": True}).execute({})
    assert len(peer.asked) == 1
    assert not elsewhere.asked


def test_it_has_the_timeouts_of_our_own_calls(stripe_connection: str) -> None:
    hook = StripeHook()
    hook.get_conn()
    assert hook.merged_extra["timeout"] == (timeouts.CONNECT_SECONDS, timeouts.READ_SECONDS)
    hook.get_conn(extra_options={"timeout": 5})
    assert hook.merged_extra["timeout"] == 5


REQUEST_ID = {"stripe": "Request-Id", "moov": "x-request-id"}


def test_the_body_of_an_error_is_neither_logged_nor_raised(
    api: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def refuse(asked: Asked) -> Reply:
        return Reply(400, f"{CANARY} {asked.headers}".encode(), {REQUEST_ID[api]: "req_1"})

    with Peer(refuse) as peer:
        conn_id = connect(api, host=peer.url)
        with pytest.raises(ApiError) as caught:
            operator(conn_id, api).execute({})
    assert "400" in str(caught.value)
    assert "req_1" in str(caught.value)
    for secret in SECRETS:
        assert secret not in caplog.text + str(caught.value)


# The stock sensor and deferred tasks do not use our hook: they would send every extra as a header.
# On a live connection, which names no host, they must reach no host.

_reached: list[tuple[Any, ...]] = []
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in ("socket.connect", "socket.sendto"):
        _reached.append(arguments[1:])


sys.addaudithook(_watch)


@contextmanager
def watched_sockets() -> Iterator[list[tuple[Any, ...]]]:
    """Every address that this process connects to."""
    global _watching
    _reached.clear()
    _watching = True
    try:
        yield _reached
    finally:
        _watching = False


@pytest.fixture
def live_connection(api: str, monkeypatch: pytest.MonkeyPatch) -> str:
    secrets = {"webhook_secret": CANARY, "X-Canary": CANARY}
    fields: dict[str, dict[str, Any]] = {
        "stripe": {"password": f"sk_live_{CANARY}", "extra": {**secrets, "mode": "live"}},
        "moov": {
            "login": "public",
            "password": f"secret-{CANARY}",
            "extra": {**secrets, "mode": "production", "account": MOOV_ACCOUNT},
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_LIVE", json.dumps({"conn_type": api, **fields[api]}))
    return "live"


@pytest.fixture(params=[True, False], ids=["with-slash", "without-slash"])
def endpoint(api: str, request: pytest.FixtureRequest) -> str:
    return ENDPOINT[api] if request.param else ENDPOINT[api].removeprefix("/")


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    return None


def test_deferred_on_a_live_connection_it_connects_to_no_host(
    api: str, live_connection: str, endpoint: str
) -> None:
    with watched_sockets() as reached:
        with pytest.raises(TaskDeferred) as deferred:
            operator(live_connection, api, endpoint=endpoint, deferrable=True).execute({})
        event = asyncio.run(first_event(deferred.value.trigger))
    assert event["status"] == "error"
    assert not reached
    assert CANARY not in event["message"]
    assert CANARY not in json.dumps(deferred.value.trigger.serialize())


def test_the_sensor_on_a_live_connection_connects_to_no_host(
    api: str, live_connection: str, endpoint: str
) -> None:
    sensor = HttpSensor(task_id="stock", http_conn_id=live_connection, endpoint=endpoint)
    trigger = HttpSensorTrigger(http_conn_id=live_connection, endpoint=endpoint)
    with watched_sockets() as reached:
        with pytest.raises(Exception) as poked:
            sensor.poke({})
        with pytest.raises(Exception) as triggered:
            asyncio.run(first_event(trigger))
    assert not reached
    assert CANARY not in f"{poked.value}{triggered.value}"


def test_sockets_are_watched(api: str, connect: Connect) -> None:
    """The proof that the tests above would see a connection if there were one."""
    with Peer() as peer:
        connect(api, host=peer.url)
        with watched_sockets() as reached:
            HttpSensor(task_id="stock", http_conn_id=f"{api}_default", endpoint="/").poke({})
    assert reached
