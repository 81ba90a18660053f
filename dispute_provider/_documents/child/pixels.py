"""Convert places on a page of a PDF to pixels of its drawing."""

from __future__ import annotations

import ctypes

import pypdfium2
from PIL import Image
from pypdfium2 import raw


def in_pixels(
    page: pypdfium2.PdfPage, picture: Image.Image, box: tuple[float, ...]
) -> tuple[int, int, int, int]:
    """Return where a box is on the drawing of a page: left, top, right and bottom, in pixels.

    :param box: left, top, right and bottom in points, counted upwards.
    """
    left, top, right, bottom = box
    across, down = ctypes.c_int(), ctypes.c_int()
    corners = []
    for x, y in ((left, top), (right, bottom)):
        raw.FPDF_PageToDevice(page, 0, 0, picture.width, picture.height, 0, x, y, across, down)
        corners.append((across.value, down.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
