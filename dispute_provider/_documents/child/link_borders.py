"""Have pdfium draw the borders of links, which it leaves out."""

from __future__ import annotations

import ctypes

import pypdfium2
from pypdfium2 import raw

# A square has the same border as a link: /BS or else /Border, by default 1 point wide and black.
_SQUARE = (ctypes.c_ushort * 7)(*b"Square\0")


def show_link_borders(page: pypdfium2.PdfPage) -> None:
    """Make squares of the links of an open page that have a border, before it is drawn."""
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, number)
        if raw.FPDFAnnot_GetSubtype(note) == raw.FPDF_ANNOT_LINK and _has_border(note):
            raw.FPDFAnnot_SetStringValue(note, b"Subtype", _SQUARE)
        raw.FPDFPage_CloseAnnot(note)


def _has_border(note: raw.FPDF_ANNOTATION) -> bool:
    """Return whether a link may have a border that is not drawn."""
    if raw.FPDFAnnot_HasKey(note, b"AP"):
        return False
    width = ctypes.c_float()
    has_width = raw.FPDFAnnot_GetBorder(note, ctypes.c_float(), ctypes.c_float(), width)
    return raw.FPDFAnnot_HasKey(note, b"BS") or not has_width or width.value > 0
