"""Test the evidence store: it returns only the bytes that belong to a sha256."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from state_stores import StateStore
from support import memory_store

from dispute_provider._state import evidence_store
from dispute_provider._state.ledger_id import LEDGER

_NAME = "AIRFLOW__DISPUTE__EVIDENCE_STORE"


@pytest.fixture(params=["path", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = {
        "path": str(tmp_path / "store"),
        "file": f"file://{tmp_path}/store",
        "memory": memory_store(f"{tmp_path.name}/store"),
    }
    monkeypatch.setenv(_NAME, folder[request.param])
    return folder[request.param]


def test_a_document_is_stored_under_its_digest(store: str) -> None:
    sha256 = evidence_store.put(b"receipt")
    assert sha256 == hashlib.sha256(b"receipt").hexdigest()
    assert evidence_store.put(b"receipt") == sha256
    assert evidence_store.get(sha256) == b"receipt"
    assert evidence_store.get(hashlib.sha256(b"another").hexdigest()) is None


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of its own, and no other evidence store."""
    monkeypatch.delenv(_NAME, raising=False)
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "ledger"))
    return tmp_path / "ledger"


def context(mirror: StateStore) -> Any:
    return {"asset_state_store": {LEDGER: mirror}}


@pytest.mark.parametrize("address", ["{}", "{}/", "file://{}"])
def test_the_default_is_a_folder_of_the_ledger(
    address: str, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", address.format(ledger))
    sha256 = evidence_store.put(b"receipt")
    assert (ledger / "evidence" / sha256[:2] / sha256).read_bytes() == b"receipt"
    assert evidence_store.get(sha256) == b"receipt"


def test_without_a_ledger_either_it_is_in_airflow_s_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (_NAME, "AIRFLOW__DISPUTE__LEDGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    sha256 = evidence_store.put(b"receipt")
    assert (tmp_path / "dispute_ledger" / "evidence" / sha256[:2] / sha256).is_file()


def test_the_default_is_refused_where_the_ledger_is_another(ledger: Path) -> None:
    mirror = StateStore()
    mirror["id"] = "a" * 32
    evidence_store.check(context(mirror))
    for use in (lambda: evidence_store.put(b"receipt"), lambda: evidence_store.get("0" * 64)):
        with pytest.raises(evidence_store.EvidenceStoreError, match=r"the ledger is missing.*To do: set"):
            use()
    assert not ledger.exists(), "nothing is stored where no other worker finds it"
    # Once its folder is mounted, the same process goes on.
    ledger.mkdir()
    (ledger / "ledger.json").write_text('{"id": "' + "a" * 32 + '"}')
    evidence_store.check(context(mirror))
    assert evidence_store.put(b"receipt")


def test_a_store_of_its_own_needs_no_ledger(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_NAME, str(tmp_path / "store"))
    mirror = StateStore()
    mirror["id"] = "a" * 32
    evidence_store.check(context(mirror))
    assert evidence_store.get(evidence_store.put(b"receipt")) == b"receipt"
    assert not ledger.exists()


def test_two_deployments_with_one_ledger_share_the_store(ledger: Path) -> None:
    evidence_store.check(context(StateStore()))
    sha256 = evidence_store.put(b"receipt")
    evidence_store.check(context(StateStore()))
    assert evidence_store.get(sha256) == b"receipt"


@pytest.mark.parametrize(
    "name",
    ["", "..", "../../etc/passwd", "0" * 63, "0" * 65, "A" * 64, "0" * 62 + "/.", "0" * 64 + "\n", "٠" * 64],
)
def test_a_name_that_is_not_a_digest_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_NAME, str(tmp_path))
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        evidence_store.get(name)


@settings(max_examples=50)
@given(name=st.text(max_size=80))
def test_no_name_reads_outside_the_store(name: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        evidence_store.get(name)


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_NAME, str(tmp_path))
    sha256 = evidence_store.put(b"receipt") or ""
    (tmp_path / sha256[:2] / sha256).write_bytes(b"forged")
    with pytest.raises(evidence_store.EvidenceStoreError, match="has changed"):
        evidence_store.get(sha256)


def test_a_stored_document_is_never_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_NAME, str(tmp_path))
    file = tmp_path / (sha256 := evidence_store.put(b"receipt") or "")[:2] / sha256
    before = file.stat()
    evidence_store.put(b"receipt")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_old_document_that_is_used_again_is_not_removed_as_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_NAME, str(tmp_path))
    file = tmp_path / (sha256 := evidence_store.put(b"terms"))[:2] / sha256
    os.utime(file, (0, 0))
    evidence_store.put(b"terms")
    assert time.time() - file.stat().st_mtime < 3600
    assert evidence_store.get(sha256) == b"terms"


def test_concurrent_writers_of_one_document_leave_one_complete_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_NAME, str(tmp_path))
    content = bytes(1_000_000)
    writers = [threading.Thread(target=evidence_store.put, args=(content,)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    sha256 = hashlib.sha256(content).hexdigest()
    assert evidence_store.get(sha256) == content
    assert [file.name for file in (tmp_path / sha256[:2]).iterdir()] == [sha256]


def test_a_store_that_cannot_be_written_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").write_text("a file where a folder should be")
    monkeypatch.setenv(_NAME, str(tmp_path / "store"))
    with pytest.raises(evidence_store.EvidenceStoreError, match="cannot be written"):
        evidence_store.put(b"receipt")
