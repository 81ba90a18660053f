"""Run Airflow's processes on loopback, in their own folder, and stop all of them."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types of its own

from tests.harness.progress import DemoError, Progress

# `airflow standalone` would also open two log servers on all network interfaces, on fixed ports.
_COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
# How long each component waits for SQLite's lock. A component whose wait fails exits, except the API server,
# which blocks while it waits, even for requests that would free the lock.
_SQLITE_SECONDS = {"api-server": 2}
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_CHILD_SUBREAPER = 36
_TAIL = 25


def end_cleanly() -> None:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP too, as on Ctrl-C."""
    for kind in _ENDS:
        signal.signal(kind, _interrupt)


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt once; further signals must not interrupt the clean-up."""
    for kind in _ENDS:
        signal.signal(kind, signal.SIG_IGN)
    raise KeyboardInterrupt


def free_port(wanted: int) -> int:
    """Return the first free port of the loopback interface from the wanted one on.

    It is kept for this process until that ends: another one that starts at the same time gets another port,
    although nobody listens yet.
    """
    return next(port for port in range(wanted, 65_536) if is_free(port) and _is_kept(port))


def _is_kept(port: int) -> bool:
    """Keep a port until this process ends; return whether no other process or caller keeps it."""
    name = Path(tempfile.gettempdir(), f"dispute-provider-port-{port}")
    try:
        lock = os.open(name, os.O_CREAT | os.O_RDWR, 0o666)
    except PermissionError:
        # Another user's.
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Airflow:
    """An Airflow with three users: ``ana`` reviews, ``vic`` only views, ``admin`` has all permissions.

    :param home: AIRFLOW_HOME; must not exist yet.
    :param dags: the only folder that DAGs are read from.
    :param settings: further environment variables; they override those set here.
    """

    def __init__(self, home: Path, port: int, dags: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.passwords = {name: secrets.token_hex(4) for name in ("ana", "vic", "admin")}
        self._logs = home / "logs" / "processes"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: set[int] = set()
        self._before: set[psutil.Process] = set()
        passwords = home / "passwords.json"
        own = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # More tasks at a time lock SQLite.
            "AIRFLOW__CORE__PARALLELISM": "3",
            # A task's end may be noticed this late; until then, an answer to its review fails it.
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
        # Drop the caller's settings for another Airflow.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self._environment = {**inherited, **own, **settings}
        self._logs.mkdir(parents=True)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps(self.passwords) + "\n")

    def start(self, progress: Progress) -> None:
        """Create the database and start all components; they are not ready yet.

        :raises DemoError: if the database cannot be created.
        """
        adopt_orphans()
        _started.append(self)
        self._before.update(psutil.Process().children())
        database = self._run("db-migrate", ["db", "migrate"])
        while database.poll() is None:
            progress.wait("Airflow creates its database")
        if database.returncode:
            raise DemoError("Airflow could not create its database", self.tail())
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
                # Ctrl-C reaches the terminal's whole group; stop() ends this process in order.
                start_new_session=True,
            )
        self._sessions.add(process.pid)
        return process

    def check(self) -> None:
        """Check that all components are running.

        :raises DemoError: if one has exited.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise DemoError(f"Airflow's {name} has exited ({process.returncode})", self.tail(name))

    def log(self, name: str) -> list[str]:
        """Return the lines of one component's log so far."""
        return (self._logs / f"{name}.log").read_text(errors="replace").splitlines()

    def tail(self, name: str | None = None) -> str:
        """Return the last lines of one component's log, or of all logs, and the errors of tasks."""
        logs = [self._logs / f"{name}.log"] if name else sorted(self._logs.glob("*.log"))
        tails = [(log, self.log(log.stem)[-_TAIL:]) for log in logs]
        tails += [(log, _errors(log)) for log in sorted((self.home / "logs").glob("dag_id=*/**/*.log"))]
        return "\n".join(f"--- {log}\n" + "\n".join(lines) for log, lines in tails if lines)

    def stop(self) -> list[str]:
        """End all processes, descendants included; return those that did not end."""
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
        """Return all descendants, but none of another Airflow or of what ran before, such as a browser."""
        others = {session for other in _started if other is not self for session in other._sessions}
        descendants = psutil.Process().children(recursive=True)
        return [
            each
            for each in descendants
            if not _is_of(each, others) and self._before.isdisjoint((each, *_ancestors(each)))
        ]


_started: list[Airflow] = []
"""Running instances, in the order in which they were started."""


def _is_of(process: psutil.Process, sessions: set[int]) -> bool:
    """Return whether a process or one of its ancestors belongs to one of some sessions."""
    try:
        return any(os.getsid(each.pid) in sessions for each in (process, *_ancestors(process)))
    except ProcessLookupError:
        return False


def _ancestors(process: psutil.Process) -> list[psutil.Process]:
    """Return the ancestors of a process; none if it has ended."""
    try:
        return list(process.parents())
    except psutil.NoSuchProcess:
        return []


def _errors(log: Path) -> list[str]:
    """Return the errors in a task's log."""
    entries = [json.loads(line) for line in log.read_text(errors="replace").splitlines() if line[:1] == "{"]
    return [
        " ".join([entry["event"], *(each["exc_value"] for each in entry.get("error_detail") or [])])
        for entry in entries
        if entry.get("level") in ("error", "critical")
    ]


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that stop() finds and ends them too (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
