"""Recognise and decode plain text and e-mails. Pure."""

from __future__ import annotations

import codecs
import re

WINDOWS = "Windows-1252"
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HEADER = re.compile(rb"[!-9;-~]+:|[ \t]")
_ENVELOPE = re.compile(rb"\AFrom \S+ .*\n")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_CONTENT_TYPE = re.compile(rb"^content-type:\s*multipart/related\b", re.IGNORECASE | re.MULTILINE)
# In place of a sender, browsers name themselves, and Word nobody.
_BROWSER = re.compile(
    rb"^(?:snapshot-content-location:|from: *[<\"]*saved by )", re.IGNORECASE | re.MULTILINE
)
_BESIDE_FROM = (b"to:", b"date:", b"subject:", b"message-id:", b"received:", b"mime-version:")


def decode(content: bytes, *, whole: bool = True) -> tuple[str, str] | None:
    """Return a text and the name of its encoding; None if it is no text.

    A text without a byte order mark is UTF-8, or else read as Windows-1252, in which old programs of Western
    languages save it.

    :param whole: whether it is complete; if not, its last character may be cut.
    """
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    for name in (marked,) if marked else ("utf-8", WINDOWS):
        try:
            text = codecs.getincrementaldecoder(name)().decode(content, whole)
        except UnicodeDecodeError:
            continue
        return None if _NO_TEXT.search(text) else (text, name)
    return None


def is_web_page(content: bytes) -> bool:
    """Return whether a file begins with the header lines of a web page saved in one file (MHTML)."""
    headers, *_ = _END_OF_HEADERS.split(content, maxsplit=1)
    lines = headers.splitlines()
    if not lines or not all(map(_HEADER.match, lines)):
        return False
    has_sender = any(line.lower().startswith(b"from:") for line in lines)
    return bool(_CONTENT_TYPE.search(headers)) and (not has_sender or bool(_BROWSER.search(headers)))


def is_mail(content: bytes) -> bool:
    """Return whether a file begins with the header lines of an e-mail, a sender among them."""
    headers, *_ = _END_OF_HEADERS.split(_ENVELOPE.sub(b"", content, count=1), maxsplit=1)
    lines = headers.splitlines()
    names = [line.lower() for line in lines]
    return (
        bool(lines)
        and all(map(_HEADER.match, lines))
        and any(line.startswith(b"from:") for line in names)
        and any(line.startswith(_BESIDE_FROM) for line in names)
    )
