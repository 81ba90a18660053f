"""Model the documents of a case: recognised by their content, named by their digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath

from dispute_provider._evidence.file_types import recognize, suffix_of

UNKNOWN_TYPE = "application/octet-stream"
_DIGEST_IN_NAME = 16
_LONGEST_PATH = 200
# Fonts that a message names.
_SHOWN_FONTS = 3


@dataclass(frozen=True, slots=True)
class Inspection:
    """The type and size of a document, found by parsing it.

    :param content_type: one of :data:`~dispute_provider._evidence.file_types.BY_CONTENT_TYPE`.
    :param pages: the pages of a PDF, the frames of a TIFF; 1 for other pictures.
    :param card_number: whether the text of a PDF has a card number. Text in pictures is not read.
    """

    content_type: str
    pages: int
    card_number: bool


@dataclass(frozen=True, slots=True)
class Unseen:
    """What the drawing of a page of a PDF does not show.

    :param characters: characters where the drawing has no ink.
    :param annotations: notes and drawings that are laid over the page, and are not drawn.
    :param fonts: the fonts of these and of the doubtful characters, which the file does not contain.
    :param doubtful: characters in place of which others may be drawn, because the file does not say which
        they are; 0 by default.
    :param fields: fields of a form whose contents are not drawn; 0 by default.
    """

    characters: int
    annotations: int
    fonts: tuple[str, ...] = ()
    doubtful: int = 0
    fields: int = 0

    @property
    def problem(self) -> str | None:
        """Return what is not shown, for a message; None if the drawing shows everything."""
        parts = []
        fonts = ", ".join(shown(each) for each in self.fonts[:_SHOWN_FONTS])
        if self.characters:
            parts.append(f"{self.characters:,} characters ({fonts}, not embedded in the file)")
        if self.annotations:
            parts.append(f"{self.annotations:,} annotations without an appearance")
        if self.fields:
            parts.append(f"the contents of {self.fields:,} form fields")
        said = [f"does not show {' and '.join(parts)}"] if parts else []
        if self.doubtful:
            said.append(
                f"may show other letters in place of {self.doubtful:,} characters, as the file neither "
                f"contains their font ({fonts}) nor says which they are"
            )
        return f"its drawing {', and '.join(said)}" if said else None


@dataclass(frozen=True, slots=True)
class Original:
    """The document that a prepared one was made of.

    :param size: bytes.
    :param done: what was done to it, in words.
    """

    sha256: str
    size: int
    done: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """One document of a case with its bytes.

    :param path: as the case names it.
    :param inspection: the result of parsing it; None if it was not parsed.
    :param prepared_from: the document in the case's folder, if this one was made of it; None by default.
    :param exhibits: the documents that this one was joined from; empty, the default, for others.
    :param lost: what joining cost, in words; empty by default.
    """

    path: str
    content: bytes = field(repr=False)
    inspection: Inspection | None = None
    prepared_from: Original | None = None
    exhibits: tuple[Document, ...] = field(default=(), repr=False)
    lost: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def inspected(self, inspection: Inspection) -> Document:
        """Return the document with its inspection. Its bytes are not digested again."""
        found = replace(self, inspection=inspection)
        found.__dict__["sha256"] = self.sha256
        return found

    @property
    def original(self) -> str:
        """Return the sha256 of the document in the case's folder."""
        return self.prepared_from.sha256 if self.prepared_from else self.sha256

    @property
    def content_type(self) -> str:
        """Return its type by its content, not its name; by its first bytes if it was not parsed."""
        if self.inspection:
            return self.inspection.content_type
        known = recognize(self.content)
        return known.content_type if known else UNKNOWN_TYPE

    @property
    def pages(self) -> int | None:
        """Return the number of its pages or frames; None if it was not parsed."""
        return self.inspection.pages if self.inspection else None

    @property
    def upload_name(self) -> str:
        """Return its name with its digest, by which a repeated upload is recognised."""
        name = PurePosixPath(self.path).name
        # Not pathlib's stem, which Python 3.14 changed.
        stem = name.rpartition(".")[0] or name
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:60] or "document"
        return f"{safe}-{self.sha256[:_DIGEST_IN_NAME]}.{suffix_of(self.content_type)}"


def shown(path: str) -> str:
    """Return a path for a message, with characters escaped that do not print or change the text direction."""
    path = path[:_LONGEST_PATH]
    if path.isprintable():
        return path
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in path)
