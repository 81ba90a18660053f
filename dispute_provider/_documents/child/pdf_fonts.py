"""Hand pdfium the fonts that were found before the lock, in place of those that a PDF does not contain.

Without this, pdfium opens the system's fonts when it needs them, which the locked child may not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from pypdfium2 import raw

from dispute_provider._documents.child.fonts import Font

_TTCF = int.from_bytes(b"ttcf", "big")
_ANSI, _DEFAULT, _SYMBOL = 0, 1, 2
_FIXED, _ROMAN = 1, 16
# A character of each of pdfium's character sets that few other fonts have.
_SAMPLES = {
    128: "あ",
    129: "한",
    134: "国",
    136: "國",
    161: "Ω",
    162: "ğ",
    163: "ơ",
    177: "א",
    178: "ع",
    186: "ģ",
    204: "Ж",
    222: "ก",
    238: "ř",
}
# Families that have the widths of the fonts that every PDF may use without containing them.
_SANS = ("liberationsans", "arimo", "arial", "nimbussans", "dejavusans")
_SERIF = ("liberationserif", "tinos", "timesnewroman", "nimbusroman", "dejavuserif", *_SANS)
_MONO = ("liberationmono", "cousine", "couriernew", "nimbusmonops", "dejavusansmono", *_SANS)
_ALIKE = {"helvetica": _SANS, "times": _SERIF, "timesroman": _SERIF, "courier": _MONO}
_WIDE = "dejavu"
_STYLES = ("bold", "oblique", "italic", "regular", "psmt", "ps", "mt")
# The structure has to outlive its use by pdfium.
_installed: list[Any] = []


def install(fonts: Sequence[Font]) -> None:
    """Let pdfium use these fonts, and no others."""
    chooser = _Chooser(fonts)
    info = raw.FPDF_SYSFONTINFO(version=1)
    for name, answer in (
        ("MapFont", chooser.map_font),
        ("GetFont", chooser.get_font),
        ("GetFontData", chooser.get_data),
        ("GetFaceName", chooser.get_name),
        ("GetFontCharset", lambda *_: _DEFAULT),
        ("EnumFonts", lambda *_: None),
        ("DeleteFont", lambda *_: None),
        ("Release", lambda *_: None),
    ):
        kind = dict(raw.FPDF_SYSFONTINFO._fields_)[name]
        setattr(info, name, kind(answer))
    _installed.append(info)
    raw.FPDF_SetSystemFontInfo(info)


class _Chooser:
    """Answers pdfium. A font's handle is its place in the list, from 1."""

    def __init__(self, fonts: Sequence[Font]) -> None:
        self._fonts = fonts
        self._families: dict[str, list[Font]] = {}
        for font in fonts:
            self._families.setdefault(font.family, []).append(font)

    def map_font(
        self, this: Any, weight: int, italic: int, charset: int, pitch: int, face: Any, exact: Any
    ) -> int | None:
        """Return the font that is most like one that a PDF names; None for pdfium's own fonts."""
        if charset == _SYMBOL:
            return None
        name = _plain(_text(face))
        sample = _SAMPLES.get(charset)
        alike = _ALIKE.get(name) or (_MONO if pitch & _FIXED else _SERIF if pitch & _ROMAN else _SANS)
        faces = [font for family in (name, *alike) for font in self._families.get(family, ())]
        if sample is None:
            # pdfium's own fonts have Latin letters too, and take the widths of the missing font.
            faces = [font for font in faces if font.family == name or not font.family.startswith(_WIDE)]
        else:
            faces = [font for font in (*faces, *self._fonts) if font.has(sample)]
        if not faces:
            return None
        family = [font for font in faces if font.family == faces[0].family]
        best = min(family, key=lambda font: (font.italic != bool(italic), font.bold != (weight >= 600)))
        return self._fonts.index(best) + 1

    def get_font(self, this: Any, face: Any) -> int | None:
        """Return the font of exactly this family; None if there is none."""
        faces = self._families.get(_text(face).replace(" ", "").lower())
        return self._fonts.index(faces[0]) + 1 if faces else None

    def get_data(self, this: Any, handle: int | None, table: int, buffer: Any, size: int) -> int:
        """Write a table of a font, or the font from its list of tables on, as Windows does."""
        if not handle:
            return 0
        font = self._fonts[handle - 1]
        if table == 0:
            start, end = font.start, len(font.content)
        elif table == _TTCF:
            start, end = 0, len(font.content) if font.start else 0
        else:
            start, length = font.tables.get(table.to_bytes(4, "big"), (0, 0))
            end = start + length
        if buffer and size >= end - start:
            ctypes.memmove(buffer, font.content[start:end], end - start)
        return end - start

    def get_name(self, this: Any, handle: int | None, buffer: Any, size: int) -> int:
        """Write the name of a font's family."""
        name = (self._fonts[handle - 1].family if handle else "").encode("ascii", "replace") + b"\0"
        if buffer and size >= len(name):
            ctypes.memmove(buffer, name, len(name))
        return len(name)


def _text(face: Any) -> str:
    given = ctypes.cast(face, ctypes.c_char_p).value if face else None
    return (given or b"").decode("ascii", "replace")


def _plain(name: str) -> str:
    """Return the name of a family without its style, spaces and punctuation."""
    found = "".join(each for each in name.lower() if each.isalnum())
    for style in _STYLES:
        found = found.removesuffix(style)
    return found
