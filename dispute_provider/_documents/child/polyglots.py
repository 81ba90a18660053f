"""Detect files that are valid in two formats, of which a reviewer would see only one."""

from __future__ import annotations

import re
import struct

from dispute_provider._documents.child import jpegs
from dispute_provider._evidence.file_types import GIF, JPEG, PDF, PNG, STARTS_WITHIN

_PADDING = b"\0\t\n\f\r \x1a"
_PDF_END = b"%%EOF"
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_END_WITHIN = _ZIP_END.size + 65_535
_PNG_CHUNK = struct.Struct(">L4s")
_GIF_TRAILER, _GIF_EXTENSION = 0x3B, 0x21
# Signatures of other files. Phones append smaller pictures and metadata to a JPEG, which are harmless.
_OTHER_FILES = re.compile(
    rb"PK\x03\x04|%PDF-|ftyp(?:isom|mp4|avc1|qt  )|Rar!\x1a|7z\xbc\xaf\x27|\x7fELF|^#!/"
    rb"|<(?:!doctype|html|head|body|script|svg|iframe|\?xml|\?php)[\s>]",
    re.IGNORECASE,
)


def is_polyglot(content: bytes, kind: str) -> bool:
    """Return whether a document can also be opened as another type of file, or has one after its end.

    :param content: a document that its own parser has read completely.
    :param kind: its content type.
    """
    if _ends_as_zip(content):
        return True
    match kind:
        case PDF.content_type:
            return bool(content[content.rfind(_PDF_END) + len(_PDF_END) :].strip(_PADDING))
        case PNG.content_type:
            behind = bool(content[_png_end(content) :].strip(_PADDING))
        case JPEG.content_type:
            behind = bool(_OTHER_FILES.search(content[jpegs.end(content) :]))
        case GIF.content_type:
            behind = bool(content[_gif_end(content) :].strip(_PADDING))
        case _:
            behind = False
    return behind or opens_as_pdf(content)


def opens_as_pdf(content: bytes) -> bool:
    """Return whether lenient readers would open a file as a PDF, whatever is before its header."""
    return b"%PDF-" in content[:STARTS_WITHIN]


def _ends_as_zip(content: bytes) -> bool:
    """Return whether a file ends as a ZIP archive; readers find an archive by its end."""
    at = content.rfind(b"PK\x05\x06", max(0, len(content) - _ZIP_END_WITHIN))
    if at < 0 or len(content) < at + _ZIP_END.size:
        return False
    *_, entries, size, _, _ = _ZIP_END.unpack_from(content, at)
    return not entries or content[max(0, at - size) :].startswith(b"PK\x01\x02")


def _png_end(content: bytes) -> int:
    """Return the position after the last chunk and its checksum."""
    at = 8
    while at + _PNG_CHUNK.size <= len(content):
        length, name = _PNG_CHUNK.unpack_from(content, at)
        at += _PNG_CHUNK.size + length + 4
        if name == b"IEND":
            break
    return at


def _gif_end(content: bytes) -> int:
    """Return the position after the trailer; the end of the file if there is none."""
    at = 13 + _gif_colors(content, 10)
    while at < len(content):
        kind = content[at]
        if kind == _GIF_TRAILER:
            return at + 1
        # Before its blocks, an extension has a label; a picture has its position, colors and code size.
        at += 2 if kind == _GIF_EXTENSION else 11 + _gif_colors(content, at + 9)
        while at < len(content) and (length := content[at]):
            at += length + 1
        at += 1
    return len(content)


def _gif_colors(content: bytes, at: int) -> int:
    """Return the length of a color table in bytes, from its flags."""
    flags = content[at] if at < len(content) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
