"""Each rule of a connection is checked before anything is sent, and no error shows a key."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from intercepting import Authority, Interceptor
from support import Connect, Peer, Reply

from dispute_provider._apis.api import Api
from dispute_provider._apis.connection import signing_secret
from dispute_provider._apis.moov import MoovApi
from dispute_provider._apis.stripe import StripeApi
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider.exceptions import ConnectionConfigError, InvalidRequestError
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import (
    MOOV_ACCOUNT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_ACCOUNT,
    STRIPE_KEY,
    Sandbox,
)

LIVE_KEY = "sk_live_51AbCdEf"
GOOD: dict[str, dict[str, Any]] = {
    "stripe": {"password": STRIPE_KEY},
    "moov": {"login": MOOV_PUBLIC_KEY, "password": MOOV_SECRET_KEY, "extra": {"account": MOOV_ACCOUNT}},
}
APIS: dict[str, type[Api]] = {"stripe": StripeApi, "moov": MoovApi}
HOOKS = {"stripe": StripeHook, "moov": MoovHook}


@pytest.fixture
def encrypted(sandbox: Sandbox, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The fields of a connection that reaches the sandbox with https, as live mode demands."""
    authority = Authority(tmp_path)
    certificate = authority.issue("sandbox", ("127.0.0.1",))
    with Interceptor(sandbox.url, certificate, tunnels=False) as server:
        yield {"host": f"https://{server.address}", "extra": {"ca_bundle": str(authority.bundle)}}


def check(api: str, **fields: Any) -> ConnectionSettings:
    extra = {**GOOD[api].get("extra", {}), **fields.pop("extra", {})}
    given = {**GOOD[api], **fields, "extra": json.dumps(extra)}
    return APIS[api].check_connection(Connection(conn_id="shop", conn_type=api, **given))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    # keys
    ("stripe", {"password": None}, "its password is empty"),
    ("stripe", {"password": ""}, "its password is empty"),
    ("stripe", {"password": None, "login": STRIPE_KEY}, "its key is the login, not the password"),
    ("stripe", {"password": "pk_test_abc"}, "not a Stripe key"),
    ("stripe", {"password": "whsec_test_abc"}, "not a Stripe key"),
    ("stripe", {"password": "sk_test_"}, "not a Stripe key"),
    ("stripe", {"password": "sk_test_abc "}, "its key has spaces or line breaks around it"),
    ("stripe", {"password": "sk_test_abc\n"}, "its key has spaces or line breaks around it"),
    ("stripe", {"password": "sk_test_a\r\nX-Evil: 1"}, "not a Stripe key"),
    ("stripe", {"password": "sk_test_ключ"}, "not a Stripe key"),
    ("stripe", {"password": "{{ var.value.key }}"}, "not a Stripe key"),
    ("moov", {"login": None}, "its public or secret key is missing or malformed"),
    ("moov", {"password": None}, "its public or secret key is missing or malformed"),
    ("moov", {"login": "a:b"}, "its public or secret key is missing or malformed"),
    # mode
    ("stripe", {"password": LIVE_KEY}, "its mode is test, but its key is a live key"),
    ("stripe", {"password": "rk_live_abc"}, "its mode is test, but its key is a live key"),
    ("stripe", {"password": "rk_live_a_test_b"}, "its mode is test, but its key is a live key"),
    ("stripe", {"extra": {"mode": "live"}}, "its mode is live, but its key is a test key"),
    ("stripe", {"extra": {"mode": "Live"}}, "mode is not one of test, live"),
    ("stripe", {"extra": {"mode": "production"}}, "mode is not one of test, live"),
    ("moov", {"extra": {"mode": "live"}}, "mode is not one of sandbox, production"),
    ("moov", {"extra": {"auth": "bearer"}}, "auth is not one of basic, oauth2"),
    # account
    ("stripe", {"extra": {"account": "shop"}}, "its account has the wrong format"),
    ("stripe", {"extra": {"account": "acct_1/../x"}}, "its account has the wrong format"),
    ("moov", {"extra": {"account": ""}}, "its account is empty"),
    ("moov", {"extra": {"account": None}}, "its account is empty"),
    ("moov", {"extra": {"account": "acct_1"}}, "its account has the wrong format"),
    ("moov", {"extra": {"account": MOOV_ACCOUNT + "0"}}, "its account has the wrong format"),
    # context
    ("stripe", {"password": "sk_org_test_abc"}, "belongs to an organization, but its context is blank"),
    ("stripe", {"password": "sk_org_test_abc", "extra": {"account": "acct_1"}}, "its context is blank"),
    ("stripe", {"extra": {"context": "acct_1", "account": "acct_2"}}, "it has both a context and an account"),
    ("stripe", {"extra": {"context": "acct_1/"}}, "its context has the wrong format"),
    ("stripe", {"extra": {"context": "acct_1\r\nX-Evil: 1"}}, "its context has the wrong format"),
    # version, origin
    ("stripe", {"extra": {"api_version": "latest"}}, "its api_version has the wrong format"),
    ("stripe", {"extra": {"api_version": "2026-09-30\r\nX-Evil: 1"}}, "its api_version has the wrong format"),
    ("stripe", {"extra": {"api_version": "2014-11-20"}}, "its api_version is older than 2014-12-08"),
    ("moov", {"extra": {"api_version": "2024.01.00"}}, "its api_version has the wrong format"),
    ("moov", {"extra": {"api_version": "v2024.02.00"}}, "its api_version has the wrong format"),
    ("moov", {"extra": {"api_version": "v2024.01.00\n"}}, "its api_version has the wrong format"),
    ("moov", {"extra": {"origin": "shop.example.com"}}, "its origin has the wrong format"),
    ("moov", {"extra": {"origin": "https://shop\r\nX-Evil: 1"}}, "its origin has the wrong format"),
    # rate
    *[
        (api, {"extra": {"rate_limit": value}}, "rate_limit is not a number above 0")
        for api in ("stripe", "moov")
        for value in (0, -1, "many", [1], "nan", "inf", 1e9)
    ],
    # extras
    *[
        (api, {"extra": {name: "x"}}, f"unknown extra {name!r} (did you mean {nearest}?)")
        for api in ("stripe", "moov")
        for name, nearest in (
            ("acount", "account"),
            ("Account", "account"),
            ("accountID", "account"),
            ("Stripe-Account", "account"),
            ("api-version", "api_version"),
            ("Stripe-Version", "api_version"),
            ("ratelimit", "rate_limit"),
            ("proxies", "proxy"),
            ("verify", "ca_bundle"),
            ("cert", "client_cert"),
        )
    ],
    ("moov", {"extra": {"webhook_secret": "x", "timeout": 5}}, "unknown extra 'webhook_secret', 'timeout'"),
    ("stripe", {"extra": {"account": False}}, "its account has the wrong format"),
    ("stripe", {"extra": {"account": 0}}, "its account has the wrong format"),
    ("stripe", {"extra": {"mode": False}}, "mode is not one of test, live"),
    # host
    *[
        (api, {"host": host}, problem)
        for api in ("stripe", "moov")
        for host, problem in (
            ("http://api.example.com", "without encryption"),
            ("http://127.0.0.1.example.com", "without encryption"),
            ("http://localhost.example.com", "without encryption"),
            ("http://0.0.0.0:8080", "without encryption"),
            ("ftp://127.0.0.1", "uses ftp"),
            ("https://user:word@gateway.example.com", "not a plain URL"),
            ("https://@gateway.example.com", "not a plain URL"),
            ("https://gateway.example.com?to=elsewhere", "not a plain URL"),
            ("https://gateway.example.com#there", "not a plain URL"),
            ("https://", "not a plain URL"),
            ("https://[::1", "not a valid URL"),
            ("https://gateway.example.com:port", "not a valid URL"),
            ("https://gateway.example.com:99999", "not a valid URL"),
        )
    ],
    ("stripe", {"host": "gateway.example.com", "schema": "http"}, "without encryption"),
    (
        "stripe",
        {"host": "https://gateway.example.com", "password": LIVE_KEY, "extra": {"mode": "live"}},
        "a live connection but has a host",
    ),
    (
        "moov",
        {"host": "https://api.moov.io", "extra": {"mode": "production"}},
        "a live connection but has a host",
    ),
    (
        "stripe",
        {"host": "http://127.0.0.1:8030", "password": LIVE_KEY, "extra": {"mode": "live"}},
        "a live connection but has an unencrypted host",
    ),
    (
        "moov",
        {"host": "http://localhost:8030", "extra": {"mode": "production"}},
        "a live connection but has an unencrypted host",
    ),
]


@pytest.mark.parametrize(("api", "fields", "problem"), REFUSED, ids=lambda value: ascii(value)[:70])
def test_a_refused_connection_names_the_remedy(api: str, fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConnectionConfigError) as caught:
        check(api, **fields)
    message = str(caught.value)
    assert problem in message
    assert "'shop' refused, nothing was sent" in message
    assert "To do: " in message
    for secret in (fields.get("password"), STRIPE_KEY, MOOV_SECRET_KEY):
        assert not secret or secret.strip() not in message + repr(caught.value)


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("{account: acct_1}", "its extra is not a JSON object"),
        ('["acct_1"]', "its extra is not a JSON object"),
        ('{"account": "acct_1", "account": "acct_2"}', "its extra contains 'account' twice"),
    ],
)
def test_extras_that_would_be_ignored_are_refused(extra: str, problem: str) -> None:
    connection = Connection(conn_id="shop", conn_type="stripe", password=STRIPE_KEY, extra=extra)
    with pytest.raises(ConnectionConfigError, match=problem):
        StripeApi.check_connection(connection)


@pytest.mark.parametrize(
    ("api", "fields", "expected"),
    [
        ("stripe", {}, {"base_url": None, "live": False, "rate": 25.0, "account": None}),
        ("stripe", {}, {"headers": {"Stripe-Version": "2026-10-28.endive"}}),
        ("stripe", {"password": "rk_test_abc"}, {"authorization": "Bearer rk_test_abc"}),
        ("stripe", {"password": LIVE_KEY, "extra": {"mode": "live"}}, {"live": True, "base_url": None}),
        (
            "stripe",
            {"password": "sk_org_live_abc", "extra": {"mode": "live", "context": "acct_1"}},
            {"live": True, "account": "acct_1"},
        ),
        (
            "stripe",
            {"password": "sk_org_test_abc", "extra": {"context": "acct_1/acct_2"}},
            {
                "account": "acct_2",
                "headers": {"Stripe-Context": "acct_1/acct_2", "Stripe-Version": "2026-10-28.endive"},
            },
        ),
        (
            "stripe",
            {"extra": {"account": "acct_1Shop", "api_version": "2026-09-30.endive"}},
            {
                "account": "acct_1Shop",
                "headers": {"Stripe-Account": "acct_1Shop", "Stripe-Version": "2026-09-30.endive"},
            },
        ),
        ("stripe", {"extra": {"rate_limit": "7.5"}}, {"rate": 7.5}),
        ("stripe", {"extra": {"rate_limit": ""}}, {"rate": 25.0}),
        ("stripe", {"host": " "}, {"base_url": None}),
        (
            "stripe",
            {"host": "gateway.example.com/stripe/"},
            {"base_url": "https://gateway.example.com/stripe"},
        ),
        (
            "stripe",
            {"host": "https://gateway.example.com/stripe", "port": 8443},
            {"base_url": "https://gateway.example.com:8443/stripe"},
        ),
        ("stripe", {"host": "localhost", "schema": "http", "port": 80}, {"base_url": "http://localhost:80"}),
        ("stripe", {"host": "http://[::1]:8080"}, {"base_url": "http://[::1]:8080"}),
        ("stripe", {"host": "http://127.0.0.1:1", "port": 2}, {"base_url": "http://127.0.0.1:1"}),
        ("moov", {}, {"base_url": None, "live": False, "rate": 10.0, "oauth": False}),
        ("moov", {}, {"headers": {"x-moov-version": "v2024.01.00"}}),
        ("moov", {"extra": {"mode": "production"}}, {"live": True}),
        (
            "moov",
            {"extra": {"auth": "oauth2", "api_version": "latest", "origin": "https://shop.example.com"}},
            {
                "oauth": True,
                "headers": {"x-moov-version": "latest", "Origin": "https://shop.example.com"},
            },
        ),
        # A form leaves what is not filled in as null or empty.
        (
            "stripe",
            {"extra": {"mode": "", "account": None, "api_version": "", "proxy": None, "older": ""}},
            {"live": False, "account": None, "rate": 25.0},
        ),
    ],
    ids=lambda value: ascii(value)[:70],
)
def test_a_connection_is_read(api: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    settings = check(api, **fields)
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("mode", "named", "endpoint", "files"),
    [("live", None, 25, 20), ("live", 25, 6.25, 5), ("live", 400, 100, 80), ("test", 5, 5, 4)],
)
def test_tasks_that_share_a_rate_share_every_limit(
    mode: str, named: float | None, endpoint: float, files: float
) -> None:
    key = LIVE_KEY if mode == "live" else STRIPE_KEY
    settings = check("stripe", password=key, extra={"mode": mode, "rate_limit": named})
    assert (settings.endpoint_rate, settings.file_rate) == (endpoint, files)


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_settings_show_no_key(api: str) -> None:
    settings = check(api)
    for secret in (STRIPE_KEY, MOOV_SECRET_KEY, settings.authorization):
        assert secret not in f"{settings!r} {settings}"


def test_without_a_key_nothing_is_signed() -> None:
    keyless = Connection(conn_id="shop", conn_type="stripe")
    with pytest.raises(ConnectionConfigError, match="enter the API key as the password"):
        signing_secret(keyless)


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_a_refused_connection_sends_nothing(
    api: str, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    conn_id = connect(api, extra={"mode": "wrong", "account": MOOV_ACCOUNT})
    hook = HOOKS[api]

    async def use() -> None:
        async with hook(http_conn_id=conn_id).session():
            raise AssertionError("a session with a refused connection")

    with pytest.raises(ConnectionConfigError):
        hook(http_conn_id=conn_id).run(endpoint="/v1/account")
    with pytest.raises(ConnectionConfigError):
        asyncio.run(use())
    worked, message = hook(http_conn_id=conn_id).test_connection()
    assert not worked
    assert "mode is not one of" in message
    assert not sandbox.journal()
    assert STRIPE_KEY not in caplog.text
    assert MOOV_SECRET_KEY not in caplog.text


@pytest.mark.parametrize("use_default", [True, False])
def test_the_test_button_reports_account_and_mode(
    use_default: bool, sandbox: Sandbox, stripe_connection: str, moov_connection: str
) -> None:
    stripe = StripeHook() if use_default else StripeHook(http_conn_id=stripe_connection)
    moov = MoovHook() if use_default else MoovHook(http_conn_id=moov_connection)
    version = "API version 2026-10-28.endive"
    assert stripe.test_connection() == (
        True,
        f"Reached Stripe account {STRIPE_ACCOUNT}, test mode, {version}.",
    )
    assert moov.test_connection() == (True, f"Reached Moov account {MOOV_ACCOUNT}, sandbox mode.")
    assert {entry["method"] for entry in sandbox.journal()} == {"GET"}


def test_a_stand_in_without_tls_is_named(sandbox: Sandbox, connect: Connect) -> None:
    place = sandbox.url.removeprefix("http://")
    conn_id = connect("stripe", host=place)
    worked, message = StripeHook(http_conn_id=conn_id).test_connection()
    assert not worked
    assert f"no connection: {place} does not speak TLS" in message
    assert f"write http:// before {place}" in message


def test_the_test_button_also_tests_the_token(sandbox: Sandbox, connect: Connect) -> None:
    connect("moov", extra={"account": MOOV_ACCOUNT, "auth": "oauth2"})
    assert MoovHook().test_connection() == (True, f"Reached Moov account {MOOV_ACCOUNT}, sandbox mode.")
    assert [entry["operation"] for entry in sandbox.journal()] == [
        "getAccount",
        "createAccessToken",
        "listDisputes",
    ]


@pytest.mark.parametrize("auth", ["basic", "oauth2"])
@pytest.mark.parametrize("mode", ["sandbox", "production"])
def test_moovs_account_must_be_in_the_mode_of_the_connection(
    auth: str, mode: str, sandbox: Sandbox, connect: Connect, encrypted: dict[str, Any]
) -> None:
    account = "5a4db0c5-0b0e-4c3b-8f5e-5a0db0c50099"
    sandbox.add_account(api="moov", id=account, livemode=mode == "sandbox")
    extra = {"account": account, "auth": auth, "mode": mode, **encrypted["extra"]}
    conn_id = connect("moov", host=encrypted["host"], extra=extra)
    worked, message = MoovHook().test_connection()
    assert not worked
    assert "correct its mode" in message

    async def use() -> None:
        async with MoovHook(http_conn_id=conn_id).session():
            raise AssertionError("a session in the wrong mode")

    with pytest.raises(ConnectionConfigError, match="mode"):
        asyncio.run(use())
    assert {entry["operation"] for entry in sandbox.journal()} == {"getAccount"}


@pytest.mark.parametrize(("mode", "worked"), [("sandbox", False), ("production", True)])
def test_keys_that_may_not_read_the_account_need_production_mode(
    mode: str, worked: bool, sandbox: Sandbox, connect: Connect, encrypted: dict[str, Any]
) -> None:
    extra = {"account": MOOV_ACCOUNT, "mode": mode, **encrypted["extra"]}
    connect("moov", host=encrypted["host"], extra=extra)
    sandbox.fault(operation="getAccount", effect="status", status=403)
    found, message = MoovHook().test_connection()
    assert found == worked
    assert "may not read the account" in message


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_an_unknown_key_is_reported_and_not_shown(api: str, connect: Connect) -> None:
    connect(api, password="sk_test_unknown")
    worked, message = HOOKS[api]().test_connection()
    assert not worked
    assert "check the key of the Airflow connection" in message
    assert "sk_test_unknown" not in message


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_no_key_in_logs_and_tracebacks_of_a_failure(
    api: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    operation, arguments = {
        "stripe": ("GetDisputesDispute", {"dispute": "dp_1"}),
        "moov": ("getDispute", {"accountID": MOOV_ACCOUNT, "disputeID": MOOV_ACCOUNT}),
    }[api]
    with Peer(lambda asked: Reply(403, json.dumps({"error": asked.headers}).encode())) as peer:
        connect(api, host=peer.url)
        hook = HOOKS[api]()
        text = ""
        try:
            hook.call(operation, **arguments)
        except Exception as error:
            text = "".join(traceback.format_exception(error)) + repr(vars(error))
    authorization = peer.asked[0].headers["authorization"]
    assert "403" in text
    for secret in (STRIPE_KEY, MOOV_SECRET_KEY, authorization, authorization.split()[1]):
        assert secret not in text + caplog.text + repr(hook) + str(vars(hook))


def test_texts_for_test_mode_are_refused_in_live_mode(sandbox: Sandbox, connect: Connect) -> None:
    connect("stripe", host=None, password=LIVE_KEY, extra={"mode": "live"})
    for word in ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence"):
        with pytest.raises(InvalidRequestError, match=r"/evidence/uncategorized_text: .*test mode"):
            StripeHook().call("PostDisputesDispute", dispute="dp_1", evidence={"uncategorized_text": word})
    assert not sandbox.journal()
