"""One Airflow for the whole session, and one sandbox of both APIs that accepts a second submission."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispute_provider.sandbox import MOOV_ACCOUNT, STRIPE_ACCOUNT, Sandbox
from tests.harness.lab import KEYS, PUBLIC_KEY, Lab
from tests.harness.site import running

_HERE = Path(__file__).parent
_DAGS = (_HERE / "dags", _HERE.parents[1] / "dags")
_POOLS = ("dispute_submit", *(f"dispute_submit_{lane}" for lane in range(6)))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Airflow, ready, with connections to the sandbox and the pools of the DAGs."""
    folder = tmp_path_factory.mktemp("engine")
    settings = {
        "AIRFLOW__DISPUTE__SWEEP_CONNECTIONS": "stripe_default,moov_default",
        "AIRFLOW__DISPUTE__SWEEP_SCHEDULE": "0 0 29 2 *",
        "AIRFLOW__DISPUTE__RECEIPTS": str(folder / "receipts"),
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(folder / "evidence"),
        "AIRFLOW__CORE__PARALLELISM": "16",
        # Each heartbeat is a write, and so many tasks at once are many.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        # More than the API server has threads: who waits for a connection keeps what its holder waits for.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "50",
        # By default a lost worker is noticed after five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    }
    with Sandbox() as sandbox:
        # The APIs' own guard against a second submission must not hide the lack of ours.
        sandbox.settings(permissive=True)
        sandbox.add_account(api="stripe", id=STRIPE_ACCOUNT, keys={KEYS["stripe"]: "write"})
        sandbox.add_account(api="moov", id=MOOV_ACCOUNT, keys={PUBLIC_KEY: KEYS["moov"]})
        with running(
            sandbox, folder, _DAGS, settings, needed=("contest", "contest_twice", "dispute_sweep")
        ) as lab:
            for pool in _POOLS:
                lab.admin.add("pools", {"name": pool, "slots": 1})
            for connection in _connections(sandbox.url):
                lab.admin.add("connections", {**connection, "port": 0})
            yield lab


def _connections(sandbox: str) -> list[dict[str, Any]]:
    """One to each API."""
    return [
        {
            "connection_id": "stripe_default",
            "conn_type": "stripe",
            "host": sandbox,
            "password": KEYS["stripe"],
        },
        {
            "connection_id": "moov_default",
            "conn_type": "moov",
            "host": sandbox,
            "login": PUBLIC_KEY,
            "password": KEYS["moov"],
            "extra": json.dumps({"account": MOOV_ACCOUNT, "auth": "oauth2"}),
        },
    ]
