"""Airflow as processes of our own: on loopback only, in a folder of its own, and gone without a trace."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types of its own

from tests.harness.progress import DemoError, Progress

# `airflow standalone` would also open two log servers to the whole network, on fixed ports.
_COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
# A part that has waited for SQLite in vain ends; but for the API server, in which nothing else goes on
# meanwhile, not even what SQLite waits for.
_SQLITE_SECONDS = {"api-server": 2}
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_CHILD_SUBREAPER = 36
_TAIL = 25


def end_cleanly() -> None:
    """Have whoever tells us to end, in whatever way, raise KeyboardInterrupt as Ctrl-C does."""
    for kind in _ENDS:
        signal.signal(kind, _interrupt)


def _interrupt(*_: object) -> None:
    """End once; being asked again must not keep the end from being a clean one."""
    for kind in _ENDS:
        signal.signal(kind, signal.SIG_IGN)
    raise KeyboardInterrupt


def free_port(wanted: int) -> int:
    """The wanted port of the loopback interface if nobody listens there, else any free one."""
    return wanted if is_free(wanted) else _bind(0)


def is_free(port: int) -> bool:
    try:
        _bind(port)
    except OSError:
        return False
    return True


def _bind(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


class Airflow:
    """An Airflow with users of its own: ``ana`` reviews, ``vic`` only looks, ``admin`` may everything.

    :param home: its folder; made anew.
    :param dags: the only folder that DAGs are read from.
    :param settings: environment variables besides its own.
    """

    def __init__(self, home: Path, port: int, dags: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.passwords = {name: secrets.token_hex(4) for name in ("ana", "vic", "admin")}
        self._logs = home / "logs" / "processes"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: set[int] = set()
        passwords = home / "passwords.json"
        own = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # More at a time lock SQLite.
            "AIRFLOW__CORE__PARALLELISM": "3",
            # So long it may take until the end of a task is noticed; till then an answer to it fails it.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ana:user,vic:viewer,admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__INSTANCE_NAME": "Disputes · demo",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONUNBUFFERED": "1",
        }
        # What the caller has set for an Airflow of their own stays out of this one.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self._environment = {**inherited, **own, **settings}
        self._logs.mkdir(parents=True)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps(self.passwords) + "\n")

    def start(self, progress: Progress) -> None:
        """Make the database and start all parts; they are not ready yet.

        :raises DemoError: if the database cannot be made.
        """
        adopt_orphans()
        _started.append(self)
        database = self._run("db-migrate", ["db", "migrate"])
        while database.poll() is None:
            progress.wait("Airflow makes its database")
        if database.returncode:
            raise DemoError("Airflow could not make its database", self.tail())
        for name, arguments in _COMPONENTS.items():
            self._processes[name] = self._run(name, arguments)

    def _run(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        database = f"sqlite:///{self.home}/airflow.db?timeout={_SQLITE_SECONDS.get(name, 60)}"
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # our own interpreter and arguments
                [sys.executable, "-m", "airflow", *arguments],
                env={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C goes to the terminal's whole group; this one is stopped by us, in order.
                start_new_session=True,
            )
        self._sessions.add(process.pid)
        return process

    def check(self) -> None:
        """Notice a part that has ended by itself.

        :raises DemoError: if one has.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise DemoError(f"Airflow's {name} ended by itself ({process.returncode})", self.tail(name))

    def log(self, name: str) -> list[str]:
        """The lines of one part's log so far."""
        return (self._logs / f"{name}.log").read_text(errors="replace").splitlines()

    def tail(self, name: str | None = None) -> str:
        """The last lines of one part's log, or of all, and the errors of tasks."""
        logs = [self._logs / f"{name}.log"] if name else sorted(self._logs.glob("*.log"))
        tails = [(log, self.log(log.stem)[-_TAIL:]) for log in logs]
        tails += [(log, _errors(log)) for log in sorted((self.home / "logs").glob("dag_id=*/**/*.log"))]
        return "\n".join(f"--- {log}\n" + "\n".join(lines) for log, lines in tails if lines)

    def stop(self) -> list[str]:
        """End everything that was started, children of children too; returns what could not be ended."""
        for kind, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            running = self._running()
            for process in running:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(kind)
            psutil.wait_procs(running, timeout=patience)
            if not self._running():
                break
        left = [f"process {process.pid} {process.name()}" for process in self._running()]
        if self in _started:
            _started.remove(self)
        return left if is_free(self.port) else [*left, f"port {self.port}"]

    def _running(self) -> list[psutil.Process]:
        """All children, and children of children, but for those of another Airflow that runs beside it."""
        others = {session for other in _started if other is not self for session in other._sessions}
        return [each for each in psutil.Process().children(recursive=True) if not _is_of(each, others)]


_started: list[Airflow] = []
"""All that run, in the order in which they were started."""


def _is_of(process: psutil.Process, sessions: set[int]) -> bool:
    """Return whether a process, or one that it comes from, belongs to one of some sessions."""
    try:
        return any(os.getsid(each.pid) in sessions for each in (process, *process.parents()))
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def _errors(log: Path) -> list[str]:
    """What went wrong in a task, from its log."""
    entries = [json.loads(line) for line in log.read_text(errors="replace").splitlines() if line[:1] == "{"]
    return [
        " ".join([entry["event"], *(each["exc_value"] for each in entry.get("error_detail") or [])])
        for entry in entries
        if entry.get("level") in ("error", "critical")
    ]


def adopt_orphans() -> None:
    """Have Linux hand us the children of parts that end before them, so that they are found and ended too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
