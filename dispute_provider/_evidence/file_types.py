"""Define the file types that evidence can have, and recognise them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dispute_provider._evidence import plain_text


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of document.

    :param name: its name in messages, which is also Pillow's name.
    :param suffixes: its file name extensions; the first is used for uploads.
    :param starts: the byte sequences with which a file of this type can start.
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
    """Return the type of a file by its first bytes; None if it is not one of :data:`FILE_TYPES`."""
    return next((each for each in FILE_TYPES if content.startswith(each.starts)), None)


ZIP, FILM, SOUND, LINK = "ZIP", "a film", "a sound", "a link to a document"
WEB_PAGE = "a web page saved in one file"
# The start of a file in lower case, and the type's name in messages. HEIC and AVIF begin with a box's size.
_OTHER_TYPES = {
    r".{4}ftyp(?:heic|heix|hevc|hevx|heim|heis)": "HEIC",
    r".{4}ftyp(?:avif|avis)": "AVIF",
    r"riff.{4}webp": "WEBP",
    r"bm.{4}\x00{4}": "BMP",
    r"\x00{3}\x0cjp  ": "JPEG 2000",
    r"\x00\x00\x01\x00": "ICO",
    r".{4}ftypm4[ab] ": SOUND,
    r"(?:oggs|id3|\xff[\xfb\xf3\xf2]|#!amr|riff.{4}wave)": SOUND,
    r".{4}ftyp|\x1a\x45\xdf\xa3|riff.{4}avi ": FILM,
    r"pk\x03\x04.*word/": "DOCX",
    r"pk\x03\x04.*xl/": "XLSX",
    r"pk\x03\x04.*ppt/": "PPTX",
    r"pk\x03\x04.{26}mimetypeapplication/vnd\.oasis\.": "OpenDocument",
    r"pk\x03\x04.*index/document\.iwa": "Pages, Numbers or Keynote",
    r"pk\x03\x04": ZIP,
    r"\x1f\x8b": "GZIP",
    r"(?:rar!\x1a|7z\xbc\xaf)": "RAR or 7Z",
    r"\x30[\x80-\x84].{0,4}\x06\x09\x2a\x86[\x48\x68]\x86\xf7\x0d\x01\x07": "P7M",
    r"\xd0\xcf\x11\xe0": "DOC, XLS or MSG",
    r"\{\\rtf": "RTF",
    r"%!ps": "PostScript",
    r"bplist00.{0,40}webmainresource": WEB_PAGE,
    # What Windows, macOS, iCloud and Google Drive keep in place of a document.
    r"(?:\xef\xbb\xbf)?\[internetshortcut\]|l\x00{3}\x01\x14\x02\x00|bplist00": LINK,
    r"\s*<\?xml.*<!doctype plist.*<key>url</key>": LINK,
    r'\{"(?:": *"warning! do not edit|url": *"https://docs\.google\.com/)': LINK,
    r"\s*(?:<\?xml.*)?<svg\b": "SVG",
    r"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*(?:<!doctype html|<html|<head|<body)\b": "HTML",
    r"\s*<\?xml\b": "XML",
}
_OTHER_TYPE = [(re.compile(f"(?s:{start})".encode()), name) for start, name in _OTHER_TYPES.items()]
MAIL, TEXT = "an e-mail", "plain text"
_SEARCHED = 4096
# Lenient PDF readers accept a header within this many bytes.
STARTS_WITHIN = 1024
# Begins the commands of the printer job language.
_PRINTER = b"\x1b%-12345X"
# The header lines of an e-mail, which relays make longer.
_SEARCHED_FOR_MAIL = 65_536


def name_other(content: bytes) -> str | None:
    """Return the name of a common type that evidence cannot have; None if it is not known."""
    start = content[:_SEARCHED]
    named = next((name for pattern, name in _OTHER_TYPE if pattern.match(start.lower())), None)
    if named is None and plain_text.is_web_page(content[:_SEARCHED_FOR_MAIL]):
        return WEB_PAGE
    if named is None and plain_text.is_mail(content[:_SEARCHED_FOR_MAIL]):
        return MAIL
    if named is None and plain_text.decode(start, whole=len(start) == len(content)):
        return TEXT
    return named


def start_of(kind: FileType, content: bytes) -> int | None:
    """Return the offset at which a file of a type starts, in bytes; None if the content is no such file.

    Web servers prepend notices and line breaks, and print servers a printer's commands. After anything else,
    the type's first bytes belong to another file.
    """
    start = content[:STARTS_WITHIN].find(kind.starts[0])
    before = content[: max(0, start)].replace(_PRINTER, b"").strip(b"\0")
    return start if start >= 0 and plain_text.decode(before) else None


def suffix_of(content_type: str) -> str:
    """Return a type's file name extension without its dot; ``bin`` for an unknown type."""
    known = BY_CONTENT_TYPE.get(content_type)
    return known.suffixes[0] if known else "bin"
