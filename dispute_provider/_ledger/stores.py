"""Create files exclusively, so that exactly one writer succeeds: on disk, in memory or on object storage."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from dispute_provider.exceptions import TryAgainError

# Object stores that can create a file only if it does not exist, with the first package version that does so.
_EXCLUSIVE = {
    "s3": ("s3fs", (2024, 12)),
    "s3a": ("s3fs", (2024, 12)),
    "gs": ("gcsfs", (2024, 12)),
    "gcs": ("gcsfs", (2024, 12)),
}
_TRIES = 4
# How file systems refuse a hard link that cannot make any, such as buckets and SMB shares that are mounted.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class LedgerError(TryAgainError):
    """The ledger cannot be read or written, or is the wrong one. Nothing is sent without it."""


def cause_of(error: Exception | None) -> str:
    """Return why a store failed: in the system's words, such as *No space left on device*, or by its type."""
    if isinstance(error, LedgerError):
        return str(error)
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__


class LedgerStore(Protocol):
    """Files by path, each created once and never changed. Methods may raise any error of the store."""

    def create(self, path: str, content: bytes) -> bool:
        """Create a complete file.

        :returns: False if the file already exists.
        """

    def list(self, folder: str) -> dict[str, float]:
        """List all files under a folder: path to creation time, in seconds by the store's clock."""

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Read files: path to content; missing files are omitted."""

    def now(self) -> float:
        """Return the store's current time, in seconds since the epoch."""


class FolderStore:
    """A local folder, or a shared folder that all workers mount.

    A file is written under a temporary name, then hard-linked to its final name. The link appears as a
    complete file, and fails if the name exists. Paths are strings, because ``pathlib`` would double the CPU
    that a file takes.

    :param root: the folder's path.
    """

    def __init__(self, root: str) -> None:
        self._root = str(Path(root))

    def create(self, path: str, content: bytes) -> bool:
        target = f"{self._root}/{path}"
        temporary = self._write(os.path.dirname(target), content)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise LedgerError(
                "[dispute] ledger is on a file system that cannot make hard links. "
                "To do: name a folder on another one, or an s3:// or gs:// bucket"
            ) from error
        finally:
            os.unlink(temporary)
        return True

    def _write(self, folder: str, content: bytes) -> str:
        """Write content to a new file in a folder, through to the disk, and return the file's path."""
        temporary = f"{folder}/.{secrets.token_hex(8)}"
        try:
            number = os.open(temporary, _NEW)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            number = os.open(temporary, _NEW)
        with os.fdopen(number, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(number)
        return temporary

    def list(self, folder: str) -> dict[str, float]:
        found: dict[str, float] = {}
        self._list(folder, found)
        return found

    def _list(self, folder: str, found: dict[str, float]) -> None:
        """Add all files under a folder to ``found``."""
        try:
            entries = os.scandir(f"{self._root}/{folder}")
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    self._list(f"{folder}/{entry.name}", found)
                elif entry.is_file() and not entry.name.startswith("."):
                    found[f"{folder}/{entry.name}"] = entry.stat().st_mtime

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for path in paths:
            with contextlib.suppress(FileNotFoundError), open(f"{self._root}/{path}", "rb") as opened:
                found[path] = opened.read()
        return found

    def now(self) -> float:
        probe = self._write(self._root, b"")
        try:
            return os.stat(probe).st_mtime
        finally:
            os.unlink(probe)


class ObjectStore:
    """A bucket, through an fsspec file system that can create files exclusively.

    :param fs: the file system.
    :param root: the ledger's path in it.
    """

    def __init__(self, fs: Any, root: str) -> None:
        self._fs, self._root = fs, root.rstrip("/")

    def create(self, path: str, content: bytes) -> bool:
        for left in reversed(range(_TRIES)):
            try:
                with self._fs.open(f"{self._root}/{path}", "xb") as opened:
                    opened.write(content)
            except FileExistsError:
                return False
            except OSError as error:
                # S3 answers 409 while another write is in progress; the next attempt shows who was first.
                if not left or ("409" not in str(error) and "Conflict" not in str(error)):
                    raise
            else:
                return True
        raise AssertionError("unreachable")

    def list(self, folder: str) -> dict[str, float]:
        self._fs.invalidate_cache()
        found = self._fs.find(f"{self._root}/{folder}", detail=True)
        start = len(self._root) + 1
        return {path[start:]: _modified(info) for path, info in found.items()}

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        names = {f"{self._root}/{path}": path for path in paths}
        if not names:
            return {}
        # Unlike cat, it takes * ? and [ in a name as themselves.
        found = self._fs.cat_ranges(list(names), None, None, on_error="return")
        contents: dict[str, bytes] = {}
        for path, content in zip(names.values(), found, strict=True):
            if isinstance(content, FileNotFoundError):
                continue
            if isinstance(content, BaseException):
                raise content
            contents[path] = content
        return contents

    def now(self) -> float:
        probe = f"{self._root}/.probe-{secrets.token_hex(8)}"
        self._fs.pipe_file(probe, b"")
        try:
            self._fs.invalidate_cache()
            return _modified(self._fs.info(probe))
        finally:
            self._fs.rm_file(probe)


def _modified(info: dict[str, Any]) -> float:
    moment = info.get("LastModified") or info.get("mtime") or info.get("updated")
    if isinstance(moment, int | float):
        return float(moment)
    if isinstance(moment, str):
        from datetime import datetime

        moment = datetime.fromisoformat(moment)
    if moment is None:
        raise LedgerError("the ledger's store does not report when a file was created")
    return float(moment.timestamp())


class MemoryStore:
    """A store in memory, for tests and simulations.

    :param clock: the store's clock, in seconds; the system's by default.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.files: dict[str, tuple[bytes, float]] = {}
        self._clock = clock

    def create(self, path: str, content: bytes) -> bool:
        entry = (content, self._clock())
        return self.files.setdefault(path, entry) is entry

    def list(self, folder: str) -> dict[str, float]:
        return {path: at for path, (_, at) in self.files.items() if path.startswith(f"{folder}/")}

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self.files[path][0] for path in paths if path in self.files}

    def now(self) -> float:
        return self._clock()


def store_at(address: str) -> LedgerStore:
    """Return the store at an address: a folder, or a bucket on S3 or Google Cloud Storage.

    :raises LedgerError: if the store is not known to create files exclusively.
    """
    protocol, separator, rest = address.partition("://")
    if not separator or protocol == "file":
        folder = rest if separator else address
        if not folder.startswith("/"):
            raise LedgerError(
                f"[dispute] ledger is {address}, which each process would look for in the folder in which it "
                "was started. To do: write its full path, which starts with /"
            )
        return FolderStore(folder)
    if protocol not in _EXCLUSIVE:
        raise LedgerError(
            f"[dispute] ledger does not support {protocol}://, because that store is not known to create "
            "files exclusively. To do: name a folder that all workers share, or an s3:// or gs:// bucket"
        )
    package, floor = _EXCLUSIVE[protocol]
    needed = ".".join(map(str, floor))
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise LedgerError(
            f"[dispute] ledger needs {package} {needed} or newer for {protocol}://, but it is not installed. "
            "To do: install Airflow's provider for that store"
        ) from None
    if tuple(int(part) for part in version.split(".")[:2]) < floor:
        raise LedgerError(
            f"[dispute] ledger needs {package} {needed} or newer; {version} is installed, which overwrites "
            f"existing files. To do: upgrade {package}"
        )
    from airflow.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(address)
        return ObjectStore(path.fs, path.path)
    except ValueError as error:
        raise LedgerError(
            f"[dispute] ledger cannot use {protocol}://: {error}. "
            "To do: install Airflow's provider for that store"
        ) from error
