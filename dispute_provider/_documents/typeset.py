"""Set the contents, captions and page numbers of joined exhibits. Runs only in the child process."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dispute_provider._documents.messages import Refusal
from dispute_provider._documents.refused import Refused

canvas: Any
pdfmetrics: Any
ttfonts: Any
try:
    from reportlab.pdfbase import pdfmetrics, ttfonts  # type: ignore[import-untyped,no-redef]
    from reportlab.pdfgen import canvas  # type: ignore[import-untyped,no-redef]
except ImportError:
    canvas = pdfmetrics = ttfonts = None

A4 = (595.0, 842.0)
STRIP = 24.0
"""Height in points of the strip with a page's caption."""
_PLAIN, _BOLD = "Vera", "VeraBd"
_MARGIN = 56.0
_TITLE, _SIZE, _LINE, _SMALL = 16.0, 10.0, 14.0, 8.0
_ROOM_OF_NUMBERS = 40.0
_LINES = int((A4[1] - 2 * _MARGIN - 2 * _TITLE) / _LINE)
_EDGE = 12.0
_CUT = "…"


class Title(NamedTuple):
    """One exhibit in the contents.

    :param page: the number of its first page.
    """

    caption: str
    page: int


class Strip(NamedTuple):
    """What stands below a page.

    :param width: points.
    :param exhibit: the number of the exhibit that the page belongs to.
    """

    width: float
    exhibit: int
    caption: str


def warm_up() -> None:
    """Load and use the fonts, before the child may open no more files."""
    if canvas:
        for name in (_PLAIN, _BOLD):
            pdfmetrics.registerFont(ttfonts.TTFont(name, f"{name}.ttf"))
        typeset([Title("Contents", 1)], [Strip(A4[0], 1, "Caption")])


def pages_of_contents(captions: Sequence[str]) -> int:
    """Return how many pages the contents have.

    :raises Refused: if the libraries are not installed.
    """
    if not canvas:
        raise Refused(Refusal.NO_PACKET)
    lines = sum(len(_wrapped(_drawable(each))) for each in captions)
    return max(1, -(-lines // _LINES))


def typeset(titles: Sequence[Title], strips: Sequence[Strip]) -> bytes:
    """Return a PDF with the pages of the contents, and then a small page for each strip."""
    written = io.BytesIO()
    page = canvas.Canvas(written, pagesize=A4, invariant=1, pageCompression=1)
    first = pages_of_contents([each.caption for each in titles])
    _contents(page, titles)
    for number, strip in enumerate(strips, first + 1):
        page.setPageSize((strip.width, STRIP))
        _strip(page, strip, f"Page {number} of {first + len(strips)}")
        page.showPage()
    page.save()
    return written.getvalue()


def _contents(page: Any, titles: Sequence[Title]) -> None:
    top = A4[1] - _MARGIN - _TITLE
    page.setFont(_BOLD, _TITLE)
    page.drawString(_MARGIN, top, "Exhibits")
    page.setFont(_PLAIN, _SIZE)
    for count, (left, text, right) in enumerate(_rows(titles)):
        if count and count % _LINES == 0:
            page.showPage()
            page.setFont(_PLAIN, _SIZE)
        height = top - _TITLE - _LINE * (count % _LINES)
        page.drawString(_MARGIN, height, left)
        page.drawString(_MARGIN + _ROOM_OF_NUMBERS, height, text)
        page.drawRightString(A4[0] - _MARGIN, height, right)
    page.showPage()


def _rows(titles: Sequence[Title]) -> Iterator[tuple[str, str, str]]:
    for number, title in enumerate(titles, 1):
        first, *others = _wrapped(_drawable(title.caption))
        yield str(number), first, str(title.page)
        for line in others:
            yield "", line, ""


def _strip(page: Any, strip: Strip, right: str) -> None:
    page.setFont(_PLAIN, _SMALL)
    below = (STRIP - _SMALL) / 2 + 1
    page.drawRightString(strip.width - _EDGE, below, right)
    room = strip.width - 3 * _EDGE - _width(right, _SMALL)
    text = _drawable(f"Exhibit {strip.exhibit}: {strip.caption}")
    if _width(text, _SMALL) > room:
        while text and _width(text + _CUT, _SMALL) > room:
            text = text[:-1]
        text += _CUT if text else ""
    page.drawString(_EDGE, below, text)


def _wrapped(text: str) -> list[str]:
    """Return a caption in lines of the contents, broken between words where possible."""
    room = A4[0] - 2 * _MARGIN - 2 * _ROOM_OF_NUMBERS
    lines = []
    while _width(text, _SIZE) > room:
        fits = next(end for end in range(len(text) - 1, 0, -1) if _width(text[:end], _SIZE) <= room)
        end = text.rfind(" ", 1, fits + 1)
        lines.append(text[: end if end > 0 else fits].rstrip())
        text = text[end if end > 0 else fits :].lstrip()
    return [*lines, text]


def _width(text: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, _PLAIN, size))


def _drawable(text: str) -> str:
    """Return a text with the characters escaped that the font does not have."""
    known = pdfmetrics.getFont(_PLAIN).face.charToGlyph
    return "".join(each if ord(each) in known and each.isprintable() else ascii(each)[1:-1] for each in text)
