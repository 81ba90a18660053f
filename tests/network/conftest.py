"""A network as companies have it: no DNS for the APIs' hosts, and a proxy with its own authority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from intercepting import Authority, Interceptor, hide_names
from tenacity import wait_none

from dispute_provider._transport import retries as attempts
from dispute_provider.sandbox import Sandbox


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name but this machine's can be resolved, and no variable leads elsewhere."""
    hide_names(monkeypatch)
    monkeypatch.setattr(attempts, "_BACKOFF", wait_none())
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def certificate(authority: Authority) -> Path:
    return authority.issue("good")


@pytest.fixture
def proxy(sandbox: Sandbox, certificate: Path) -> Iterator[Interceptor]:
    with Interceptor(sandbox.url, certificate, user_password="ana:p@ss:w/rd%") as running:
        yield running
