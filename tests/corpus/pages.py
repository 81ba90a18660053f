"""Draw the pages of a document with our child process and with pdftoppm, and judge the differences."""

from __future__ import annotations

import io
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._evidence.file_types import PDF
from tests.corpus import comparing

WIDTH = 800
MOST = 4.0
"""The mean difference of two drawings, of 255, above which a reason is needed."""
_SECONDS = 120
# The columns of pdffonts behind the name and the type of a font: encoding, embedded, subset, Unicode, object.
_FONT = re.compile(r"\s(yes|no)\s+(?:yes|no)\s+(?:yes|no)\s+\d+\s+\d+$")


@dataclass(frozen=True, slots=True)
class Page:
    """One page as both drew it.

    :param number: from 1.
    :param difference: mean difference of the drawings, of 255.
    :param lost: tiles with ink in pdftoppm's drawing and none in ours.
    :param note: what our drawing says that it does not show; None for nothing.
    :param reason: why the drawings differ by more than :data:`MOST`; None if that has no known reason.
    :param known: what is known about this page; None for nothing.
    """

    number: int
    difference: float
    lost: tuple[tuple[int, int], ...]
    note: str | None
    reason: str | None
    known: str | None

    @property
    def differs(self) -> bool:
        """Return whether a reason is needed."""
        return self.difference > MOST

    @property
    def is_wrong(self) -> bool:
        """Return whether something is not shown, and this is not said."""
        return bool(self.lost) and not (self.note or self.known)


class NotDrawnError(Exception):
    """pdftoppm cannot draw a page."""


def compared(
    renderer: Renderer, content: bytes, reference: Path, number: int, known: str | None, kept: Path | None
) -> Page:
    """Draw and compare one page.

    :param content: the document that we send.
    :param reference: the file that pdftoppm draws.
    :param known: what is known about this page; None for nothing.
    :param kept: a folder for both drawings of a page that differs or lost ink; None for no such folder.
    :raises NotDrawnError: if pdftoppm draws nothing.
    """
    ours = _opened(renderer.render(content, number, WIDTH))
    theirs = _drawn_by_poppler(reference, number, ours.size)
    difference = comparing.difference(theirs, ours)
    lost = tuple(comparing.lost_tiles(theirs, ours))
    note = _note(renderer, content, number) if lost or difference > MOST else None
    reason = None
    if difference > MOST:
        reason = known or _reason(theirs, ours, reference, number, note)
    page = Page(number, difference, lost, note, reason, known)
    if kept and (page.lost or page.differs):
        _beside(theirs, ours, page.lost).save(kept / f"{reference.stem[:16]}-{number}.png")
    return page


def _note(renderer: Renderer, content: bytes, number: int) -> str | None:
    if not content.startswith(PDF.starts):
        return None
    try:
        return renderer.draw(content, number).unseen.problem
    except RenderingError as error:
        return error.problem


def _reason(
    theirs: Image.Image, ours: Image.Image, reference: Path, number: int, note: str | None
) -> str | None:
    if note:
        return "noted: not everything is drawn"
    if comparing.coarse_difference(theirs, ours) <= MOST:
        return "edges: the same at a quarter of the size"
    if _has_replaced_fonts(reference, number):
        return "fonts: not in the file, and replaced by others"
    return None


def _has_replaced_fonts(file: Path, number: int) -> bool:
    lines = _run("pdffonts", "-f", str(number), "-l", str(number), str(file)).stdout.decode(errors="replace")
    return any(found[1] == "no" for line in lines.splitlines() if (found := _FONT.search(line)))


def _drawn_by_poppler(file: Path, number: int, size: tuple[int, int]) -> Image.Image:
    with tempfile.TemporaryDirectory() as folder:
        one = ("-f", str(number), "-l", str(number), "-singlefile", "-cropbox", "-png")
        # The longer side only: pdftoppm confuses width and height on a page that is turned.
        _run("pdftoppm", *one, "-scale-to", str(max(size)), str(file), f"{folder}/page")
        try:
            picture = _opened(Path(folder, "page.png").read_bytes())
        except FileNotFoundError:
            raise NotDrawnError from None
    return picture if picture.size == size else picture.resize(size)


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotDrawnError from None


def _opened(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def _beside(theirs: Image.Image, ours: Image.Image, lost: tuple[tuple[int, int], ...]) -> Image.Image:
    """Return pdftoppm's drawing with lost tiles in red, beside ours."""
    both = Image.new("RGB", (theirs.width * 2 + 8, theirs.height), "blue")
    both.paste(theirs.convert("RGB"), (0, 0))
    both.paste(ours.convert("RGB"), (theirs.width + 8, 0))
    for column, row in lost:
        at = (column * comparing.TILE, row * comparing.TILE)
        tile = Image.new("RGB", (comparing.TILE, comparing.TILE), "red")
        both.paste(
            Image.blend(both.crop((*at, at[0] + comparing.TILE, at[1] + comparing.TILE)), tile, 0.4), at
        )
    return both
