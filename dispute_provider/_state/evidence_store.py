"""Documents, and lists of records, by the sha256 of their bytes.

Workers write them; documents are read by whoever shows them to a reviewer.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from dispute_provider import _config as config
from dispute_provider.exceptions import TryAgainError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_CHUNK = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class EvidenceStoreError(TryAgainError):
    """The evidence store cannot be used, or what it holds is not what was put there."""


def is_configured() -> bool:
    """Whether ``[dispute] evidence_store`` names a folder."""
    return bool(config.evidence_store())


def put(content: bytes) -> str | None:
    """Keep a document; what is there already is left alone.

    :returns: the sha256 that it is found by; None where no store is configured.
    :raises EvidenceStoreError: if it cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    return sha256 if _put(sha256, lambda path: path.write_bytes(content)) else None


def put_file(file: IO[bytes], sha256: str) -> bool:
    """Keep the rest of a file, a chunk at a time; what is there already is left alone.

    :param sha256: of that; it is found by it.
    :returns: False where no store is configured.
    :raises EvidenceStoreError: if it cannot be written.
    """

    def write(path: ObjectStoragePath) -> None:
        with path.open("wb") as opened:  # type: ignore[no-untyped-call]  # of a path that fsspec leaves untyped
            shutil.copyfileobj(file, opened, _CHUNK)

    return _put(sha256, write)


def _put(sha256: str, write: Callable[[ObjectStoragePath], object]) -> bool:
    if (path := _place(sha256)) is None:
        return False
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Under another name until it is whole: a writer that is killed leaves no half document behind.
            unfinished = path.with_name(f"{sha256}.{secrets.token_hex(8)}.part")
            write(unfinished)
            unfinished.replace(path)
    except Exception as error:  # whatever a store raises
        raise EvidenceStoreError(
            f"[dispute] evidence_store cannot be written: {type(error).__name__}"
        ) from error
    return True


def get(sha256: str) -> bytes | None:
    """A document.

    :returns: its bytes; None where no store is configured, or it holds no such document.
    :raises ValueError: if that is no sha256: nothing else is looked for.
    :raises EvidenceStoreError: if the store cannot be read, or holds other bytes under this name.
    """
    if (path := _place(sha256)) is None:
        return None
    try:
        content: bytes = path.read_bytes()
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a store raises
        raise _unreadable(error) from error
    _check(hashlib.sha256(content), sha256)
    return content


def fetch(sha256: str, into: IO[bytes]) -> bool:
    """Copy what may be large, a chunk at a time.

    :returns: False where no store is configured, or it holds nothing under this name.
    :raises EvidenceStoreError: if the store cannot be read, or holds other bytes under this name: what was
        copied is nothing to go by then.
    """
    if (path := _place(sha256)) is None:
        return False
    found = hashlib.sha256()
    try:
        with path.open("rb") as opened:  # type: ignore[no-untyped-call]  # of a path that fsspec leaves untyped
            while chunk := opened.read(_CHUNK):
                found.update(chunk)
                into.write(chunk)
    except FileNotFoundError:
        return False
    except Exception as error:  # whatever a store raises
        raise _unreadable(error) from error
    _check(found, sha256)
    return True


def _check(found: hashlib._Hash, sha256: str) -> None:
    from dispute_provider._evidence.snapshot import short_digest

    if found.hexdigest() != sha256:
        raise EvidenceStoreError(
            f"the evidence store holds other bytes under {short_digest(sha256)}; "
            "to do: remove that file, stage again"
        )


def _unreadable(error: Exception) -> EvidenceStoreError:
    return EvidenceStoreError(f"[dispute] evidence_store cannot be read: {type(error).__name__}")


def _place(sha256: str) -> ObjectStoragePath | None:
    from dispute_provider._cases.storage import storage_path

    if not SHA256.fullmatch(sha256):
        raise ValueError("a document is found by 64 hexadecimal digits and by nothing else")
    folder = config.evidence_store()
    return storage_path(folder) / sha256[:2] / sha256 if folder else None
