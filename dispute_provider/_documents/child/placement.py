"""Find where the pictures of a PDF are drawn, and how finely."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

_POINTS_PER_INCH = 72
_DEEPEST = 5


def dots_per_inch(document: Any) -> dict[tuple[int, int], float]:
    """Return the lowest resolution at which each picture of a PDF is drawn, by its object number.

    Pictures that only notes or patterns draw are left out.
    """
    lowest: dict[tuple[int, int], float] = {}
    for page in document.pages:
        unit = float(page.obj.get("/UserUnit", 1))
        start = pikepdf.Matrix(unit, 0, 0, unit, 0, 0)
        for picture, matrix in _drawn(page.obj, page.resources, start, _DEEPEST):
            across = _resolution(int(picture.Width), matrix.a, matrix.b)
            down = _resolution(int(picture.Height), matrix.c, matrix.d)
            lowest[picture.objgen] = min(across, down, lowest.get(picture.objgen, math.inf))
    return lowest


def _resolution(pixels: int, x: float, y: float) -> float:
    return pixels * _POINTS_PER_INCH / (math.hypot(x, y) or math.inf)


def _drawn(content: Any, resources: Any, matrix: Any, deeper: int) -> Iterator[tuple[Any, Any]]:
    """Yield each picture that a page or a form draws, with the matrix of its unit square."""
    forms = resources.get("/XObject", {}) if resources is not None else {}
    outer = []
    for operands, operator in pikepdf.parse_content_stream(content, "q Q cm Do"):
        match str(operator):
            case "q":
                outer.append(matrix)
            case "Q" if outer:
                matrix = outer.pop()
            case "cm":
                matrix = pikepdf.Matrix(*map(float, operands)) @ matrix
            case "Do" if isinstance(found := forms.get(str(operands[0])), pikepdf.Stream):
                if found.get("/Subtype") == "/Image":
                    yield found, matrix
                elif deeper and found.get("/Subtype") == "/Form":
                    inner = pikepdf.Matrix(*map(float, found.get("/Matrix", (1, 0, 0, 1, 0, 0)))) @ matrix
                    yield from _drawn(found, found.get("/Resources", resources), inner, deeper - 1)
