"""Set text in the fonts that the child has, line by line.

Letters that belong together are set in the first font that has them. What no font has is never left out: a
symbol is written by its name, as ``[package]``; a text with other characters is refused, and they are named.
Hebrew, Arabic and Syriac run from right to left.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

from dispute_provider._documents.child import bidi
from dispute_provider._documents.child.fonts import Font
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.shaping import UNSHOWN, Cluster, Face, script_of
from dispute_provider._documents.messages import Refusal

PLAIN, FIXED, BOLD = "dejavusans", "dejavusansmono", "VeraBd"
"""The families of most text, and reportlab's name of the font of titles, which has Latin letters only."""
# Characters that show nothing: variants, a soft hyphen and the like.
_UNSHOWN = dict.fromkeys([0xAD, 0x200B, 0x2060, *range(0xFE00, 0xFE10), 0xFEFF])
_MARKS = dict.fromkeys(map(ord, bidi.MARKS))
_BREAKS = "\t\n\v\f\r\x85\u2028\u2029"
# Scripts whose letters do not change with their neighbours.
_APART = ("Latn", "Grek", "Cyrl", "Hani", "Hira", "Kana", "Hang")
_MOST_NAMED = 20


class Line(NamedTuple):
    """A line as it is drawn from left to right.

    :param is_from_right: whether its paragraph runs from right to left.
    """

    clusters: list[Cluster]
    size: float
    is_from_right: bool = False

    @property
    def width(self) -> float:
        """Return its width in points."""
        return self.size * sum(each.width for each in self.clusters)

    def draw(self, page: Any, left: float, height: float) -> None:
        """Draw it on a page of reportlab."""
        for (face, is_plain), run in groupby(self.clusters, lambda each: (each.face, each.is_plain)):
            clusters = list(run)
            for part in [clusters] if is_plain else [[each] for each in clusters]:
                face.draw(page, left, height, self.size, part)
                left += self.size * sum(each.width for each in part)


class Letters:
    """The fonts of a document.

    :param fonts: of the machine, those of this package first.
    """

    def __init__(self, fonts: Sequence[Font]) -> None:
        usable = [font for font in fonts if font.is_truetype]
        self._fonts = sorted(usable, key=lambda font: font.bold or font.italic)
        self._loaded: dict[Font, Face | None] = {}
        self._chosen: dict[tuple[str, str], Face | None] = {}

    def legible(self, text: str) -> tuple[str, list[str]]:
        """Return a text as it can be set, and the symbols that are written by their names.

        :raises Refused: if it has letters that cannot be set.
        """
        text = unicodedata.normalize("NFC", text).translate(_UNSHOWN)
        if not bidi.runs_both_ways(text):
            text = text.translate(_MARKS)
        unknown = [each for each in _with_glyphs(text) if each not in _BREAKS and not self._face(each, PLAIN)]
        if letters := list(filter(_is_letter, unknown)):
            raise Refused(Refusal.NO_FONT, *map(ord, letters[:_MOST_NAMED]))
        names = {each: " " if unicodedata.category(each)[0] == "Z" else _named(each) for each in unknown}
        shown = "".join(names.get(each, each) for each in text) if names else text
        return shown, [name for name in names.values() if name != " "]

    def line(self, text: str, size: float) -> Line:
        """Return a legible text in one line."""
        [line] = self.wrapped(text, inf, size)
        return line

    def wrapped(self, text: str, room: float, size: float, font: str = PLAIN) -> list[Line]:
        """Return a legible paragraph in lines of some width, broken between words where possible.

        :param room: points.
        :param size: points.
        """
        paragraph = bidi.Paragraph(text)
        lines = []
        for clusters in _broken(self._shaped(text, paragraph.levels, font), room / size):
            start, end = (clusters[0].start, clusters[-1].start + 1) if clusters else (0, 0)
            levels = paragraph.in_line(start, end)
            shown = bidi.in_order(clusters, [levels[each.start - start] for each in clusters])
            lines.append(Line(shown, size, paragraph.is_from_right))
        return lines

    def _shaped(self, text: str, levels: Sequence[int], font: str) -> list[Cluster]:
        """Return a paragraph's clusters in the order in which they are read."""
        clusters: list[Cluster] = []
        scripts = _scripts(text)
        parts = zip(levels, scripts, self._faces(text, scripts, font), strict=True)
        end = 0
        for (level, _, face), part in groupby(parts):
            start, end = end, end + len(list(part))
            clusters += face.shaped(text, start, end, from_right=bool(level % 2))
        return clusters

    def _faces(self, text: str, scripts: Sequence[str], font: str) -> Iterator[Face]:
        """Yield the face of each character."""
        end = 0
        for script, part in groupby(scripts):
            start, end = end, end + len(list(part))
            characters = dict.fromkeys(text[start:end])
            # Letters that join are set in one font if there is one that has them all.
            preferred = [self._face("".join(filter(script_of, characters)), font)]
            if script in _APART:
                preferred.insert(0, self._face("", font))
            faces = {each: self._first_with(each, preferred, font) for each in characters}
            yield from map(faces.__getitem__, text[start:end])

    def _first_with(self, character: str, preferred: Sequence[Face | None], font: str) -> Face:
        faces = (each for each in preferred if each and (ord(character) in UNSHOWN or each.has(character)))
        found = next(faces, None) or self._face(character, font)
        assert found, "the text is not legible"
        return found

    def _face(self, characters: str, font: str) -> Face | None:
        """Return a face that has some characters, of a family if possible; None if there is none."""
        if (key := (characters, font)) not in self._chosen:
            needed = _with_glyphs(characters)
            known = [each for each in self._fonts if all(map(each.has, needed))]
            known.sort(key=lambda each: each.family != font)
            self._chosen[key] = next(filter(None, map(self._load, known)), None)
        return self._chosen[key]

    def _load(self, font: Font) -> Face | None:
        if font not in self._loaded:
            try:
                self._loaded[font] = Face(font)
            except ValueError:
                self._loaded[font] = None
        return self._loaded[font]


def _with_glyphs(text: str) -> list[str]:
    """Return the different characters of a text, without those that show nothing."""
    return list(dict.fromkeys(text.translate(UNSHOWN)))


def _scripts(text: str) -> list[str]:
    """Return the script of each character: of a comma or an accent, that of the letter before it."""
    given = [*map(script_of, text)]
    script = next(filter(None, given), "")
    return [script := each or script for each in given]


def _broken(clusters: list[Cluster], room: float) -> list[list[Cluster]]:
    """Return the clusters of each line.

    :param room: its width in ems.
    """
    lines, start, space, used = [], 0, -1, 0.0
    for place, each in enumerate(clusters):
        used += each.width
        is_space = each.text.startswith(" ")
        if is_space:
            space = place
        if used > room and place > start and not is_space:
            end = space if space > start else place
            lines.append(clusters[start:end])
            start = end + (space > start)
            space = -1
            used = sum(cluster.width for cluster in clusters[start : place + 1])
    return [*lines, clusters[start:]]


def _is_letter(character: str) -> bool:
    category = unicodedata.category(character)
    # A frame around a character, as of a key in an emoji, is a symbol.
    return category[0] in "LMN" and category != "Me"


def _named(character: str) -> str:
    return f"[{unicodedata.name(character, f'U+{ord(character):04X}').lower()}]"


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text, with spaces for its tabs."""
    for line in text.replace("\f", "\n").replace("\v", "\n").splitlines():
        yield line.expandtabs(8).rstrip()
