"""Behind a proxy: connections as the README writes them, whose hosts only the proxy can reach."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.http.operators.http import HttpOperator
from intercepting import Authority, Interceptor
from support import Connect

from dispute_provider.exceptions import ApiError, ConnectionConfigError, UnreachableError
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.operators.stripe import StripeGetDisputeOperator, StripeUploadFileOperator
from dispute_provider.sandbox import MOOV_ACCOUNT, STRIPE_ACCOUNT, Sandbox

HOOKS: dict[str, Any] = {"stripe": StripeHook, "moov": MoovHook}
PASSWORD = "p%40ss%3Aw%2Frd%25"
Settings = Callable[..., None]
REACHED = {
    "stripe": f"Reached Stripe account {STRIPE_ACCOUNT}, test mode, API version 2026-10-28.endive.",
    "moov": f"Reached Moov account {MOOV_ACCOUNT}, sandbox mode.",
}
EXTRA: dict[str, dict[str, Any]] = {"stripe": {}, "moov": {"account": MOOV_ACCOUNT}}


def by_connection(connect: Connect, patch: pytest.MonkeyPatch, **network: str) -> None:
    for api in EXTRA:
        connect(api, host=None, extra={**EXTRA[api], **network})


def by_environment(connect: Connect, patch: pytest.MonkeyPatch, **network: str) -> None:
    for api in EXTRA:
        connect(api, host=None, extra=EXTRA[api])
    names = {"proxy": "HTTPS_PROXY", "ca_bundle": "REQUESTS_CA_BUNDLE"}
    for name, value in network.items():
        patch.setenv(names[name], value)


@pytest.fixture(params=[by_connection, by_environment], ids=["connection", "environment"])
def settings(request: pytest.FixtureRequest, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return lambda **network: request.param(connect, monkeypatch, **network)


@pytest.fixture
def behind(settings: Settings, proxy: Interceptor, authority: Authority) -> None:
    settings(proxy=f"http://ana:{PASSWORD}@{proxy.address}", ca_bundle=str(authority.bundle))


def asynchronous(api: str, operation: str, **arguments: Any) -> Any:
    async def call() -> Any:
        async with HOOKS[api]().session() as opened:
            return await opened.call(operation, **arguments)

    return asyncio.run(call())


def synchronous(api: str, operation: str, **arguments: Any) -> Any:
    return HOOKS[api]().call(operation, **arguments)


def failures(operation: str = "GetAccount") -> UnreachableError:
    """How a call fails; the same with both clients."""
    found = []
    for call in (synchronous, asynchronous):
        with pytest.raises(UnreachableError) as caught:
            call("stripe", operation)
        found.append(caught.value)
    first, second = found
    assert str(first) == str(second)
    assert first.should_retry == second.should_retry
    worked, message = StripeHook().test_connection()
    assert (worked, message) == (False, str(first))
    return first


@pytest.mark.usefixtures("behind")
@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_test_and_tasks_both_connect(
    api: str, sandbox: Sandbox, proxy: Interceptor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert HOOKS[api]().test_connection() == (True, REACHED[api])
    operation = {"stripe": "GetDisputes", "moov": "listDisputes"}[api]
    arguments = {"stripe": {}, "moov": {"accountID": MOOV_ACCOUNT}}[api]
    assert asynchronous(api, operation, **arguments).status == 200
    host = {"stripe": "api.stripe.com:443", "moov": "api.moov.io:443"}[api]
    assert set(proxy.connects) == {host}
    # The proxy sees neither the key nor what is sent; the API does not see the proxy's password.
    assert not re.search(r"^authorization:", "".join(proxy.heads), re.IGNORECASE | re.MULTILINE)
    assert "proxy-authorization" not in json.dumps(sandbox.journal()).lower()
    for secret in (PASSWORD, "p@ss:w/rd%"):
        assert secret not in caplog.text


@pytest.mark.usefixtures("behind")
def test_tokens_are_requested_through_it(
    connect: Connect, sandbox: Sandbox, authority: Authority, proxy: Any
) -> None:
    extra = {"account": MOOV_ACCOUNT, "auth": "oauth2", "ca_bundle": str(authority.bundle)}
    connect("moov", host=None, extra={**extra, "proxy": f"http://ana:{PASSWORD}@{proxy.address}"})
    asynchronous("moov", "listDisputes", accountID=MOOV_ACCOUNT)
    assert sandbox.journal(operation="createAccessToken")


@pytest.mark.usefixtures("behind")
def test_single_requests_and_uploads_go_through_it(
    sandbox: Sandbox, proxy: Interceptor, tmp_path: Path
) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    context: Any = {}
    found = StripeGetDisputeOperator(task_id="get", dispute=dispute).execute(context)
    assert found["id"] == dispute
    document = tmp_path / "receipt.png"
    document.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 64)
    upload = StripeUploadFileOperator(task_id="upload", purpose="dispute_evidence", file=str(document))
    assert upload.execute(context)["id"]
    assert set(proxy.connects) == {"api.stripe.com:443", "files.stripe.com:443"}


@pytest.mark.usefixtures("behind")
def test_airflows_own_operator_goes_through_it(sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    stock = HttpOperator(
        task_id="stock", http_conn_id="stripe_default", method="GET", endpoint="/v1/disputes"
    )
    assert json.loads(stock.execute({}))["data"][0]["id"] == dispute


def test_the_connection_takes_precedence_over_the_environment(
    connect: Connect, proxy: Interceptor, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "api.stripe.com")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    address = f"http://ana:{PASSWORD}@{proxy.address}"
    connect("stripe", host=None, extra={"proxy": address, "ca_bundle": str(authority.bundle)})
    assert StripeHook().test_connection() == (True, REACHED["stripe"])
    assert asynchronous("stripe", "GetAccount").status == 200


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("proxy_variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_each_usual_variable_is_read(
    variable: str,
    proxy_variable: str,
    connect: Connect,
    proxy: Interceptor,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect("stripe", host=None)
    monkeypatch.setenv(proxy_variable, f"ana:{PASSWORD}@{proxy.address}")
    monkeypatch.setenv(variable, str(authority.bundle))
    assert StripeHook().test_connection() == (True, REACHED["stripe"])
    assert asynchronous("stripe", "GetAccount").status == 200


@pytest.mark.parametrize(
    "entry", ["api.stripe.com", "stripe.com", ".stripe.com", "*", "x,api.stripe.com:443"]
)
def test_no_proxy_means_the_same_to_both_clients(
    entry: str, connect: Connect, proxy: Interceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("stripe", host=None)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    monkeypatch.setenv("NO_PROXY", entry)
    assert "the name api.stripe.com cannot be resolved" in str(failures())
    assert not proxy.connects


def test_a_stand_in_on_loopback_never_goes_through_a_proxy(
    stripe_connection: str, proxy: Interceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{proxy.address}")
    assert StripeHook().test_connection() == (True, REACHED["stripe"])
    assert asynchronous("stripe", "GetAccount").status == 200
    stock = HttpOperator(
        task_id="stock", http_conn_id=stripe_connection, method="GET", endpoint="/v1/disputes"
    )
    stock.execute({})
    assert not proxy.heads


@pytest.mark.parametrize(
    ("address", "status", "problem", "remedy", "again"),
    [
        (
            "ana:wrong@{}",
            200,
            r"the proxy {} requires a valid user and password \(407\)",
            "user:password@",
            False,
        ),
        ("{}", 200, r"the proxy {} requires a valid user and password \(407\)", "user:password@", False),
        ("ana:secret@{}", 403, r"the proxy {} refuses connections to api.stripe.com \(403\)", "allow", False),
        ("ana:secret@{}", 502, r"the proxy {} cannot connect to api.stripe.com \(502\)", "reaches", None),
        ("127.0.0.1:1", 200, "the proxy 127.0.0.1:1 cannot be reached: ConnectionRefusedError", "runs", None),
        ("p.example.com:8", 200, "the proxy p.example.com:8 cannot be reached: gaierror", "address", False),
    ],
)
def test_each_failure_of_a_proxy_has_its_own_remedy(
    address: str,
    status: int,
    problem: str,
    remedy: str,
    again: bool | None,
    settings: Settings,
    sandbox: Sandbox,
    certificate: Path,
    authority: Authority,
) -> None:
    with Interceptor(sandbox.url, certificate, user_password="ana:secret", status=status) as proxy:
        settings(proxy=f"http://{address.format(proxy.address)}", ca_bundle=str(authority.bundle))
        error = failures()
    assert re.search(problem.format(proxy.address), error.message)
    assert remedy in error.advice
    assert error.should_retry is again
    assert "secret" not in str(error)
    assert not sandbox.journal()
    if again is False:
        assert len(proxy.connects) in (0, 3)


@pytest.mark.parametrize(
    ("name", "hosts", "days", "bundle", "problem", "remedy"),
    [
        ("expired", ("api.stripe.com",), -1, "authority", "certificate has expired", "renewed"),
        ("other", ("shop.example.org",), 1, "authority", "not valid for 'api.stripe.com'", "leads"),
        ("good", ("api.stripe.com",), 1, "stranger", "certificate", "ca_bundle or in REQUESTS_CA_BUNDLE"),
        ("good", ("api.stripe.com",), 1, None, "certificate", "ca_bundle or in REQUESTS_CA_BUNDLE"),
    ],
)
def test_each_failure_of_a_certificate_has_its_own_remedy(
    name: str,
    hosts: tuple[str, ...],
    days: int,
    bundle: str | None,
    problem: str,
    remedy: str,
    settings: Settings,
    sandbox: Sandbox,
    authority: Authority,
    tmp_path: Path,
) -> None:
    bundles = {"authority": authority, "stranger": Authority(tmp_path, "stranger")}
    chosen = {"ca_bundle": str(bundles[bundle].bundle)} if bundle else {}
    with Interceptor(sandbox.url, authority.issue(name, hosts, days)) as proxy:
        settings(proxy=f"http://{proxy.address}", **chosen)
        error = failures()
    assert "the certificate for api.stripe.com is not accepted" in error.message
    assert problem in error.message
    assert remedy in error.advice
    assert error.should_retry is False
    assert len(proxy.connects) == 3
    assert not sandbox.journal()


def test_without_dns_and_proxy_the_error_names_both(connect: Connect) -> None:
    connect("stripe", host=None)
    error = failures()
    assert "the name api.stripe.com cannot be resolved" in error.message
    assert "HTTPS_PROXY" in error.advice
    with pytest.raises(ApiError, match=r"the name api\.stripe\.com cannot be resolved"):
        HttpOperator(task_id="stock", http_conn_id="stripe_default", method="GET").execute({})


@pytest.mark.parametrize("form", ["{both}", "{certificate},{key}"])
def test_a_client_certificate_is_presented(
    form: str, connect: Connect, sandbox: Sandbox, authority: Authority, tmp_path: Path
) -> None:
    server, client = authority.issue("server", ("127.0.0.1",)), authority.issue("client")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    begin = client.read_text().index("-----BEGIN PRIVATE")
    certificate.write_text(client.read_text()[:begin])
    key.write_text(client.read_text()[begin:])
    with Interceptor(sandbox.url, server, clients=authority.bundle, tunnels=False) as gateway:
        extra = {
            "ca_bundle": str(authority.bundle),
            "client_cert": form.format(both=client, certificate=certificate, key=key),
        }
        connect("stripe", host=f"https://{gateway.address}", extra=extra)
        assert StripeHook().test_connection() == (True, REACHED["stripe"])
        assert asynchronous("stripe", "GetAccount").status == 200


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"proxy": "https://proxy.example.com:8443"}, "a proxy of type https, but only http proxies"),
        ({"proxy": "socks5://ana:secret@proxy.example.com"}, "a proxy of type socks5, but only http proxies"),
        ({"proxy": "http://proxy.example.com:eighty"}, "proxy is not the URL of a proxy"),
        ({"proxy": "http://proxy.example.com/pac"}, "proxy is not the URL of a proxy"),
        ({"proxy": ["http://proxy.example.com"]}, "proxy is not a string"),
        ({"ca_bundle": "/nowhere/ca.pem"}, "ca_bundle is /nowhere/ca.pem"),
        ({"ca_bundle": __file__}, "contains no readable certificates"),
        ({"client_cert": "/nowhere/client.pem"}, "client_cert cannot be used"),
        ({"client_cert": __file__}, "client_cert cannot be used"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    extra: dict[str, Any], problem: str, connect: Connect
) -> None:
    connect("stripe", host=None, extra=extra)
    for call in (synchronous, asynchronous):
        with pytest.raises(ConnectionConfigError, match="refused, nothing was sent") as caught:
            call("stripe", "GetAccount")
        assert problem in str(caught.value)
        assert "secret" not in str(caught.value)
    worked, message = StripeHook().test_connection()
    assert not worked
    assert problem in message
