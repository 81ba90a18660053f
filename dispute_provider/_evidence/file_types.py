"""The types of document that evidence may hold: how each is named and recognized. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of document.

    :param name: for people; Pillow has the same name for it.
    :param suffixes: endings of its file names; the first is for names that we make.
    :param starts: the first bytes of a file of this type, one of these.
    """

    name: str
    content_type: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...]


PDF = FileType("PDF", "application/pdf", ("pdf",), (b"%PDF-",))
JPEG = FileType("JPEG", "image/jpeg", ("jpg", "jpeg"), (b"\xff\xd8\xff",))
PNG = FileType("PNG", "image/png", ("png",), (b"\x89PNG\r\n\x1a\n",))
TIFF = FileType("TIFF", "image/tiff", ("tiff",), (b"II*\0", b"MM\0*"))
GIF = FileType("GIF", "image/gif", ("gif",), (b"GIF87a", b"GIF89a"))

FILE_TYPES = (PDF, JPEG, PNG, TIFF, GIF)
PICTURES = FILE_TYPES[1:]
NAMES = f"{', '.join(each.name for each in FILE_TYPES[:-1])} or {FILE_TYPES[-1].name}"
BY_CONTENT_TYPE = {each.content_type: each for each in FILE_TYPES}
BY_SUFFIX = {suffix: each for each in FILE_TYPES for suffix in each.suffixes}


def recognize(content: bytes) -> FileType | None:
    """Return the type that the first bytes of a file show; None if it is none of ours."""
    return next((each for each in FILE_TYPES if content.startswith(each.starts)), None)


def suffix_of(content_type: str) -> str:
    """Return the ending for a file name, without its dot; ``bin`` for a type that is none of ours."""
    known = BY_CONTENT_TYPE.get(content_type)
    return known.suffixes[0] if known else "bin"
