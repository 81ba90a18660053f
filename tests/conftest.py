"""Give the tests a separate Airflow, one sandbox for both APIs, and connections to it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Connect, forget_chains
from tenacity import wait_none

# Airflow reads these on import. No test may use the machine's configuration or database.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

from drivers import AsyncDriver, Driver, SyncDriver  # the environment comes first

from dispute_provider._transport import retries
from dispute_provider._transport.client import Client
from dispute_provider._transport.http import HttpTransport
from dispute_provider._transport.transport import HttpRequest, HttpResponse
from dispute_provider.sandbox import (
    MOOV_ACCOUNT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_KEY,
    Sandbox,
)

_KEYS: dict[str, dict[str, Any]] = {
    "stripe": {"password": STRIPE_KEY},
    "moov": {"login": MOOV_PUBLIC_KEY, "password": MOOV_SECRET_KEY, "extra": {"account": MOOV_ACCOUNT}},
}


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's metadata database, in this session's own AIRFLOW_HOME."""
    from airflow.utils.db import initdb

    initdb()
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(_running_sandbox: Sandbox) -> Sandbox:
    """A fresh sandbox for both APIs: no disputes, no faults, an empty journal, no chains in the ledger."""
    _running_sandbox.reset()
    forget_chains(_running_sandbox)
    return _running_sandbox


@pytest.fixture
def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Create a connection to the sandbox; see :class:`support.Connect`."""

    def connect(kind: str, conn_id: str | None = None, **fields: Any) -> str:
        conn_id = conn_id or f"{kind}_default"
        keys = _KEYS.get(kind, {"password": "a key"})
        connection = {"conn_type": kind, "host": sandbox.url, **keys, **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return conn_id

    return connect


@pytest.fixture
def outgoing(monkeypatch: pytest.MonkeyPatch) -> list[HttpRequest]:
    """The sent requests in order, with their complete Authorization headers."""
    requests: list[HttpRequest] = []

    class Recording(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            requests.append(request)
            return await super().send(request)

    monkeypatch.setattr(Client, "transport", Recording)
    return requests


@pytest.fixture
def stripe_connection(connect: Connect) -> str:
    """The id of a Stripe connection to the sandbox."""
    return connect("stripe")


@pytest.fixture
def moov_connection(connect: Connect) -> str:
    """The id of a Moov connection to the sandbox."""
    return connect("moov")


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest, connect: Connect) -> Driver:
    """A driver on the default connections, which allow more requests a second than the APIs do."""
    connect("stripe", extra={"rate_limit": 1000})
    connect("moov", extra={"account": MOOV_ACCOUNT, "rate_limit": 1000})
    return request.param()  # type: ignore[no-any-return]  # pytest does not know its parameters' types


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without delay, unless the API asks for one."""
    monkeypatch.setattr(retries, "_BACKOFF", wait_none())


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case root: a folder from which cases may be read."""
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    return tmp_path


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name documents by their parameter: the bytes of some differ in each process."""
    return argname if isinstance(val, bytes) else None
