"""Which ledger this is: its id, the mirror in Airflow's asset state store, and addresses that are refused."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from state_stores import StateStore

from dispute_provider._ledger.ledger import Ledger
from dispute_provider._ledger.stores import FolderStore, LedgerError, store_at
from dispute_provider._state.ledger_id import LEDGER, open_ledger


@pytest.fixture
def mirror() -> StateStore:
    return StateStore()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ledger"
    _name(monkeypatch, str(folder))
    return folder


def _name(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", address)


def _open(mirror: Any) -> Ledger:
    context: Any = {"asset_state_store": {LEDGER: mirror}}
    return open_ledger(context)


def _id(folder: Path) -> str:
    return str(json.loads((folder / "ledger.json").read_bytes())["id"])


def test_a_new_ledger_gets_an_id_and_a_mirror(folder: Path, mirror: StateStore) -> None:
    _open(mirror)
    assert mirror == {"id": _id(folder)}
    assert len(_id(folder)) == 32


def test_a_known_ledger_opens_and_stays_as_it_is(folder: Path, mirror: StateStore) -> None:
    _open(mirror)
    before, known = (folder / "ledger.json").read_bytes(), dict(mirror)
    _open(mirror)
    assert (folder / "ledger.json").read_bytes() == before
    assert mirror == known


def test_a_ledger_without_a_mirror_is_adopted(folder: Path, mirror: StateStore) -> None:
    """As by a second deployment, or after Airflow's database was replaced."""
    _open(StateStore())
    _open(mirror)
    assert mirror == {"id": _id(folder)}


def test_a_mirror_without_the_ledger_is_refused(folder: Path, mirror: StateStore) -> None:
    """As on a second machine with a folder of its own, or after a pod was wiped."""
    mirror["id"] = "a" * 32
    with pytest.raises(LedgerError, match=r"no ledger\.json, but earlier tasks had one\. To do: set"):
        _open(mirror)
    assert not (folder / "ledger.json").exists(), "a new one would be taken for the old one by the next task"
    assert mirror == {"id": "a" * 32}


class Overtaken(StateStore):
    """A mirror at which another worker opens its own ledger while this one opens its.

    :param call: before which of this worker's calls, from 1: two readings, the write, a third reading.
    """

    def __init__(self, call: int, another: Callable[[Any], object]) -> None:
        super().__init__()
        self._left, self._another = call, another

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self._another(self)

    def get(self, key: str, default: Any = None) -> Any:
        self._count()
        return super().get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._count()
        super().set(key, value, retention=retention)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_of_two_workers_that_start_at_once_with_a_ledger_each_one_goes_on(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opens(folder: str, mirror: Any) -> bool:
        with monkeypatch.context() as patch:
            _name(patch, str(tmp_path / folder))
            try:
                _open(mirror)
            except LedgerError:
                return False
            return True

    others: list[bool] = []
    mirror = Overtaken(call, lambda mirror: others.append(opens("other", mirror)))
    first = [opens("one", mirror), *others]
    # The state store has no lock: both go on if one writes just before the other does, and then only once.
    assert sum(first) == (2 if call == 3 else 1)
    assert sum([opens("one", mirror), opens("other", mirror)]) == 1


def test_another_ledger_is_refused(folder: Path, mirror: StateStore) -> None:
    _open(StateStore())
    mirror["id"] = "a" * 32
    with pytest.raises(
        LedgerError, match=r"not the ledger that earlier tasks used: its id differs\. To do: "
    ):
        _open(mirror)
    assert mirror == {"id": "a" * 32}


@pytest.mark.parametrize("known", [{}, {"id": "a" * 32}], ids=["no mirror", "a mirror"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'"id"', b"null", b'{"id": null}', b'{"id": ""}', b'{"id": 5}', b"\xff"],
)
def test_a_damaged_file_is_refused(
    folder: Path, mirror: StateStore, known: dict[str, str], content: bytes
) -> None:
    folder.mkdir()
    (folder / "ledger.json").write_bytes(content)
    mirror.update(known)
    with pytest.raises(LedgerError, match=r"ledger\.json was edited or is damaged\. To do: "):
        _open(mirror)
    assert mirror == known
    assert (folder / "ledger.json").read_bytes() == content


def test_workers_that_open_a_new_ledger_at_once_agree(folder: Path) -> None:
    """Each has its own view of the mirror, the latest value winning."""
    gun, mirror = threading.Barrier(20), StateStore()

    def run(_: int) -> None:
        gun.wait()
        _open(mirror)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(run, range(20)))
    assert mirror == {"id": _id(folder)}


def test_a_state_store_that_fails_is_no_missing_mirror(folder: Path) -> None:
    class Down:
        def get(self, key: str) -> Any:
            raise ConnectionError("api server")

    with pytest.raises(LedgerError, match="the ledger cannot be opened: ConnectionError"):
        _open(Down())
    assert not (folder / "ledger.json").exists()


def test_a_ledger_that_cannot_be_read_is_refused(folder: Path, mirror: StateStore) -> None:
    folder.mkdir()
    (folder / "ledger.json").mkdir()
    with pytest.raises(LedgerError, match="the ledger cannot be opened: Is a directory"):
        _open(mirror)


def test_the_default_is_a_folder_in_airflow_s_home(
    tmp_path: Path, mirror: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW__DISPUTE__LEDGER", raising=False)
    _open(mirror)
    assert mirror == {"id": _id(tmp_path / "dispute_ledger")}


@pytest.mark.parametrize("address", ["/{}", "file:///{}"])
def test_a_folder_is_named_by_its_path_or_as_a_file(address: str, tmp_path: Path) -> None:
    store = store_at(address.format(str(tmp_path).lstrip("/")))
    assert isinstance(store, FolderStore)
    assert store.create("test/1", b"here")
    assert (tmp_path / "test" / "1").read_bytes() == b"here"


@pytest.mark.parametrize("address", ["ledger", "./ledger", "~ana", "file:ledger", "file://localhost/ledger"])
def test_a_folder_that_each_process_looks_for_elsewhere_is_refused(address: str) -> None:
    # Two deployments with this in their configuration have two ledgers, and would both send.
    with pytest.raises(LedgerError, match=rf"ledger is {address}, which each .*To do: write its full path"):
        store_at(address)


@pytest.mark.parametrize(
    "address", ["abfs://container/x", "memory://x", "http://host/x", "ftp://host/x", "hdfs://x/y"]
)
def test_a_store_that_is_not_known_to_lock_is_refused(
    address: str, mirror: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _name(monkeypatch, address)
    protocol = address.partition("://")[0]
    with pytest.raises(LedgerError, match=f"does not support {protocol}://.*To do: name a folder"):
        _open(mirror)
    assert not mirror


@pytest.mark.parametrize(
    ("address", "package"),
    [("s3://b/x", "s3fs"), ("s3a://b/x", "s3fs"), ("gs://b/x", "gcsfs"), ("gcs://b/x", "gcsfs")],
)
@pytest.mark.parametrize("version", ["2024.6.1", "2024.10.0", "2023.12.2", "0.6.0"])
def test_a_client_that_overwrites_is_refused(
    address: str, package: str, version: str, mirror: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _name(monkeypatch, address)
    monkeypatch.setattr(metadata, "version", lambda name: version if name == package else "0")
    with pytest.raises(
        LedgerError,
        match=rf"needs {package} 2024\.12 or newer.*{re.escape(version)} is.*To do: upgrade {package}",
    ):
        _open(mirror)


def test_a_client_that_is_not_installed_is_asked_for(
    mirror: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _name(monkeypatch, "gs://bucket/ledger")
    with pytest.raises(
        LedgerError,
        match=r"needs gcsfs 2024\.12 or newer for gs://, but it is not installed\. To do: install",
    ):
        _open(mirror)


def test_a_store_that_airflow_does_not_know_is_asked_for(
    mirror: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _name(monkeypatch, "gs://bucket/ledger")
    monkeypatch.setattr(metadata, "version", lambda name: "2026.9.0")
    with pytest.raises(
        LedgerError, match=r"cannot use gs://: No filesystem.*To do: install Airflow's provider"
    ):
        _open(mirror)
