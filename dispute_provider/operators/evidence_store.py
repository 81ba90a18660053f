"""Documents by the sha256 of their bytes: written by workers, read by whoever shows them to a reviewer."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from dispute_provider.exceptions import DisputeError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_SHA256 = re.compile(r"[0-9a-f]{64}")


class EvidenceStoreError(DisputeError):
    """The evidence store cannot be used, or what it holds is not what was put there."""


def is_configured() -> bool:
    """Whether ``[dispute] evidence_store`` names a folder."""
    return bool(_folder())


def put(content: bytes) -> str | None:
    """Keep a document; what is there already is left alone.

    :returns: the sha256 that it is found by; None where no store is configured.
    :raises EvidenceStoreError: if it cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if (path := _place(sha256)) is None:
        return None
    try:
        if path.exists():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole: a writer that is killed leaves no half document behind.
        unfinished = path.with_name(f"{sha256}.{secrets.token_hex(8)}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except Exception as error:  # whatever a store raises
        raise EvidenceStoreError(
            f"[dispute] evidence_store cannot be written: {type(error).__name__}"
        ) from error
    return sha256


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
        raise EvidenceStoreError(
            f"[dispute] evidence_store cannot be read: {type(error).__name__}"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EvidenceStoreError(
            f"the evidence store holds other bytes under {sha256[:12]}; to do: remove that file, stage again"
        )
    return content


def _place(sha256: str) -> ObjectStoragePath | None:
    from dispute_provider.operators.case_files import storage_path

    if not _SHA256.fullmatch(sha256):
        raise ValueError("a document is found by 64 hexadecimal digits and by nothing else")
    folder = _folder()
    return storage_path(folder) / sha256[:2] / sha256 if folder else None


def _folder() -> str:
    from airflow.sdk.configuration import conf

    return str(conf.get("dispute", "evidence_store", fallback=""))
