"""Turn scans into PDFs."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from dispute_provider._documents.child.embedding import Embedded, embedded
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.showing import (
    MAX_FRAMES,
    MAX_PIXELS,
    flat,
    frames_of,
    is_black_and_white,
    saved,
)
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence.file_types import JPEG, PDF, TIFF

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

_POINTS_PER_INCH = 72


def is_for_pdf(picture: Image.Image) -> bool:
    """Return whether only a PDF can hold a picture as it is: several pages of a TIFF, or black and white."""
    name, frames = frames_of(picture)
    return name == TIFF.name if frames > 1 else is_black_and_white(picture)


def as_pdf(picture: Image.Image) -> tuple[bytes, list[Done]]:
    """Return all pages of a picture as a PDF, and the changes made.

    Black and white is kept, pixel by pixel; other pages are coded as JPEG.

    :raises Refused: if it has too many pages or pixels, or a library is missing.
    """
    if not pikepdf:
        raise Refused(Refusal.NO_PACKET)
    name, frames = frames_of(picture)
    if frames > MAX_FRAMES:
        raise Refused(Refusal.MANY_PAGES, frames, MAX_FRAMES)
    written = io.BytesIO()
    with pikepdf.new() as document:
        for index in range(frames):
            picture.seek(index)
            dpi = _resolution(picture)
            page = _as_page(document, picture)
            wide, tall = (side * _POINTS_PER_INCH / dpi for side in page.upright_size)
            page.add_page(document, (wide, tall), (0, 0, wide, tall))
        document.save(written, deterministic_id=True)
    pages = [Done("pages", (frames,))] if frames > 1 else []
    return written.getvalue(), [Done("converted", (name, PDF.name)), *pages]


def _as_page(document: Any, picture: Image.Image) -> Embedded:
    if picture.width * picture.height > MAX_PIXELS:
        raise Refused(Refusal.MANY_PIXELS, picture.width, picture.height, MAX_PIXELS)
    if is_black_and_white(picture):
        return embedded(document, picture, b"")
    photo = saved(flat(picture), JPEG)
    return embedded(document, Image.open(io.BytesIO(photo)), photo)


def _resolution(picture: Image.Image) -> float:
    """Return the dots per inch of a scan; a width of A4, 8.27 inches, if it does not say."""
    across = max((float(each) for each in picture.info.get("dpi", ())), default=0.0)
    return across if across > 1 else picture.width / 8.27
