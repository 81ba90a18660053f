"""Every test of the hooks that takes a driver runs on both."""

from __future__ import annotations

import pytest
from drivers import AsyncDriver, Driver, SyncDriver
from support import Connect
from tenacity import wait_none

from dispute_provider.sandbox import MOOV_ACCOUNT
from dispute_provider.transport import retries as attempts


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest, connect: Connect) -> Driver:
    """A driver on the default connections; these allow more requests a second than the APIs do."""
    connect("stripe", extra={"rate_limit": 1000})
    connect("moov", extra={"account": MOOV_ACCOUNT, "rate_limit": 1000})
    return request.param()  # type: ignore[no-any-return]  # pytest does not know its parameters' types


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between attempts, unless the API asks for it."""
    monkeypatch.setattr(attempts, "_BACKOFF", wait_none())
