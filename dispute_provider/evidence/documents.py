"""Documents: told apart by their bytes, named by their digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_SIGNATURES = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"II*\x00", "image/tiff", ".tiff"),
    (b"MM\x00*", "image/tiff", ".tiff"),
)
UNKNOWN_TYPE = "application/octet-stream"
_DIGEST_IN_NAME = 16


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a case with its bytes.

    :param path: as the case names it.
    """

    path: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def content_type(self) -> str:
        """What the first bytes say it is, whatever its name says."""
        return next((kind for start, kind, _ in _SIGNATURES if self.content.startswith(start)), UNKNOWN_TYPE)

    @property
    def upload_name(self) -> str:
        """Its own name with its digest, so that a repeated upload is recognised."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePosixPath(self.path).stem).strip("-.")[:60] or "document"
        suffix = next((end for start, _, end in _SIGNATURES if self.content.startswith(start)), ".bin")
        return f"{stem}-{self.sha256[:_DIGEST_IN_NAME]}{suffix}"
