"""Find the fonts of the machine before the child is locked, and read what they have.

Afterwards the files are read through memory maps, which need no open file.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

SHIPPED = str(Path(__file__).parents[2] / "fonts")
SYSTEM = ("/usr/local/share/fonts", "/usr/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
_SUFFIXES = (".ttf", ".ttc", ".otf", ".otc")
# Maps count as memory of the child, which has 1 GiB.
_MOST_BYTES = 128 * 1024 * 1024
_MOST_FILES = 2000
_COLLECTION = b"ttcf"
# Of a cmap: the encodings that are read, the best first.
_ENCODINGS = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3))
_FAMILY_NAME = 1
_BOLD = 600


@dataclass(frozen=True)
class Font:
    """One face of a font file.

    :param path: its file.
    :param content: the whole file.
    :param index: its place in a collection; 0 for other files.
    :param start: where its list of tables begins; 0 for other files than collections.
    :param tables: where each table begins, and its length.
    """

    path: str
    content: mmap.mmap = field(repr=False, compare=False)
    index: int
    start: int
    tables: dict[bytes, tuple[int, int]] = field(repr=False, compare=False)

    def table(self, tag: bytes) -> bytes:
        """Return a table; empty if there is none."""
        start, length = self.tables.get(tag, (0, 0))
        return self.content[start : start + length]

    @cached_property
    def family(self) -> str:
        """Return the name of its family in lower case, without spaces."""
        names = self.table(b"name")
        count, texts = struct.unpack_from(">HH", names, 2)
        for number in range(count):
            platform, _, _, name, length, at = struct.unpack_from(">6H", names, 6 + 12 * number)
            if name == _FAMILY_NAME:
                text = names[texts + at : texts + at + length]
                found = text.decode("latin-1" if platform == 1 else "utf-16-be", "replace")
                return found.replace(" ", "").lower()
        return ""

    @cached_property
    def bold(self) -> bool:
        return len(table := self.table(b"OS/2")) >= 6 and struct.unpack_from(">H", table, 4)[0] >= _BOLD

    @cached_property
    def italic(self) -> bool:
        return len(table := self.table(b"OS/2")) >= 64 and bool(struct.unpack_from(">H", table, 62)[0] & 1)

    @property
    def is_truetype(self) -> bool:
        """Return whether it has outlines as TrueType has them, which can be put into a PDF."""
        return b"glyf" in self.tables

    def has(self, character: str) -> bool:
        """Return whether it has a glyph for a character."""
        code = ord(character)
        starts, ranges = self._ranges
        place = bisect_right(starts, code) - 1
        if place < 0:
            return False
        last, glyphs = ranges[place]
        return code <= last and (glyphs is None or any(glyphs[2 * (code - starts[place]) :][:2]))

    @cached_property
    def _ranges(self) -> tuple[list[int], list[tuple[int, bytes | None]]]:
        """Return the first character of each range, and the last with the glyphs; None if all have one."""
        try:
            ranges = sorted(_read_ranges(self.table(b"cmap")), key=lambda each: each[0])
        except struct.error:
            ranges = []
        return [first for first, _, _ in ranges], [(last, glyphs) for _, last, glyphs in ranges]


def _read_ranges(table: bytes) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield the ranges of characters in a font's best cmap, with their glyphs; None if all have one."""
    (count,) = struct.unpack_from(">H", table, 2)
    places = {}
    for number in range(count):
        platform, encoding, at = struct.unpack_from(">HHI", table, 4 + 8 * number)
        places[platform, encoding] = at
    best = next((places[each] for each in _ENCODINGS if each in places), None)
    if best is None:
        return
    cmap = table[best:]
    (form,) = struct.unpack_from(">H", cmap)
    if form == 12:
        (count,) = struct.unpack_from(">I", cmap, 12)
        for first, last, _ in struct.iter_unpack(">III", cmap[16 : 16 + 12 * count]):
            yield first, last, None
    if form == 4:
        count = struct.unpack_from(">H", cmap, 6)[0] // 2
        lasts, firsts = (struct.unpack_from(f">{count}H", cmap, at) for at in (14, 16 + 2 * count))
        places = 16 + 6 * count
        offsets = struct.unpack_from(f">{count}H", cmap, places)
        for number, (first, last, offset) in enumerate(zip(firsts, lasts, offsets, strict=True)):
            start = places + 2 * number + offset
            yield first, last, cmap[start : start + 2 * (last - first + 1)] if offset else None


def find(folders: Iterable[str]) -> tuple[Font, ...]:
    """Return the faces of the fonts in folders, in the folders' order and then by path.

    Files that cannot be read are left out, and so are the largest if there are too many.
    """
    paths = dict.fromkeys(path for folder in folders for path in _files(folder))
    by_size = sorted((Path(path).stat().st_size, path) for path in list(paths)[:_MOST_FILES])
    taken, left = set(), _MOST_BYTES
    for size, path in by_size:
        if size and (left := left - size) >= 0:
            taken.add(path)
    return tuple(face for path in paths if path in taken for face in _faces(path))


def _files(folder: str) -> Iterator[str]:
    for place, _, names in sorted(os.walk(folder)):
        yield from (f"{place}/{name}" for name in sorted(names) if name.lower().endswith(_SUFFIXES))


def _faces(path: str) -> list[Font]:
    try:
        with Path(path).open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        starts = [0]
        if content[:4] == _COLLECTION:
            (count,) = struct.unpack_from(">I", content, 8)
            starts = list(struct.unpack_from(f">{count}I", content, 12))
        faces = [
            Font(path, content, index, start, dict(_tables(content, start)))
            for index, start in enumerate(starts)
        ]
        # A broken file is found now, and not while a document is drawn.
        return [each for each in faces if each.family]
    except (OSError, ValueError, struct.error, IndexError):
        return []


def _tables(content: mmap.mmap, start: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    (count,) = struct.unpack_from(">H", content, start + 4)
    for number in range(count):
        tag, _, at, length = struct.unpack_from(">4sIII", content, start + 12 + 16 * number)
        yield tag, (at, length)
