"""Provide one Airflow for the session, and one sandbox of both APIs that accepts a second submission."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispute_provider.sandbox import MOOV_ACCOUNT, STRIPE_ACCOUNT, Sandbox
from tests.harness.lab import KEYS, PUBLIC_KEY, SIGNING_KEYS, Lab
from tests.harness.site import running

_HERE = Path(__file__).parent
_DAGS = (_HERE / "dags", _HERE.parents[1] / "dags")
_NEEDED = (
    "contest",
    "contest_batch",
    "contest_frozen",
    "contest_timed",
    "contest_twice",
    "dispute_sweep",
)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start Airflow and the sandbox, with two connections to each account."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / SIGNING_KEYS).write_text(secrets.token_hex(32))
    with Sandbox() as sandbox:
        # The APIs' guard against a second submission must not hide a failure of ours.
        sandbox.settings(permissive=True)
        sandbox.add_account(api="stripe", id=STRIPE_ACCOUNT, keys={KEYS["stripe"]: "write"})
        sandbox.add_account(api="moov", id=MOOV_ACCOUNT, keys={PUBLIC_KEY: KEYS["moov"]})
        with running(sandbox, folder, _DAGS, _settings(folder), needed=_NEEDED) as lab:
            _add_connections(lab)
            yield lab


@pytest.fixture(scope="module")
def deployment(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start a second Airflow with its own database; it shares the ledger, cases and accounts of the first."""
    folder = tmp_path_factory.mktemp("deployment")
    settings = {**_settings(lab.folder), "AIRFLOW__DISPUTE__CASE_ROOTS": str(lab.cases)}
    with running(lab.sandbox, folder, _DAGS[:1], settings, needed=("contest_batch",)) as other:
        _add_connections(other)
        yield other


def _settings(folder: Path) -> dict[str, str]:
    """Return Airflow's settings.

    :param folder: shared by all deployments.
    """
    return {
        "AIRFLOW__DISPUTE__CONNECTIONS": "stripe_default,moov_default",
        "AIRFLOW__DISPUTE__SWEEP_SCHEDULE": "0 0 29 2 *",
        "AIRFLOW__DISPUTE__RECEIPTS": str(folder / "receipts"),
        "AIRFLOW__DISPUTE__LEDGER": str(folder / "ledger"),
        # Each task runs the command, so a test can replace the key.
        "AIRFLOW__DISPUTE__SIGNING_KEY_CMD": f"cat {folder / SIGNING_KEYS}",
        "AIRFLOW__CORE__PARALLELISM": "16",
        # Each heartbeat is a write to SQLite, and up to 16 tasks run at once.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        # More connections than the API server has threads: a thread that waits for one may block its holder.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "50",
        # By default a lost worker is noticed after five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    }


def _add_connections(lab: Lab) -> None:
    for connection in connections(lab.sandbox.url):
        lab.admin.add("connections", connection)


def connections(sandbox: str) -> list[dict[str, Any]]:
    """Return two connections to the account of each API."""
    stripe = {"conn_type": "stripe", "host": sandbox, "password": KEYS["stripe"]}
    moov = {
        "conn_type": "moov",
        "host": sandbox,
        "login": PUBLIC_KEY,
        "password": KEYS["moov"],
        "extra": json.dumps({"account": MOOV_ACCOUNT, "auth": "oauth2"}),
    }
    return [
        {"connection_id": f"{connection['conn_type']}_{name}", "port": 0, **connection}
        for connection in (stripe, moov)
        for name in ("default", "other")
    ]
