"""Count what the drawing of a PDF's page does not show. Runs only in the child process.

A font that the file does not contain is replaced by another, which may lack its characters. They are found by
their boxes: where a character should be, the drawing has no ink.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import cast

import pypdfium2
from PIL import Image
from pypdfium2 import raw

from dispute_provider._documents.messages import Refusal
from dispute_provider._documents.pdfs import draw, opened
from dispute_provider._documents.pictures import MAX_SHOWN_PIXELS
from dispute_provider._documents.refused import Refused
from dispute_provider._evidence.documents import Unseen

# Pixels per point: characters of 7 points are then 14 pixels high.
_SCALE = 2.0
# Least difference in brightness between ink and paper, of 255.
_INK = 8
# Text that is drawn in no colour, such as the recognised text of a scan.
_NOT_DRAWN = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
_WHITE = 250
# Annotations that show nothing of their own.
_WITHOUT_LOOKS = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET)
_HIDDEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_LONGEST_NAME = 60


def unseen(content: bytes, number: int) -> Unseen:
    """Return what the drawing of a page does not show.

    :param number: the page, from 1.
    """
    with opened(content) as document:
        if not 1 <= number <= len(document):
            raise Refused(Refusal.NO_SUCH_PAGE, len(document), number)
        document.init_forms()
        page = document[number - 1]
        boxes = list(_foreign_characters(page))
        if not boxes and not raw.FPDFPage_GetAnnotCount(page):
            return Unseen(0, 0)
        wide, tall = page.get_size()
        picture = draw(page, min(_SCALE, (MAX_SHOWN_PIXELS / (wide * tall)) ** 0.5)).convert("L")
        missing = [font for font, box in boxes if not _has_ink(picture, _in_pixels(page, picture, box))]
        # Drawing gives highlights, lines and the like an appearance, if they have none.
        return Unseen(len(missing), sum(_undrawn_annotations(page)), tuple(dict.fromkeys(missing)))


def _foreign_characters(page: pypdfium2.PdfPage) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield the font and the box of each character that is drawn in a font that the file does not contain."""
    text = page.get_textpage()
    fonts: dict[int, str | None] = {}
    for index in range(raw.FPDFText_CountChars(text)):
        if raw.FPDFText_IsGenerated(text, index) == 1 or not _is_printed(
            raw.FPDFText_GetUnicode(text, index)
        ):
            continue
        shown = raw.FPDFText_GetTextObject(text, index)
        if not shown or raw.FPDFTextObj_GetTextRenderMode(shown) in _NOT_DRAWN or _is_white(shown):
            continue
        font = raw.FPDFTextObj_GetFont(shown)
        key = ctypes.cast(font, ctypes.c_void_p).value or 0
        if key not in fonts:
            fonts[key] = None if raw.FPDFFont_GetIsEmbedded(font) == 1 else _name(font)
        if (name := fonts[key]) is None:
            continue
        box = raw.FS_RECTF()
        if raw.FPDFText_GetLooseCharBox(text, index, box):
            yield name, (box.left, box.top, box.right, box.bottom)


def _is_printed(code: int) -> bool:
    return code > 0 and not chr(code).isspace() and chr(code).isprintable()


def _is_white(shown: raw.FPDF_PAGEOBJECT) -> bool:
    """Return whether text is white or transparent, so that no viewer shows it on paper."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not raw.FPDFPageObj_GetFillColor(shown, red, green, blue, alpha):
        return False
    return alpha.value == 0 or min(red.value, green.value, blue.value) >= _WHITE


def _name(font: raw.FPDF_FONT) -> str:
    name = ctypes.create_string_buffer(_LONGEST_NAME + 1)
    raw.FPDFFont_GetBaseFontName(font, name, _LONGEST_NAME)
    return name.value.decode("ascii", "replace")


def _in_pixels(
    page: pypdfium2.PdfPage, picture: Image.Image, box: tuple[float, ...]
) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    across, down = ctypes.c_int(), ctypes.c_int()
    corners = []
    for x, y in ((left, top), (right, bottom)):
        raw.FPDF_PageToDevice(page, 0, 0, picture.width, picture.height, 0, x, y, across, down)
        corners.append((across.value, down.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _has_ink(picture: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Return whether a part of a drawing has more than one brightness; True outside the page."""
    left, top = max(0, box[0]), max(0, box[1])
    right, bottom = min(picture.width, box[2]), min(picture.height, box[3])
    if right - left < 2 or bottom - top < 2:
        return True
    low, high = cast("tuple[int, int]", picture.crop((left, top, right, bottom)).getextrema())
    return high - low >= _INK


def _undrawn_annotations(page: pypdfium2.PdfPage) -> Iterator[bool]:
    """Yield for each annotation whether it should be seen, and has no appearance to be drawn."""
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, number)
        yield (
            raw.FPDFAnnot_GetSubtype(note) not in _WITHOUT_LOOKS
            and not raw.FPDFAnnot_GetFlags(note) & _HIDDEN
            and not raw.FPDFAnnot_HasKey(note, b"AP")
        )
        raw.FPDFPage_CloseAnnot(note)
