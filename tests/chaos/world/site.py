"""Set up a process of the campaign: a configured Airflow, connections, documents, the sandbox."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.world.names import SECOND_STRIPE_KEY
from tests.harness.documents import letter, picture

if TYPE_CHECKING:
    from dispute_provider.sandbox._state import World
    from tests.chaos.world.wire import Wire

_DOCUMENTS = {
    "a.pdf": letter("Receipt", "One kettle."),
    "b.pdf": letter("Receipt", "Another kettle."),
    "c.jpg": picture("doorstep.jpg"),
}


def configure() -> Path:
    """Point Airflow to a home of its own, before it is imported. Returns the documents' folder."""
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder = home / "documents"
    folder.mkdir()
    (home / "no cases").mkdir()
    for name, content in _DOCUMENTS.items():
        (folder / name).write_bytes(content)
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
        "AIRFLOW__DISPUTE__CASE_ROOTS": f"{folder},{home / 'no cases'}",
        "AIRFLOW__DISPUTE__ALLOW_ANONYMOUS": "False",
        "AIRFLOW__DISPUTE__RECEIPTS": "",
    }
    return folder


def _keep_connections(names: list[str]) -> dict[str, Any]:
    """Read each connection once: looking one up takes longer than a request."""
    from airflow.sdk import BaseHook

    kept = {name: BaseHook.get_connection(name) for name in names}
    BaseHook.get_connection = staticmethod(kept.__getitem__)  # type: ignore[method-assign,assignment]
    return kept


def _keep_inspections() -> None:
    """Look into each document and draw it once: starting a process for it takes longer than an episode."""
    from dispute_provider._documents import Renderer

    with Renderer() as renderer:
        kept = {content: renderer.inspect(content) for content in _DOCUMENTS.values()}
        drawn = {content: renderer.draw(content, 1) for content in kept}
    Renderer.inspect = lambda self, content, *digest: kept[content]  # type: ignore[method-assign]
    Renderer.draw = lambda self, content, *page: drawn[content]  # type: ignore[method-assign]


def _keep_settings() -> None:
    """Look each option up once for each of its values, and do not ask which proxies the machine has."""
    from dispute_provider._apis import connection
    from dispute_provider._config import Option
    from dispute_provider._tasks import batch
    from dispute_provider._transport import network

    original, kept = Option._text, dict[tuple[str, str | None], str]()

    def text(self: Option) -> str:
        key = self.name, os.environ.get(f"AIRFLOW__DISPUTE__{self.name.upper()}")
        if key not in kept:
            kept[key] = original(self)
        return kept[key]

    Option._text = text  # type: ignore[method-assign]
    network.getproxies_environment = dict
    connection._known_extras = cache(connection._known_extras)
    # A task has six records at most: three disputes, each with two cases.
    batch.CONCURRENT = 6


class Site:
    """Made once; every episode gets a new world."""

    def __init__(self, folder: Path) -> None:
        from dispute_provider import sandbox
        from dispute_provider.sandbox._app import SandboxApp
        from tests.chaos.world import airflow, clock, faults, ledgers, stores, worker
        from tests.chaos.world.wire import Wire

        logging.disable(logging.CRITICAL)
        self.folder = str(folder)
        self.empty_folder = str(folder.parent / "no cases")
        self._receipts = self._evidence = Path()
        # Every process of the campaign is a copy of the one that has made this, and has folders of its own.
        self._process = 0
        host = {"host": "http://127.0.0.1:1"}
        moov = {
            "conn_type": "moov",
            "login": sandbox.MOOV_PUBLIC_KEY,
            "password": sandbox.MOOV_SECRET_KEY,
            **host,
        }
        connections: dict[str, dict[str, Any]] = {
            "stripe_default": {"conn_type": "stripe", "password": sandbox.STRIPE_KEY, **host},
            "moov_default": {**moov, "extra": {"account": sandbox.MOOV_ACCOUNT}},
            "moov_token": {**moov, "extra": {"account": sandbox.MOOV_ACCOUNT, "auth": "oauth2"}},
        }
        # Others of the same accounts, with a key of their own where the API has several.
        connections["stripe_second"] = {"conn_type": "stripe", "password": SECOND_STRIPE_KEY, **host}
        connections["moov_second"] = connections["moov_default"]
        for name, connection in connections.items():
            os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
        self.connections = _keep_connections(list(connections))
        _keep_inspections()
        _keep_settings()
        clock.install()
        airflow.install()
        worker.install()
        ledgers.install()
        stores.install()
        faults.install()
        self._application = SandboxApp()
        self.wire: Wire = Wire(self._application)
        self.wire.install()

    def take_receipts(self) -> list[dict[str, Any]]:
        """The receipts of the episode that has ended; the next one finds none."""
        found = sorted(self._receipts.rglob("*.json"))
        receipts = [json.loads(path.read_text()) for path in found]
        for path in found:
            path.unlink()
        return receipts

    def new_world(self) -> World:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._receipts = Path(tempfile.mkdtemp(prefix="receipts-", dir=Path(self.folder).parent))
            os.environ["AIRFLOW__DISPUTE__RECEIPTS"] = str(self._receipts)
            self._evidence = Path(tempfile.mkdtemp(prefix="evidence-", dir=Path(self.folder).parent))
        self.take_receipts()
        # A document that an earlier episode has stored would not be stored again.
        shutil.rmtree(self._evidence)
        self._evidence.mkdir()
        os.environ["AIRFLOW__DISPUTE__EVIDENCE_STORE"] = str(self._evidence)
        from dispute_provider.sandbox._state import World

        self._application.control.world = World()
        return self._application.control.world
