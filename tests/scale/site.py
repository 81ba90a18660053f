"""Run Airflow on PostgreSQL with the CeleryExecutor, and workers that share only a store with it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types of its own
from cryptography.fernet import Fernet

from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY
from tests.harness.processes import Airflow, free_port
from tests.scale.services import Postgres, Redis

RATE = {"stripe": 100, "moov": 100}
"""Requests per second of all workers together, by API."""
SLOTS = {"stripe": 4, "moov": 1}
"""Slots of each API's pool; each task may use one slot's share of the rate."""
CONCURRENCY = 5
"""Tasks of one worker at a time: a single worker has room for all slots of the pools."""
HEARTBEAT_TIMEOUT = 30
QUEUED_TIMEOUT = 60

_XCOM_BACKEND = "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"
_IMPORTS = ["dispute_provider.preload"]
_DAGS = Path(__file__).parent / "dags"
# Kept out of a worker's environment: it calls the API server, never the database.
_NOT_FOR_WORKERS = (
    "AIRFLOW__DATABASE__",
    "AIRFLOW__API_AUTH__",
    "AIRFLOW__API__",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER",
)


class Site(Airflow):
    """Airflow's parts, and Celery workers that can be killed.

    :param folder: for all files; it contains the store.
    """

    def __init__(self, folder: Path, postgres: Postgres, redis: Redis) -> None:
        self.store = folder / "store"
        self.cases = self.store / "cases"
        self.postgres, self.redis = postgres, redis
        self._folder = folder
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self.cases.mkdir(parents=True)
        super().__init__(folder / "airflow", free_port(18180), _DAGS, self._settings())

    def _settings(self) -> dict[str, str]:
        store = self.store.as_uri()
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.postgres.url,
            # One driver for both: the default for asynchronous use is asyncpg.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.postgres.url,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "32",
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            # Operators read and write their state through the API server.
            "AIRFLOW__API__WORKERS": "2",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
            # In Redis, so that workers need no database.
            "AIRFLOW__CELERY__RESULT_BACKEND": self.redis.url.removesuffix("0") + "1",
            # Imported once in the worker's parent process, not in each task.
            "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": _IMPORTS}),
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
            # Longer than any task: a task that takes longer is given to a second worker.
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "1800",
            # Tasks that a killed worker had fetched but not started are queued again after this.
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_TIMEOUT),
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
            # By default a lost worker is noticed after five minutes.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            # The default; the demo sets a shorter interval.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
            # The records of a chunk are too large for a row of the database.
            "AIRFLOW__CORE__XCOM_BACKEND": _XCOM_BACKEND,
            "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"{store}/xcom",
            "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "16384",
            "AIRFLOW__DISPUTE__CASE_ROOTS": f"{store}/cases",
            "AIRFLOW__DISPUTE__EVIDENCE_STORE": f"{store}/evidence",
            "AIRFLOW__DISPUTE__RECEIPTS": f"{store}/receipts",
            # Each worker has its own AIRFLOW_HOME, so the default folder would lock nothing between them.
            "AIRFLOW__DISPUTE__LEDGER": f"{store}/ledger",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "tests.scale.hostname.hostname",
        }

    def start_worker(self, name: str, sandbox: str) -> None:
        """Start a worker in its own process group.

        :param sandbox: the address for its requests.
        """
        home = self._folder / name
        home.mkdir()
        inherited = {
            key: value for key, value in self._environment.items() if not key.startswith(_NOT_FOR_WORKERS)
        }
        own = {"AIRFLOW_HOME": str(home), "SCALE_WORKER": name, **_connections(sandbox)}
        arguments = ["celery", "worker", "--celery-hostname", name, "--skip-serve-logs"]
        with (self._logs / f"{name}.log").open("wb") as log:
            self._workers[name] = subprocess.Popen(  # our own interpreter and arguments
                [sys.executable, "-m", "airflow", *arguments],
                env={**inherited, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill_group(self, name: str) -> str:
        """Send SIGKILL to a worker's process group and those of its tasks, as if its machine failed."""
        worker = self._workers.pop(name)
        # Each running task has its own process group.
        groups = {os.getpgid(each.pid) for each in _children(worker.pid)} | {worker.pid}
        for group in groups:
            os.killpg(group, signal.SIGKILL)
        worker.wait(10)
        return f"its process group and those of its {len(groups) - 1} running tasks"

    def kill_parent(self, name: str) -> str:
        """Send SIGKILL to a worker's parent process only; describe which children survive."""
        worker = self._workers.pop(name)
        children = _children(worker.pid)
        worker.kill()
        worker.wait(10)
        return f"its parent process only; {_alive(children)} of its {len(children)} children survive"

    def stop(self) -> list[str]:
        """Stop Airflow, then its services; return the processes that did not end."""
        kept = {process.pid for service in (self.postgres, self.redis) for process in service.tree}
        for kind, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            running = [each for each in psutil.Process().children(recursive=True) if each.pid not in kept]
            for process in running:
                if process.is_running():
                    process.send_signal(kind)
            psutil.wait_procs(running, timeout=patience)
        self.redis.stop()
        self.postgres.stop()
        return super().stop()


def _children(worker: int) -> list[psutil.Process]:
    return list(psutil.Process(worker).children(recursive=True))


def _alive(processes: Iterable[psutil.Process]) -> int:
    return sum(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def _connections(sandbox: str) -> dict[str, str]:
    """Return connections as environment variables: each worker has its own address of the sandbox."""
    share = {api: RATE[api] / SLOTS[api] for api in RATE}
    made: Mapping[str, Mapping[str, object]] = {
        "stripe": {"password": STRIPE_KEY, "extra": {"rate_limit": share["stripe"]}},
        "moov": {
            "login": MOOV_PUBLIC_KEY,
            "password": MOOV_SECRET_KEY,
            "extra": {"account": MOOV_ACCOUNT, "rate_limit": share["moov"]},
        },
    }
    return {
        f"AIRFLOW_CONN_{api.upper()}_DEFAULT": json.dumps({"conn_type": api, "host": sandbox, **connection})
        for api, connection in made.items()
    }
