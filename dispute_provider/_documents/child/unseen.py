"""Count what the drawing of a PDF's page does not show.

A font that the file does not contain is replaced by another, which may lack its characters. They are found
by their boxes: where a character should be, the drawing has no ink. If the file does not even say which
characters they are, others may be drawn in their place.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import NamedTuple, cast

import pypdfium2
from PIL import Image, ImageChops
from pypdfium2 import raw

from dispute_provider._documents.child.pdfs import draw
from dispute_provider._documents.child.pictures import MAX_SHOWN_PIXELS
from dispute_provider._documents.child.pixels import in_pixels
from dispute_provider._evidence.documents import Unseen

# Least pixels per point: characters of 7 points are then 14 pixels high.
_SCALE = 2.0
# Least difference in brightness between ink and paper, of 255.
_INK = 8
# Text that is drawn in no colour, such as the recognised text of a scan.
_NOT_DRAWN = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
_WHITE = 250
# Annotations that show nothing of their own.
_WITHOUT_LOOKS = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET)
_HIDDEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_WRITTEN = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
_LONGEST_NAME = 60


def unseen(
    document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, drawing: Image.Image, scale: float
) -> Unseen:
    """Return what the drawing of an open page does not show.

    :param drawing: if it is too coarse, the page is drawn once more.
    :param scale: of the drawing, in pixels per point.
    """
    characters = list(_foreign_characters(page))
    if not characters and not raw.FPDFPage_GetAnnotCount(page):
        return Unseen(0, 0)
    wide, tall = page.get_size()
    least = min(_SCALE, (MAX_SHOWN_PIXELS / (wide * tall)) ** 0.5)
    if scale < least:
        drawing, scale = draw(page, least), least
    picture = drawing.convert("L")
    boxes = [in_pixels(page, picture, each.box) for each in characters]
    pairs = list(zip(characters, boxes, strict=True))
    missing = [each.font for each, box in pairs if not _has_ink(picture, box)]
    # A font of which nothing is known: single unknown codes of others are shown alike everywhere.
    named = {each.font for each in characters if each.known}
    doubtful = [
        each.font
        for each, box in pairs
        if each.font not in named and not _is_tiny(picture, box) and _has_ink(picture, box)
    ]
    # Drawing gives highlights, lines and the like an appearance, if they have none.
    return Unseen(
        characters=len(missing),
        annotations=sum(_undrawn_annotations(page)),
        fonts=tuple(dict.fromkeys([*missing, *doubtful])),
        doubtful=len(doubtful),
        fields=sum(_undrawn_fields(document, page, picture, scale)),
    )


class _Character(NamedTuple):
    """A character that is drawn in a font that the file does not contain.

    :param box: left, top, right and bottom, in points.
    :param known: whether the file says which character it is.
    """

    font: str
    box: tuple[float, ...]
    known: bool


def _foreign_characters(page: pypdfium2.PdfPage) -> Iterator[_Character]:
    """Yield each character that is drawn in a font that the file does not contain."""
    text = page.get_textpage()
    # By the address of the text that a character is part of, such as a line.
    fonts: dict[int, str | None] = {}
    for index in range(raw.FPDFText_CountChars(text)):
        if raw.FPDFText_IsGenerated(text, index) == 1 or not _is_printed(
            raw.FPDFText_GetUnicode(text, index)
        ):
            continue
        shown = raw.FPDFText_GetTextObject(text, index)
        key = ctypes.cast(shown, ctypes.c_void_p).value or 0
        if key not in fonts:
            fonts[key] = _foreign_font(shown)
        if (name := fonts[key]) is None:
            continue
        box = raw.FS_RECTF()
        if raw.FPDFText_GetLooseCharBox(text, index, box):
            known = raw.FPDFText_HasUnicodeMapError(text, index) != 1
            yield _Character(name, (box.left, box.top, box.right, box.bottom), known)


def _foreign_font(shown: raw.FPDF_PAGEOBJECT) -> str | None:
    """Return the name of the font of a text; None if the file contains it, or the text is not drawn."""
    if not shown or raw.FPDFTextObj_GetTextRenderMode(shown) in _NOT_DRAWN or _is_white(shown):
        return None
    font = raw.FPDFTextObj_GetFont(shown)
    return None if raw.FPDFFont_GetIsEmbedded(font) == 1 else _name(font)


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


def _has_ink(picture: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Return whether a part of a drawing has more than one brightness; True outside the page."""
    if _is_tiny(picture, box):
        return True
    low, high = cast("tuple[int, int]", picture.crop(_within(picture, box)).getextrema())
    return high - low >= _INK


def _is_tiny(picture: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Return whether less than two pixels of a part are inside the page in either direction."""
    left, top, right, bottom = _within(picture, box)
    return right - left < 2 or bottom - top < 2


def _within(picture: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return max(0, box[0]), max(0, box[1]), min(picture.width, box[2]), min(picture.height, box[3])


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


def _undrawn_fields(
    document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, picture: Image.Image, scale: float
) -> Iterator[bool]:
    """Yield for each field of a form in which something is filled in whether it is not drawn."""
    boxes = list(_filled_fields(document, page))
    if not boxes:
        return
    without = page.render(scale=scale, may_draw_forms=False).to_pil().convert("L")
    drawn = ImageChops.difference(picture, without)
    for box in boxes:
        yield not _has_ink(drawn, in_pixels(page, picture, box))


def _filled_fields(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> Iterator[tuple[float, ...]]:
    """Yield the box of each text or choice on a page that is filled in and not hidden."""
    if not document.formenv:
        return
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, number)
        box = raw.FS_RECTF()
        if (
            raw.FPDFAnnot_GetFormFieldType(document.formenv, note) in _WRITTEN
            and not raw.FPDFAnnot_GetFlags(note) & _HIDDEN
            # Two bytes are an empty text.
            and raw.FPDFAnnot_GetFormFieldValue(document.formenv, note, None, 0) > 2
            and raw.FPDFAnnot_GetRect(note, box)
        ):
            yield box.left, box.top, box.right, box.bottom
        raw.FPDFPage_CloseAnnot(note)
