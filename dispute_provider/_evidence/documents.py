"""Documents: told apart by what they hold, named by their digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dispute_provider._evidence.file_types import recognize, suffix_of

UNKNOWN_TYPE = "application/octet-stream"
_DIGEST_IN_NAME = 16
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a document is, by its content.

    :param content_type: one of :data:`~dispute_provider._evidence.file_types.BY_CONTENT_TYPE`.
    :param pages: of a PDF; the frames of a TIFF; 1 for other pictures.
    :param card_number: whether the text of a PDF holds a card number. Nobody reads the text in pictures.
    """

    content_type: str
    pages: int
    card_number: bool


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a case with its bytes.

    :param path: as the case names it.
    :param inspection: what was found on reading it, None if nobody has.
    """

    path: str
    content: bytes = field(repr=False)
    inspection: Inspection | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def content_type(self) -> str:
        """What it is, whatever its name says; by its first bytes if it was not read."""
        if self.inspection:
            return self.inspection.content_type
        known = recognize(self.content)
        return known.content_type if known else UNKNOWN_TYPE

    @property
    def pages(self) -> int | None:
        """Its pages or frames; None if it was not read."""
        return self.inspection.pages if self.inspection else None

    @property
    def upload_name(self) -> str:
        """Its own name with its digest, so that a repeated upload is recognised."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePosixPath(self.path).stem).strip("-.")[:60] or "document"
        return f"{stem}-{self.sha256[:_DIGEST_IN_NAME]}.{suffix_of(self.content_type)}"


def shown(path: str) -> str:
    """A path as it can stand in a message: what does not print, or turns the writing around, is spelt out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in path[:_LONGEST_PATH])
