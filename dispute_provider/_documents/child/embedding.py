"""Put pictures into PDFs, as the bytes of their files where a PDF can hold them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image

from dispute_provider._documents.child import jpegs
from dispute_provider._documents.child.showing import (
    ON_ITS_SIDE,
    flat,
    is_black_and_white,
    orientation,
    square_size,
)
from dispute_provider._evidence.file_types import PNG, TIFF

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

# How the unit square of a picture is turned, by the orientation that a camera writes.
_TURNED = {
    2: "-1 0 0 1 1 0",
    3: "-1 0 0 -1 1 1",
    4: "1 0 0 -1 0 1",
    5: "0 -1 -1 0 1 1",
    6: "0 -1 1 0 0 1",
    7: "0 1 1 0 0 0",
    8: "0 1 -1 0 1 0",
}
# Tags of a TIFF.
_STRIP_OFFSETS, _STRIP_LENGTHS = 273, 279
_JPEGS = ("JPEG", "MPO")
_SCAN = 0xDA
# What a JPEG decoder needs of the segments that programs add.
_NEEDED = (0xE0, 0xEE)
_CHUNK = struct.Struct(">L4s")
# Of a PNG: 8 bits for each of grey or RGB, not interlaced.
_PLAIN = (b"\x08\x00\x00\x00\x00", b"\x08\x02\x00\x00\x00")
# What Pillow finds only when it has decoded the picture: texts, which may hold its orientation.
_LATE = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")


class Embedded(NamedTuple):
    """A picture in a PDF.

    :param made: its object.
    :param wide: its width if its pixels were square.
    :param tall: its height, likewise.
    :param orientation: as a camera writes it, 1 if it is upright.
    """

    made: Any
    wide: int
    tall: int
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """Return its width and height as it is shown."""
        return (self.tall, self.wide) if self.orientation in ON_ITS_SIDE else (self.wide, self.tall)

    def add_page(
        self, document: Any, page: tuple[float, float], box: tuple[float, float, float, float]
    ) -> None:
        """Add a page that shows it upright.

        :param page: the width and height of the page, in points.
        :param box: where it is drawn: left, bottom, width and height, in points.
        """
        left, below, width, height = box
        turned = f"{_TURNED[self.orientation]} cm " if self.orientation in _TURNED else ""
        drawing = f"q {width:.3f} 0 0 {height:.3f} {left:.3f} {below:.3f} cm {turned}/Picture Do Q"
        document.add_blank_page(page_size=page)
        added = document.pages[-1]
        added.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Picture=self.made))
        added.obj.Contents = document.make_stream(drawing.encode())


def embedded(document: Any, picture: Image.Image, content: bytes) -> Embedded:
    """Put the current frame of a picture into a PDF.

    The pixels of a JPEG or a plain PNG are kept as they are coded. Decode them before: a damaged one is not
    found here.

    :param content: the file of the picture.
    """
    turned = orientation(picture)
    if is_black_and_white(picture):
        made, shown = _black_and_white(document, picture), picture
    elif picture.mode in ("L", "RGB") and picture.format in _JPEGS:
        made = document.make_stream(_plain_jpeg(content), Filter=pikepdf.Name.DCTDecode)
        shown = picture
    else:
        plain = picture.format == PNG.name and _is_plain(picture, content)
        shown, turned = (picture, turned) if plain else (flat(picture), 1)
        made = _deflated(document, shown, content if plain else _png(shown))
    made.Type, made.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
    made.Width, made.Height = shown.size
    made.BitsPerComponent = _bits(shown)
    made.ColorSpace = pikepdf.Name.DeviceRGB if shown.mode == "RGB" else pikepdf.Name.DeviceGray
    profile = shown.info.get("icc_profile")
    if profile and shown.mode == "RGB":
        made.ColorSpace = pikepdf.Array([pikepdf.Name.ICCBased, document.make_stream(profile, N=3)])
    return Embedded(made, *square_size(shown), turned)


def _black_and_white(document: Any, picture: Image.Image) -> Any:
    """Return a picture in black and white, coded as a fax, or as a PNG if that is smaller."""
    strip = -(-picture.width // 8) * picture.height
    written = io.BytesIO()
    # Its tags would be written too, among them how it is turned.
    plain = picture.copy()
    plain.info = {}
    plain.save(written, TIFF.name, compression="group4", strip_size=strip)
    tags = Image.open(io.BytesIO(written.getvalue())).tag_v2  # type: ignore[attr-defined]
    [at], [length] = tags[_STRIP_OFFSETS], tags[_STRIP_LENGTHS]
    fax = document.make_stream(written.getvalue()[at : at + length], Filter=pikepdf.Name.CCITTFaxDecode)
    fax.DecodeParms = pikepdf.Dictionary(K=-1, BlackIs1=True, Columns=picture.width, Rows=picture.height)
    png = _deflated(document, picture, _png(plain))
    return min(fax, png, key=lambda each: len(each.read_raw_bytes()))


def _deflated(document: Any, picture: Image.Image, png: bytes) -> Any:
    made = document.make_stream(_coded(png), Filter=pikepdf.Name.FlateDecode)
    made.DecodeParms = pikepdf.Dictionary(
        Predictor=15, Colors=len(picture.mode), BitsPerComponent=_bits(picture), Columns=picture.width
    )
    return made


def _bits(picture: Image.Image) -> int:
    return 1 if picture.mode == "1" else 8


def _is_plain(picture: Image.Image, png: bytes) -> bool:
    """Return whether a PDF can hold the pixels of a PNG as they are coded."""
    if png[24:29] not in _PLAIN or "transparency" in picture.info:
        return False
    names = [name for name, _ in _chunks(png)]
    return not any(each in _LATE for each in names[names.index(b"IDAT") :])


def _png(picture: Image.Image) -> bytes:
    """Return a picture as PNG. The most that it can be compressed would take eight times as long."""
    written = io.BytesIO()
    picture.save(written, PNG.name, compress_level=3)
    return written.getvalue()


def _plain_jpeg(photo: bytes) -> bytes:
    """Return a JPEG without the segments that say where and with what it was taken."""
    kept, at = [photo[:2]], 2
    while at + 4 <= len(photo) and photo[at] == 0xFF and photo[at + 1] != _SCAN:
        end = at + 2 + int.from_bytes(photo[at + 2 : at + 4], "big")
        if (not 0xE0 <= photo[at + 1] <= 0xEF and photo[at + 1] != 0xFE) or photo[at + 1] in _NEEDED:
            kept.append(photo[at:end])
        at = end
    return b"".join([*kept, photo[at : jpegs.end(photo)]])


def _coded(png: bytes) -> bytes:
    """Return the compressed pixels of a PNG, which a PDF takes as they are."""
    return b"".join(data for name, data in _chunks(png) if name == b"IDAT")


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the content of each chunk of a PNG."""
    at = 8
    while at + _CHUNK.size <= len(png):
        length, name = _CHUNK.unpack_from(png, at)
        yield name, png[at + _CHUNK.size : at + _CHUNK.size + length]
        at += _CHUNK.size + length + 4
