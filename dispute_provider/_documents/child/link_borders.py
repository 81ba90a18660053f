"""Draw the borders of links, which pdfium leaves out."""

from __future__ import annotations

import ctypes

import pypdfium2
from PIL import Image, ImageDraw
from pypdfium2 import raw

from dispute_provider._documents.child.pixels import in_pixels

_HIDDEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW


def draw_link_borders(page: pypdfium2.PdfPage, picture: Image.Image, scale: float) -> None:
    """Draw a rectangle around each link that has a border, as other viewers do.

    :param picture: the drawing of the page.
    :param scale: its pixels per point.
    """
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, number)
        if raw.FPDFAnnot_GetSubtype(note) == raw.FPDF_ANNOT_LINK and (width := _border(note)):
            box = raw.FS_RECTF()
            raw.FPDFAnnot_GetRect(note, box)
            around = in_pixels(page, picture, (box.left, box.top, box.right, box.bottom))
            line = max(1, round(width * scale))
            ImageDraw.Draw(picture).rectangle(around, outline=_color(note), width=line)
        raw.FPDFPage_CloseAnnot(note)


def _border(note: raw.FPDF_ANNOTATION) -> float:
    """Return the width of a link's border in points; 0 if it has none, or is not shown."""
    if raw.FPDFAnnot_GetFlags(note) & _HIDDEN or raw.FPDFAnnot_HasKey(note, b"AP"):
        return 0.0
    across, down, width = (ctypes.c_float() for _ in range(3))
    return width.value if raw.FPDFAnnot_GetBorder(note, across, down, width) else 0.0


def _color(note: raw.FPDF_ANNOTATION) -> tuple[int, int, int]:
    """Return the color of a border, black if none is named."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    raw.FPDFAnnot_GetColor(note, raw.FPDFANNOT_COLORTYPE_Color, red, green, blue, alpha)
    return red.value, green.value, blue.value
