"""Run PostgreSQL and Redis on loopback, with passwords, in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types of its own
import psycopg

from tests.harness.processes import free_port, is_free
from tests.harness.progress import DemoError

_PACKAGES = "apt-get install -y --no-install-recommends postgresql redis-server"
# PostgreSQL refuses to run as root; Debian's package makes this user for it.
_POSTGRES_USER = "postgres"
_CLUSTER = ("--encoding=UTF8", "--locale=C", "--no-instructions")
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


def program(name: str) -> str:
    """The path of a program of PostgreSQL or Redis.

    :raises DemoError: if it is not installed.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda found: found.parts[-3:])
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    if found is None:
        raise DemoError(f"{name} is missing; on Debian: {_PACKAGES}")
    return found


class _Service:
    """One process, in its own session."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self._name = name
        self.folder = folder
        self._log = folder / f"{name}.log"
        self.port = free_port(port)
        self.password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def tree(self) -> list[psutil.Process]:
        """The process and its children."""
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        return []

    def _launch(self, command: list[str], user: str | None, given: bytes = b"") -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # a program of the distribution, our own arguments
                command,
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(given)
        self._process.stdin.close()

    def _wait(self) -> None:
        ends = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > ends:
                raise DemoError(f"{self._name} did not start", self._log.read_text(errors="replace"))
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        return not is_free(self.port)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> None:
        """Stop the service in order, so that it leaves nothing in shared memory."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(kind)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)


class Postgres(_Service):
    """A new PostgreSQL cluster.

    :param folder: empty; PostgreSQL's user must be able to enter its parents.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("postgres", folder, 15432)
        self._user = _POSTGRES_USER if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://airflow:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def _dsn(self) -> str:
        return self.url.replace("+psycopg", "", 1)

    def start(self) -> None:
        """Create the cluster and start it.

        :raises DemoError: if PostgreSQL is not installed or does not start.
        """
        initdb, postgres = program("initdb"), program("postgres")
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        if self._user:
            try:
                known = pwd.getpwnam(self._user)
            except KeyError:
                raise DemoError(f"PostgreSQL refuses root, and there is no user {self._user}") from None
            for path in (self.folder, password):
                os.chown(path, known.pw_uid, known.pw_gid)
        data = str(self.folder / "data")
        made = subprocess.run(  # a program of the distribution, our own arguments
            [initdb, "-D", data, "-U", "airflow", "-A", "scram-sha-256", *_CLUSTER, f"--pwfile={password}"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        if made.returncode:
            raise DemoError("PostgreSQL could not create its cluster", made.stdout + made.stderr)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._launch([postgres, "-D", data, *options], self._user)
        self._wait()

    def _is_ready(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self._dsn).close()
            return True
        return False

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self._dsn, autocommit=True)

    def stop(self, kind: signal.Signals = signal.SIGINT) -> None:
        """Disconnect all clients and stop."""
        super().stop(kind)


class Redis(_Service):
    """A Redis broker that writes nothing to disk.

    :param folder: its working folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("redis-server", folder, 16379)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start Redis.

        :raises DemoError: if it is not installed or does not start.
        """
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "save": '""',
            "dir": str(self.folder),
        }
        given = "".join(f"{name} {value}\n" for name, value in settings.items())
        # Settings go to its standard input: other users could read the password on a command line.
        self._launch([program("redis-server"), "-"], None, given.encode())
        self._wait()
