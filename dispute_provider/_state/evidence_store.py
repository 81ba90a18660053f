"""Store documents and lists of records under the sha256 of their bytes.

Workers write them. Later tasks and the *Evidence* tab read them. The store is ``[dispute] evidence_store``,
or the folder ``evidence`` of the ledger, which is then checked as the ledger is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dispute_provider import _config as config
from dispute_provider._ledger.stores import LedgerError, cause_of
from dispute_provider.exceptions import TryAgainError

if TYPE_CHECKING:
    from airflow.sdk import Context

_CHUNK = 1 << 20
# A file that is used again is written again after this time, as files are removed by their age.
_FRESH_SECONDS = 30 * 86_400
_FOLDER = "evidence"
# Why the folder of a ledger must not be used in this process, by its address; see check.
_refused: dict[str, str] = {}
SHA256 = re.compile(r"[0-9a-f]{64}")


class EvidenceStoreError(TryAgainError):
    """The evidence store cannot be used, or a file in it has changed."""


def is_in_ledger() -> bool:
    """Return whether the evidence store is the folder of the ledger, because no other is set."""
    return not config.evidence_store()


def remedy(task: str) -> str:
    """Return what to do about a file that is not in the store.

    :param task: the task that stored it.
    """
    option = "ledger" if is_in_ledger() else "evidence_store"
    return f"to do: clear {task}; workers that share no disk need a [dispute] {option} that they share"


def check(context: Context) -> None:
    """Check the ledger if the evidence store is its folder; call this in tasks that do not open the ledger.

    If it is not the ledger that earlier tasks used, each use of the store in this process raises an error. A
    task that can go on without the store does so.
    """
    from dispute_provider._state.ledger_id import open_ledger

    if not is_in_ledger():
        return
    folder = _address()
    _refused.pop(folder, None)
    try:
        open_ledger(context)
    except LedgerError as error:
        _refused[folder] = f"the evidence store is a folder of the ledger, and {error}"


def put(content: bytes, sha256: str | None = None) -> str:
    """Store a document, unless the store already has it and it is not old.

    :param sha256: of the document; None, the default, to find it.
    :returns: the document's sha256.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    """
    sha256 = sha256 or hashlib.sha256(content).hexdigest()
    _put(sha256, lambda opened: opened.write(content))
    return sha256


def put_file(file: IO[bytes], sha256: str) -> None:
    """Store a file from its current position to its end, in chunks, unless the store already has it.

    :param sha256: the sha256 of that content.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    """

    _put(sha256, lambda opened: shutil.copyfileobj(file, opened, _CHUNK))


def remember(key: str, content: bytes) -> None:
    """Store a small file under a key that is not the digest of its content.

    :param key: 64 hexadecimal digits.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    """
    _put(key, lambda opened: opened.write(content))


def recall(key: str) -> bytes | None:
    """Return a file that was stored under a key; None if there is none.

    :raises EvidenceStoreError: if the evidence store cannot be read.
    """
    place = _place(key)
    try:
        content = place.read()
    except FileNotFoundError:
        return None
    except Exception as error:  # stores raise errors of many types
        raise _unreadable(error) from error
    return content


def _put(sha256: str, write: Callable[[IO[bytes]], object]) -> None:
    place = _place(sha256)
    try:
        if not place.is_fresh():
            # Write under a temporary name, so that a killed writer leaves no partial document.
            place.move_here(place.written_beside(write))
    except Exception as error:  # stores raise errors of many types
        raise EvidenceStoreError(f"[dispute] evidence_store cannot be written: {cause_of(error)}") from error


def get(sha256: str) -> bytes | None:
    """Load a document.

    :returns: its bytes; None if the store does not have the document.
    :raises ValueError: if ``sha256`` is not 64 hexadecimal digits.
    :raises EvidenceStoreError: if the evidence store cannot be read, or the file's bytes have changed.
    """
    if (content := recall(sha256)) is not None:
        _check(hashlib.sha256(content), sha256)
    return content


def fetch(sha256: str, into: IO[bytes]) -> bool:
    """Copy a document into an open file, in chunks.

    :returns: False if the store does not have the document.
    :raises EvidenceStoreError: if the evidence store cannot be read, or the file's bytes have changed. The
        copied bytes must not be used then.
    """
    place = _place(sha256)
    found = hashlib.sha256()
    try:
        with place.opened() as opened:
            while chunk := opened.read(_CHUNK):
                found.update(chunk)
                into.write(chunk)
    except FileNotFoundError:
        return False
    except Exception as error:  # stores raise errors of many types
        raise _unreadable(error) from error
    _check(found, sha256)
    return True


def _check(found: hashlib._Hash, sha256: str) -> None:
    from dispute_provider._evidence.snapshot import short_digest

    if found.hexdigest() != sha256:
        raise EvidenceStoreError(
            f"the file {short_digest(sha256)} in the evidence store has changed. "
            "To do: delete it, then stage again"
        )


def _unreadable(error: Exception) -> EvidenceStoreError:
    return EvidenceStoreError(f"[dispute] evidence_store cannot be read: {cause_of(error)}")


def _address() -> str:
    from dispute_provider._state.ledger_id import ledger_address

    return config.evidence_store() or f"{ledger_address().rstrip('/')}/{_FOLDER}"


class _Place(NamedTuple):
    """Where a file of the store is.

    A path of Airflow would report each file to its lineage, which first imports all providers with assets,
    and double the CPU that a file takes.

    :param fs: the file system.
    :param path: the file's path in it.
    """

    fs: Any
    path: str

    def is_fresh(self) -> bool:
        """Return whether the file exists, and was written not long ago if the store knows when."""
        try:
            modified = self.fs.modified(self.path)
        except FileNotFoundError:
            return False
        except NotImplementedError:
            return bool(self.fs.exists(self.path))
        return bool(time.time() - modified.timestamp() < _FRESH_SECONDS)

    def opened(self, mode: str = "rb") -> IO[bytes]:
        """Open the file."""
        return self.fs.open(self.path, mode)  # type: ignore[no-any-return]  # fsspec has no types

    def read(self) -> bytes:
        """Return the file's content."""
        with self.opened() as opened:
            return opened.read()

    def written_beside(self, write: Callable[[IO[bytes]], object]) -> _Place:
        """Write a file beside it under a temporary name, and return where that is."""
        self.fs.makedirs(self.path.rpartition("/")[0], exist_ok=True)
        unfinished = self._replace(path=f"{self.path}.{secrets.token_hex(8)}.part")
        with unfinished.opened("wb") as opened:
            write(opened)
        return unfinished

    def move_here(self, other: _Place) -> None:
        """Give another file this one's name, in place of the one that has it."""
        self.fs.mv(other.path, self.path)


def _place(sha256: str) -> _Place:
    from dispute_provider._cases.storage import PathRefusedError, storage_path

    if not SHA256.fullmatch(sha256):
        raise ValueError("a document's sha256 must be 64 hexadecimal digits")
    folder = _address()
    if folder in _refused:
        raise EvidenceStoreError(_refused[folder])
    try:
        place = storage_path(folder)
    except PathRefusedError as error:
        problem = f"[dispute] evidence_store: {error.problem}. To do: {error.remedy}"
        raise EvidenceStoreError(problem) from None
    return _Place(place.fs, f"{place.path.rstrip('/')}/{sha256[:2]}/{sha256}")
