"""Put pictures into PDFs, as the bytes of their files where a PDF can hold them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image

from dispute_provider._documents.child.converting import flat
from dispute_provider._documents.child.pictures import square_size
from dispute_provider._documents.child.polyglots import jpeg_end
from dispute_provider._evidence.file_types import PNG

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

_ORIENTATION = 0x0112
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


def embedded(document: Any, picture: Image.Image, content: bytes) -> Embedded:
    """Put the current frame of a picture into a PDF.

    The pixels of a JPEG or a plain PNG are kept as they are coded. Decode them before: a damaged one is not
    found here.

    :param content: the file of the picture.
    """
    if picture.mode in ("L", "RGB") and picture.format in _JPEGS:
        made = document.make_stream(_plain_jpeg(content), Filter=pikepdf.Name.DCTDecode)
        shown, orientation = picture, _orientation(picture)
    else:
        plain = picture.format == PNG.name and _is_plain(picture, content)
        shown, orientation = (picture, _orientation(picture)) if plain else (flat(picture), 1)
        made = document.make_stream(
            _coded(content if plain else _png(shown)), Filter=pikepdf.Name.FlateDecode
        )
        made.DecodeParms = pikepdf.Dictionary(
            Predictor=15, Colors=len(shown.mode), BitsPerComponent=8, Columns=shown.width
        )
    made.Type, made.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
    made.Width, made.Height, made.BitsPerComponent = shown.width, shown.height, 8
    made.ColorSpace = pikepdf.Name.DeviceGray if shown.mode == "L" else pikepdf.Name.DeviceRGB
    profile = shown.info.get("icc_profile")
    if profile and shown.mode == "RGB":
        made.ColorSpace = pikepdf.Array([pikepdf.Name.ICCBased, document.make_stream(profile, N=3)])
    return Embedded(made, *square_size(shown), orientation)


def _orientation(picture: Image.Image) -> int:
    """Return how a picture is turned. Pillow's own method for PNG would decode it."""
    return int(Image.Image.getexif(picture).get(_ORIENTATION, 1))


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
    return b"".join([*kept, photo[at : jpeg_end(photo)]])


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
