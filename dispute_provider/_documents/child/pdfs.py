"""Inspect and draw PDFs with pdfium."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pypdfium2
from PIL import Image
from pypdfium2 import raw

from dispute_provider._documents.card_numbers import has_card_number
from dispute_provider._documents.child.link_borders import show_link_borders
from dispute_provider._documents.child.pictures import MAX_SHOWN_HEIGHT, MAX_SHOWN_PIXELS
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.showing import MAX_PIXELS
from dispute_provider._documents.messages import Refusal
from dispute_provider._evidence.file_types import PDF

# More than a reviewer can read; the text of every page is searched for card numbers.
MAX_PAGES = 500
# A page object, or a stream of objects, which may contain pages.
_HAS_PAGES = re.compile(rb"/Type\s*/Page\b|/ObjStm\b")
_ACTIVE = re.compile(rb"/S\s*/(?:JavaScript|Launch)\b")
_PORTFOLIO = re.compile(rb"/Collection\b")
_PACKED_OBJECTS = re.compile(rb"/ObjStm\b.{0,300}?>>\s*stream\r?\n", re.DOTALL)
_MAX_UNPACKED = 64 * 1024 * 1024
_XFA = (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND)
_MEDIA = {
    raw.FPDF_ANNOT_SOUND,
    raw.FPDF_ANNOT_MOVIE,
    raw.FPDF_ANNOT_SCREEN,
    raw.FPDF_ANNOT_THREED,
    raw.FPDF_ANNOT_RICHMEDIA,
}


def inspect(content: bytes) -> tuple[str, int, bool]:
    """Return a PDF's content type, number of pages, and whether its text has a card number."""
    with opened(content) as document:
        if b"%%EOF" not in content:
            raise Refused(Refusal.BROKEN)
        pages = len(document)
        if pages > MAX_PAGES:
            raise Refused(Refusal.MANY_PAGES, pages, MAX_PAGES)
        if document.count_attachments():
            is_portfolio = any(map(_PORTFOLIO.search, _objects(content)))
            raise Refused(Refusal.PORTFOLIO if is_portfolio else Refusal.ATTACHMENTS)
        if raw.FPDFDoc_GetJavaScriptActionCount(document) or any(map(_ACTIVE.search, _objects(content))):
            raise Refused(Refusal.ACTIVE)
        if document.get_formtype() in _XFA:
            raise Refused(Refusal.DYNAMIC_FORM)
        # Not any(): every page must be read, because any of them may be damaged.
        card_number = sum(_has_card_number(document, index) for index in range(pages)) > 0
    return PDF.content_type, pages, card_number


def scale_of(page: pypdfium2.PdfPage, width: int) -> float:
    """Return how many pixels a point has on the drawing of an open page.

    :param width: of the drawing, in pixels; a very tall page becomes narrower.
    """
    wide, tall = page.get_size()
    return float(min(width / wide, MAX_SHOWN_HEIGHT / tall, (MAX_SHOWN_PIXELS / (wide * tall)) ** 0.5))


def draw(page: pypdfium2.PdfPage, scale: float) -> Image.Image:
    """Draw an open page with its form fields and annotations, as common viewers show it.

    :param scale: pixels per point.
    :returns: a picture in mode RGBX, which needs no conversion.
    """
    show_link_borders(page)
    picture: Image.Image = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=True).to_pil()
    return picture


@contextmanager
def opened_page(content: bytes, number: int) -> Iterator[tuple[pypdfium2.PdfDocument, pypdfium2.PdfPage]]:
    """Open a PDF with its forms, and one of its pages.

    :param number: of the page, from 1.
    :raises Refused: if it cannot be opened, or has no such page.
    """
    with opened(content) as document:
        if not 1 <= number <= len(document):
            raise Refused(Refusal.NO_SUCH_PAGE, len(document), number)
        document.init_forms()
        yield document, document[number - 1]


@contextmanager
def opened(content: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """Open a PDF.

    :raises Refused: if it cannot be opened.
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        # pdfium's error code may come from an earlier document.
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY) and b"/Encrypt" in content:
            raise Refused(Refusal.ENCRYPTED) from None
        raise Refused(Refusal.BROKEN if _HAS_PAGES.search(content) else Refusal.NO_PAGES) from None
    with document:
        if raw.FPDF_GetSecurityHandlerRevision(document) != -1:
            raise Refused(Refusal.ENCRYPTED)
        yield document


def _objects(content: bytes) -> Iterator[bytes]:
    """Yield the bytes of a PDF, and the contents of its object streams as far as they can be decompressed."""
    yield content
    for found in _PACKED_OBJECTS.finditer(content):
        packed = content[found.end() : content.find(b"endstream", found.end())]
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(packed, _MAX_UNPACKED)


def _has_card_number(document: pypdfium2.PdfDocument, index: int) -> bool:
    """Return whether a page has a card number in its text, annotations or form fields.

    :raises Refused: if the page has content that a drawing cannot show.
    """
    page = document[index]
    texts = [page.get_textpage().get_text_range()]
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, number)
        kind = raw.FPDFAnnot_GetSubtype(note)
        texts += (_string(note, key) for key in (b"Contents", b"V"))
        raw.FPDFPage_CloseAnnot(note)
        if kind == raw.FPDF_ANNOT_FILEATTACHMENT:
            raise Refused(Refusal.ATTACHMENTS)
        if kind in _MEDIA:
            raise Refused(Refusal.MEDIA, index + 1)
    for picture in page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,)):
        wide, tall = picture.get_px_size()
        if wide * tall > MAX_PIXELS:
            # The drawing would omit it for lack of memory.
            raise Refused(Refusal.MANY_PIXELS, wide, tall, MAX_PIXELS)
    page.close()
    return any(map(has_card_number, texts))


def _string(note: raw.FPDF_ANNOTATION, key: bytes) -> str:
    size = raw.FPDFAnnot_GetStringValue(note, key, None, 0)
    text = (raw.FPDF_WCHAR * (size // 2 + 1))()
    raw.FPDFAnnot_GetStringValue(note, key, text, size)
    return bytes(text)[:size].decode("utf-16-le", "ignore").rstrip("\0")
