"""Add a third API to the package, for these tests alone, and run a stand-in for it.

``added/`` holds what a change that adds an API would add; the fixture ``acme_added`` has the two entries.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acme_server import KEY, Acme
from support import Peer

import dispute_provider._apis
import dispute_provider.hooks
from dispute_provider import _registry as registry
from dispute_provider import get_provider_info, schemas

ADDED = Path(__file__).with_name("added")


def _entry() -> dict[str, Any]:
    return {
        "integration": "Acme disputes",
        "external-doc-url": "https://docs.acme.example/cases",
        "operators": [],
        "connection": {
            "connection-type": "acme",
            "hook-class-name": "dispute_provider.hooks.acme.AcmeHook",
            "hook-name": "Acme",
            "conn-fields": {
                "api_version": {"label": "Revision", "schema": {"type": ["string", "null"]}},
                "rate_limit": {"label": "Requests per second", "schema": {"type": ["number", "null"]}},
            },
        },
    }


@pytest.fixture(scope="package", autouse=True)
def acme_added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One contract file, one API module, one hook module and two entries more than the package has."""
    folder = tmp_path_factory.mktemp("schemas")
    for source in (Path(schemas.__file__).parent, ADDED / "schemas"):
        for path in source.iterdir():
            if path.is_file():
                shutil.copy(path, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, schemas.__name__, _package(schemas.__name__, folder))
        for package in (dispute_provider._apis, dispute_provider.hooks):
            room = ADDED / package.__name__.rpartition(".")[2]
            patch.setattr(package, "__path__", [*package.__path__, str(room)])
        patch.setitem(registry.APIS, "acme", "dispute_provider._apis.acme.AcmeApi")
        patch.setattr(get_provider_info, "APIS", [*get_provider_info.APIS, _entry])
        _forget_providers()
        yield
    _forget_providers()


def _package(name: str, folder: Path) -> Any:
    """A package of the files in a folder."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec
    return importlib.util.module_from_spec(spec)


def _forget_providers() -> None:
    """Have Airflow ask its providers again which connections there are."""
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    for manager in (ProvidersManager, ProvidersManagerTaskRuntime):
        if manager._instance is not None:
            manager._instance._cleanup()


@pytest.fixture
def acme() -> Acme:
    """Acme without any case."""
    return Acme()


@pytest.fixture
def acme_connection(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a connection to Acme."""
    with Peer(acme) as peer:
        connection = {"conn_type": "acme", "host": peer.url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(connection))
        yield "acme_default"
