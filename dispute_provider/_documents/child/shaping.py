"""Find the glyphs of a text with HarfBuzz, and draw them with reportlab.

In many scripts a letter changes with its neighbours, several letters become one glyph, or a vowel stands
before the letter that it follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise, repeat
from typing import Any, NamedTuple

from dispute_provider._documents.child.bidi import MARKS
from dispute_provider._documents.child.fonts import Font
from dispute_provider._documents.child.glyph_fonts import GlyphFont, hexadecimal

uharfbuzz: Any
pdfmetrics: Any
try:
    import uharfbuzz  # type: ignore[import-untyped,no-redef]
    from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped,no-redef]
except ImportError:
    uharfbuzz = pdfmetrics = None

# Letters join across a change of the font, so HarfBuzz is shown as many characters around a part.
_AROUND = 5
# What only says how letters join, and in which direction they run.
UNSHOWN = dict.fromkeys(map(ord, f"\u200c\u200d{MARKS}"))
_NOTHING = "\N{ZERO WIDTH SPACE}"
_BYTE_ORDER = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Cluster(NamedTuple):
    """Characters that are drawn together: mostly one, by one glyph.

    :param text: in the order in which it is read.
    :param start: its place in the paragraph.
    :param width: ems.
    :param glyphs: each with its place to the right of the cluster's beginning and above, in the font's units.
    :param is_plain: whether its only glyph begins where it does and ends where it does.
    """

    text: str
    start: int
    face: Face
    width: float
    glyphs: list[tuple[int, int, int]]
    is_plain: bool


class Face:
    """A font that texts are set in.

    :raises ValueError: if it may not be put into a PDF.
    """

    def __init__(self, font: Font) -> None:
        content = font.content[:]
        self.has = font.has
        self._font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob(content), font.index))
        self._unit = 1 / self._font.face.upem
        self._advance = lru_cache(maxsize=None)(self._font.get_glyph_h_advance)
        self._space = self._font.get_nominal_glyph(ord(" "))
        self._name = f"{font.path} {font.index}"
        pdfmetrics.registerFont(
            GlyphFont(self._name, content, font, lambda glyph: self._advance(glyph) * self._unit)
        )
        self._drawn = pdfmetrics.getFont(self._name)

    def shaped(self, text: str, start: int, end: int, *, from_right: bool) -> Iterator[Cluster]:
        """Yield the clusters of a part of a paragraph in one script, in the order in which they are read."""
        first = max(0, start - _AROUND)
        buffer = uharfbuzz.Buffer()
        buffer.cluster_level = uharfbuzz.BufferClusterLevel.MONOTONE_GRAPHEMES
        buffer.flags = uharfbuzz.BufferFlags.REMOVE_DEFAULT_IGNORABLES
        buffer.add_str(text[first : end + _AROUND], start - first, end - start)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if from_right else "ltr"
        # Latin letters stand as far apart as their font says, so that a word is one string.
        uharfbuzz.shape(self._font, buffer, {"kern": False, "liga": buffer.script != "Latn"})
        found: dict[int, list[tuple[int, Any]]] = {}
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            found.setdefault(first + info.cluster, []).append((info.codepoint, position))
        for place, behind in pairwise([*sorted(found), end]):
            yield self._cluster(text[place:behind], place, found[place])

    def _cluster(self, text: str, start: int, found: list[tuple[int, Any]]) -> Cluster:
        at, glyphs = 0, []
        for glyph, position in found:
            glyphs.append((glyph, at + position.x_offset, position.y_offset))
            at += position.x_advance
        is_plain = len(glyphs) == 1 and glyphs[0][1:] == (0, 0) and at == self._advance(glyphs[0][0])
        shown = text if len(text) == 1 else text.translate(UNSHOWN)
        return Cluster(shown, start, self, at * self._unit, glyphs, is_plain)

    def draw(self, page: Any, left: float, height: float, size: float, clusters: Sequence[Cluster]) -> None:
        """Draw plain clusters side by side, or another one, on a page of reportlab."""
        page.setFont(self._name, size)
        if clusters[0].is_plain:
            characters = self._drawn.characters(page)
            page.drawString(
                left, height, "".join(characters[each.glyphs[0][0], each.text] for each in clusters)
            )
        else:
            [cluster] = clusters
            self._draw_apart(page, left, height, size, cluster)

    def _draw_apart(self, page: Any, left: float, height: float, size: float, cluster: Cluster) -> None:
        """Draw a cluster whose glyphs do not all follow each other."""
        texts = chain([cluster.text], repeat(_NOTHING))
        width = round(cluster.width / self._unit)
        behind, strings = (0, 0), list[tuple[int, int, str]]()
        for glyph, right, up in cluster.glyphs:
            character = self._drawn.characters(page)[glyph, next(texts)]
            if strings and (right, up) == behind:
                strings[-1] = *strings[-1][:2], strings[-1][2] + character
            else:
                strings.append((right, up, character))
            behind = right + self._advance(glyph), up
        if behind != (width, 0):
            # Where the last glyph does not end with the cluster, programs read a space behind it.
            strings.append(
                (width - self._advance(self._space), 0, self._drawn.characters(page)[self._space, _NOTHING])
            )
        page.addLiteral(f"/Span <</ActualText {hexadecimal(_BYTE_ORDER + cluster.text)}>> BDC")
        for right, up, string in strings:
            page.drawString(left + size * self._unit * right, height + size * self._unit * up, string)
        page.addLiteral("EMC")


@lru_cache(maxsize=10_000)
def script_of(character: str) -> str:
    """Return the script of a letter, as ``Arab``; empty for characters that many scripts have."""
    buffer = uharfbuzz.Buffer()
    buffer.add_str(character)
    buffer.guess_segment_properties()
    return buffer.script or ""
