"""Fonts of reportlab whose glyphs can stand for any text, so that it can be searched and copied."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any
from unicodedata import normalize
from weakref import WeakKeyDictionary
from zlib import crc32

from dispute_provider._documents.child.fonts import Font

TTFont: Any
try:
    from reportlab.pdfbase.ttfonts import TTFError, TTFont  # type: ignore[import-untyped,no-redef]
except ImportError:
    TTFont = object

# reportlab draws characters; one for each text that a glyph stands for.
_PRIVATE = 0xF0000
_CODE = re.compile("<([0-9A-F]{5})>")


class Characters(dict[tuple[int, str], str]):
    """The characters for which reportlab draws glyphs in one document, by glyph and what it stands for.

    :param face: reportlab's.
    :param width: returns the width of a glyph in ems.
    """

    def __init__(self, face: Any, width: Callable[[int], float]) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._face, self._width = face, width

    def __missing__(self, key: tuple[int, str]) -> str:
        self[key] = found = self._known(*key) or self._added(*key)
        return found

    def _known(self, glyph: int, text: str) -> str | None:
        """Return a character of the font that stands for a text; None if it has none.

        Programs search and copy a ligature that is a character, such as lam with alef, as its letters.
        """
        if len(text) == 1:
            # reportlab writes the codes of others as two characters.
            return text if text <= "\uffff" and self._face.charToGlyph.get(ord(text)) == glyph else None
        characters = map(chr, self._face.glyphToChar.get(glyph, ()))
        return next((each for each in characters if normalize("NFKC", each) == text), None)

    def _added(self, glyph: int, text: str) -> str:
        code = _PRIVATE + len(self.texts)
        self.texts.append(text)
        self._face.charToGlyph[code] = glyph
        self._face.charWidths[code] = 1000 * self._width(glyph)
        return chr(code)


class GlyphFont(TTFont):  # type: ignore[misc]
    """A font of reportlab whose glyphs stand for any text.

    :param width: returns the width of a glyph in ems.
    :raises ValueError: if the font may not be put into a PDF.
    """

    def __init__(self, name: str, content: bytes, font: Font, width: Callable[[int], float]) -> None:
        try:
            super().__init__(name, io.BytesIO(content), subfontIndex=font.index)
        except TTFError as error:
            raise ValueError(str(error)) from None
        # reportlab takes fonts of the same name for the same font.
        self.face.name += b"-%08X" % crc32(font.table(b"head"))
        self._width = width
        self._used: WeakKeyDictionary[Any, Characters] = WeakKeyDictionary()

    def characters(self, page: Any) -> Characters:
        """Return the characters for which its glyphs are drawn in the document of a page."""
        return self._used.setdefault(page._doc, Characters(self.face, self._width))

    def addObjects(self, document: Any) -> None:  # noqa: N802  # reportlab's name
        """Add the font to a document, with what its glyphs stand for."""
        super().addObjects(document)
        texts = self._used.pop(document).texts
        name = (self.face.name + self.face.subfontNameX).decode()
        for key, cmap in document.idToObject.items():
            if key.startswith("toUnicodeCMap:") and key.endswith(f"+{name}"):
                cmap.content = _CODE.sub(
                    lambda code: hexadecimal(texts[int(code[1], 16) - _PRIVATE]), cmap.content
                )


def hexadecimal(text: str) -> str:
    """Return a text as PDFs have it."""
    return f"<{text.encode('utf-16-be').hex().upper()}>"
