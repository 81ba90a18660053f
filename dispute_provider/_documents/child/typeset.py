"""Set the contents, captions and page numbers of joined exhibits."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dispute_provider._documents.child.lettering import BOLD, Letters, Line

canvas: Any
try:
    import uharfbuzz  # type: ignore[import-untyped]  # noqa: F401  # without it, no letters are set
    from reportlab import rl_config  # type: ignore[import-untyped]
    from reportlab.pdfbase import pdfmetrics, ttfonts  # type: ignore[import-untyped]
    from reportlab.pdfgen import canvas  # type: ignore[import-untyped,no-redef]

    # Written as text, the contents of pages are a quarter larger.
    rl_config.useA85 = 0
except ImportError:
    canvas = None

A4 = (595.0, 842.0)
STRIP = 24.0
"""Height in points of the strip with a page's caption."""
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
    """Load the font of titles, before the child may open no more files."""
    if canvas:
        pdfmetrics.registerFont(ttfonts.TTFont(BOLD, f"{BOLD}.ttf"))


def pages_of_contents(captions: Sequence[str], letters: Letters) -> int:
    """Return how many pages the contents have.

    :param captions: as they can be set.
    """
    lines = sum(len(_wrapped(each, letters)) for each in captions)
    return max(1, -(-lines // _LINES))


def typeset(titles: Sequence[Title], strips: Sequence[Strip], letters: Letters) -> bytes:
    """Return a PDF with the pages of the contents, and then a small page for each strip."""
    written = io.BytesIO()
    # The file that it becomes a part of is compressed as a whole.
    page = canvas.Canvas(written, pagesize=A4, invariant=1, pageCompression=0)
    first = pages_of_contents([each.caption for each in titles], letters)
    _contents(page, titles, letters)
    for number, strip in enumerate(strips, first + 1):
        page.setPageSize((strip.width, STRIP))
        _strip(page, strip, f"Page {number} of {first + len(strips)}", letters)
        page.showPage()
    page.save()
    return written.getvalue()


def _contents(page: Any, titles: Sequence[Title], letters: Letters) -> None:
    top = A4[1] - _MARGIN - _TITLE
    page.setFont(BOLD, _TITLE)
    page.drawString(_MARGIN, top, "Exhibits")
    for count, (left, text, right) in enumerate(_rows(titles, letters)):
        if count and count % _LINES == 0:
            page.showPage()
        height = top - _TITLE - _LINE * (count % _LINES)
        left.draw(page, _MARGIN, height)
        text.draw(page, _MARGIN + _ROOM_OF_NUMBERS, height)
        right.draw(page, A4[0] - _MARGIN - right.width, height)
    page.showPage()


def _rows(titles: Sequence[Title], letters: Letters) -> Iterator[tuple[Line, Line, Line]]:
    for number, title in enumerate(titles, 1):
        for count, line in enumerate(_wrapped(title.caption, letters)):
            left, right = ("", "") if count else (str(number), str(title.page))
            yield letters.line(left, _SIZE), line, letters.line(right, _SIZE)


def _strip(page: Any, strip: Strip, right: str, letters: Letters) -> None:
    below = (STRIP - _SMALL) / 2 + 1
    number = letters.line(right, _SMALL)
    number.draw(page, strip.width - _EDGE - number.width, below)
    room = strip.width - 3 * _EDGE - number.width
    line = letters.line(text := f"Exhibit {strip.exhibit}: {strip.caption}", _SMALL)
    if line.width > room:
        lengths = range(1, len(text))
        kept = bisect_right(lengths, room, key=lambda end: letters.line(text[:end] + _CUT, _SMALL).width)
        line = letters.line(text[:kept] + _CUT if kept else "", _SMALL)
    line.draw(page, _EDGE, below)


def _wrapped(text: str, letters: Letters) -> list[Line]:
    """Return a caption in lines of the contents."""
    return letters.wrapped(text, A4[0] - 2 * _MARGIN - 2 * _ROOM_OF_NUMBERS, _SIZE)
