"""The store of the ledger in a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dispute_provider._ledger.stores import FolderStore, LedgerError, cause_of


def test_a_folder_that_does_not_exist_has_no_files(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path / "ledger"))
    assert store.list("test/stripe/du_1") == {}
    assert store.read(["test/stripe/du_1/1/1"]) == {}


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    store.create("test/stripe", b"a file where a folder must be")
    with pytest.raises(NotADirectoryError):
        store.list("test/stripe/du_1")


def test_files_are_listed_with_their_times_and_without_temporary_ones(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    for path in ("test/stripe/du_1/1/1", "test/stripe/du_1/2/1"):
        assert store.create(path, path.encode())
        os.utime(tmp_path / path, (0, 1_700_000_000))
    (tmp_path / "test/stripe/du_1/2/.0123").touch()
    assert store.list("test/stripe/du_1") == {
        "test/stripe/du_1/1/1": 1_700_000_000,
        "test/stripe/du_1/2/1": 1_700_000_000,
    }


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    assert store.create("test/stripe/du_1/1/1", b"first")
    assert not store.create("test/stripe/du_1/1/1", b"second")
    assert store.read(["test/stripe/du_1/1/1"]) == {"test/stripe/du_1/1/1": b"first"}
    assert len(list((tmp_path / "test/stripe/du_1/1").iterdir())) == 1


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_hard_links_is_named_with_the_cure(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(LedgerError, match=r"cannot make hard links\. To do: name a folder on another one"):
        FolderStore(str(tmp_path)).create("test/stripe/du_1/1/1", b"first")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_store_that_fails_is_told_in_the_system_s_words() -> None:
    assert cause_of(OSError(errno.ENOSPC, "/mnt/Jane Roe")) == "No space left on device"
    assert cause_of(PermissionError(errno.EACCES, "/mnt/Jane Roe")) == "Permission denied"
    assert cause_of(ConnectionError("Jane Roe")) == "ConnectionError"
    assert cause_of(ValueError("Jane Roe")) == "ValueError"
