"""Set text in the fonts that the child has, line by line.

Each character is set in the first font that has it. What no font has is never left out: a symbol is written
by its name, as ``[package]``; a text with other characters is refused, and they are named. Hebrew and Arabic
run from right to left.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from dispute_provider._documents.child import arabic, bidi
from dispute_provider._documents.child.fonts import Font
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.messages import Refusal

pdfmetrics: Any
ttfonts: Any
try:
    from reportlab.pdfbase import pdfmetrics, ttfonts  # type: ignore[import-untyped,no-redef]
except ImportError:
    pdfmetrics = ttfonts = None

PLAIN, FIXED, BOLD = "dejavusans", "dejavusansmono", "VeraBd"
"""The families of most text, and reportlab's name of the font of titles, which has Latin letters only."""
# Characters that show nothing: joiners, variants, a soft hyphen and the like.
_UNSHOWN = dict.fromkeys([0xAD, *range(0x200B, 0x200E), 0x2060, *range(0xFE00, 0xFE10), 0xFEFF])
_MARKS = dict.fromkeys(map(ord, bidi.MARKS))
# Scripts whose letters change with their neighbours, besides Arabic and others from right to left.
_JOINED = (
    (0x0900, 0x0DFF),
    (0x0F00, 0x109F),
    (0x1700, 0x18AF),
    (0x1900, 0x1CFF),
    (0xA800, 0xA95F),
    (0xA980, 0xABFF),
    (0x11000, 0x11FFF),
)
_FROM_RIGHT = ("R", "AL")
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"
_MOST_NAMED = 20


class Letters:
    """The fonts of a document.

    :param fonts: of the machine, those of this package first.
    """

    def __init__(self, fonts: Sequence[Font]) -> None:
        self._fonts = [font for font in fonts if font.is_truetype]
        self._chosen: dict[tuple[str, str], str | None] = {}
        self._widths: dict[tuple[str, str], float] = {}

    def legible(self, text: str) -> tuple[str, list[str]]:
        """Return a text as it can be set, and the symbols that are written by their names.

        A text that runs from right to left is still in the order in which it is read.

        :raises Refused: if it has letters that cannot be set.
        """
        text = unicodedata.normalize("NFC", text)
        text = arabic.joined(text) if bidi.runs_both_ways(text) else text.translate(_MARKS)
        text = text.translate(_UNSHOWN)
        characters = dict.fromkeys(text.translate(_MARKS))
        unknown = [each for each in characters if each not in _SPACES and not self._choose(each, PLAIN)]
        for why, letters in (
            (Refusal.JOINED, list(filter(_is_joined, characters))),
            (Refusal.NO_FONT, list(filter(_is_letter, unknown))),
        ):
            if letters:
                raise Refused(why, *map(ord, letters[:_MOST_NAMED]))
        names = {each: " " if unicodedata.category(each)[0] == "Z" else _named(each) for each in unknown}
        shown = "".join(names.get(each, each) for each in text) if names else text
        return shown, [name for name in names.values() if name != " "]

    def width(self, text: str, size: float, font: str = PLAIN) -> float:
        """Return the width of a legible text in points."""
        return size * sum(self._width(each, font) for each in text)

    def wrapped(self, text: str, room: float, size: float, font: str = PLAIN) -> list[str]:
        """Return a legible paragraph in lines of some width, broken between words where possible.

        Each line has its characters as they are drawn, from left to right.
        """
        return bidi.in_order(text, self._broken(text, room, size, font))

    def _broken(self, text: str, room: float, size: float, font: str) -> list[tuple[int, int]]:
        """Return where each line begins and ends."""
        lines, start, space, used = [], 0, -1, 0.0
        for place, each in enumerate(text):
            used += size * self._width(each, font)
            if each == " ":
                space = place
            if used > room and place > start and each != " ":
                end = space if space > start else place
                lines.append((start, end))
                start = end + (space > start)
                space = -1
                used = self.width(text[start : place + 1], size, font)
        return [*lines, (start, len(text))]

    def draw(self, page: Any, left: float, height: float, text: str, size: float, font: str = PLAIN) -> None:
        """Draw a line of a legible text on a page of reportlab."""
        for name, run in groupby(text, lambda each: self._name(each, font)):
            part = "".join(run)
            page.setFont(name, size)
            page.drawString(left, height, part)
            left += self.width(part, size, font)

    def _name(self, character: str, font: str) -> str:
        return self._choose(character, font) or BOLD

    def _choose(self, character: str, font: str) -> str | None:
        """Return the name of a font that has a character, of a family if possible; None if there is none."""
        if (key := (character, font)) not in self._chosen:
            known = sorted(
                (each for each in self._fonts if each.has(character)), key=lambda each: each.family != font
            )
            names = filter(None, map(_registered, known))
            self._chosen[key] = next((name for name in names if _draws(name, character)), None)
        return self._chosen[key]

    def _width(self, character: str, font: str) -> float:
        if (key := (character, font)) not in self._widths:
            name = self._name(character, font)
            width = 0.0 if character in bidi.MARKS else pdfmetrics.stringWidth(character, name, 1)
            self._widths[key] = float(width)
        return self._widths[key]


def _registered(font: Font) -> str | None:
    """Return the name under which reportlab knows a font; None if it may not be put into a PDF."""
    name = f"{font.path} {font.index}"
    if name not in pdfmetrics.getRegisteredFontNames():
        file = io.BytesIO(font.content[:])
        try:
            pdfmetrics.registerFont(ttfonts.TTFont(name, file, subfontIndex=font.index))
        except ttfonts.TTFError:
            return None
    return name


def _draws(name: str, character: str) -> bool:
    """Return whether reportlab finds the glyph of a character; it reads only one table of them."""
    return bool(pdfmetrics.getFont(name).face.charToGlyph.get(ord(character)))


def _is_letter(character: str) -> bool:
    category = unicodedata.category(character)
    # A frame around a character, as of a key in an emoji, is a symbol.
    return category[0] in "LMN" and category != "Me"


def _is_joined(character: str) -> bool:
    """Return whether a letter changes with its neighbours in a way that is not known here."""
    code = ord(character)
    if unicodedata.bidirectional(character) in _FROM_RIGHT:
        is_letter = unicodedata.category(character) in ("Lo", "Lu", "Ll")
        name = unicodedata.name(character, "")
        return is_letter and not name.startswith("HEBREW") and not name.endswith(" FORM")
    return any(a <= code <= b for a, b in _JOINED)


def _named(character: str) -> str:
    return f"[{unicodedata.name(character, f'U+{ord(character):04X}').lower()}]"


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text, with spaces for its tabs."""
    for line in text.replace("\f", "\n").replace("\v", "\n").splitlines():
        yield line.expandtabs(8).rstrip()
