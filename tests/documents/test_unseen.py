"""What the drawing of a PDF does not show is counted, and nothing else."""

from __future__ import annotations

import papers
import pytest

from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._evidence.documents import Unseen

NOTHING = Unseen(0, 0)
SIGNED = "已签收"
FIELD = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V %s /Rect [20 200 200 220] %s >>"
NOTE = b"<< /Type /Annot /Subtype /%s /Rect [40 600 200 640] /Contents (Paid.) %s >>"


def annotated(kind: bytes, entries: bytes = b"") -> bytes:
    return papers.pdf(page=b"/Annots [6 0 R]", more=[NOTE % (kind, entries)])


def form(value: str, entries: bytes = b"/DA (/Helv 12 Tf 0 g)") -> bytes:
    """A PDF with a form, whose field has no appearance of its own."""
    written = b"<FEFF%s>" % value.encode("utf-16-be").hex().encode()
    catalog = b"/AcroForm << /Fields [6 0 R] /DR << /Font << /Helv 3 0 R >> >> >>"
    return papers.pdf(page=b"/Annots [6 0 R]", catalog=catalog, more=[FIELD % (written, entries)])


# On the smaller drawing, characters would be too coarse to tell.
@pytest.mark.parametrize("width", [1200, 200])
@pytest.mark.parametrize(
    ("document", "lacks"),
    [
        (papers.without_its_font(), Unseen(3, 0, ("STSong-Light",))),
        (papers.without_its_font(named=False), Unseen(0, 0, ("STSong-Light",), doubtful=3)),
        (form(papers.VAI), Unseen(0, 0, fields=1)),
        (form("Jane", b"/AP << /N 7 0 R >>"), Unseen(0, 0, fields=1)),
        (annotated(b"Line"), Unseen(0, 1)),
        (annotated(b"Stamp"), Unseen(0, 1)),
    ],
)
def test_what_a_drawing_lacks_is_counted(
    document: bytes, lacks: Unseen, width: int, renderer: Renderer
) -> None:
    assert renderer.draw(document, 1, width).unseen == lacks
    assert lacks.problem


@pytest.mark.parametrize("width", [1200, 200])
@pytest.mark.parametrize(
    "document",
    [
        papers.pdf(),
        papers.pdf(text="Straße, café – 12 €"),
        papers.pdf(text=" \t "),
        # No characters of another font, and characters that no viewer shows.
        papers.without_its_font("  "),
        papers.pdf(content=papers.stream(b"BT /F 12 Tf 3 Tr 40 780 Td (Recognised) Tj ET")),
        papers.pdf(content=papers.stream(b"1 g BT /F 12 Tf 40 780 Td (White) Tj ET")),
        papers.pdf(content=papers.stream(b"0 0 0 rg 0 700 595 142 re f 1 g BT /F 12 Tf 40 780 Td (W) Tj ET")),
        # Outside the page, rotated, and too small to be drawn.
        papers.pdf(content=papers.stream(b"BT /F 12 Tf 4000 780 Td (Beyond) Tj ET")),
        papers.pdf(page=b"/Rotate 90"),
        papers.pdf(content=papers.stream(b"BT /F .5 Tf 40 780 Td (small) Tj ET")),
        form("Jane Привет"),
        form("Jane", b""),
        form(""),
        form(papers.VAI, b"/F 2"),
        annotated(b"Link"),
        annotated(b"Highlight", b"/QuadPoints [40 640 200 640 40 600 200 600]"),
        annotated(b"Line", b"/F 2"),
        papers.scanned(1),
    ],
)
def test_nothing_else_is_counted(document: bytes, width: int, renderer: Renderer) -> None:
    assert renderer.draw(document, 1, width).unseen == NOTHING
    assert NOTHING.problem is None


def test_a_page_that_does_not_exist_is_refused(renderer: Renderer) -> None:
    with pytest.raises(RenderingError, match="there is no page 2"):
        renderer.draw(papers.pdf(), 2)
