"""Bring pictures into the form in which they are shown: turned, with square pixels, on white."""

from __future__ import annotations

import io
from typing import Any, cast

from PIL import Image, ImageOps

from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.messages import Refusal
from dispute_provider._evidence.file_types import JPEG, TIFF, FileType

# A3 scanned at 600 dpi has 70 million.
MAX_PIXELS = 80_000_000
MAX_FRAMES = 500
_ORIENTATION = 0x0112
# The orientations of pictures whose sides are exchanged.
ON_ITS_SIDE = (5, 6, 7, 8)
# How much longer than wide a pixel can be; more is a mistake of the file.
_MOST_SQUASHED = 4
_QUALITY = 90
# Pillow's names, and those in messages.
_NAMES = {"HEIF": "HEIC", "MPO": "JPEG"}


def frames_of(picture: Image.Image) -> tuple[str, int]:
    """Return the name of a picture's format and how many pictures its file shows."""
    kind = picture.format or ""
    return _NAMES.get(kind, kind), 1 if kind == "MPO" else getattr(picture, "n_frames", 1)


def flat(picture: Image.Image) -> Image.Image:
    """Return the current frame upright, on white, with square pixels, in grey or RGB.

    :raises Refused: if it has too many pixels.
    """
    if picture.width * picture.height > MAX_PIXELS:
        raise Refused(Refusal.MANY_PIXELS, picture.width, picture.height, MAX_PIXELS)
    profile = picture.info.get("icc_profile")
    shown = on_white(upright(eight_bits(picture)))
    if shown.mode not in ("L", "RGB"):
        # A profile of four colours says nothing about three.
        profile = None if shown.mode == "CMYK" else profile
        shown = shown.convert("L" if shown.mode == "1" else "RGB")
    shown.info = {"icc_profile": profile} if profile and shown.mode == "RGB" else {}
    return shown


def saved(picture: Image.Image, kind: FileType, quality: int = _QUALITY) -> bytes:
    """Return a picture as a file, with its color profile.

    :param quality: of JPEG.
    """
    written = io.BytesIO()
    options: dict[str, Any] = {"quality": quality} if kind is JPEG else {}
    profile = picture.info.get("icc_profile")
    picture.save(written, kind.name, optimize=True, icc_profile=profile, **options)
    return written.getvalue()


def eight_bits(picture: Image.Image) -> Image.Image:
    """Scale grey of 16 bits or more to 8 bits, which Pillow would clip at 255."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode in ("I", "F"):
        low, high = cast("tuple[float, float]", picture.getextrema())
        scale = 255 / ((high - low) or 1)
        return picture.point(lambda value: value * scale - low * scale).convert("L")
    return picture


def upright(picture: Image.Image) -> Image.Image:
    """Return a picture as it is shown: turned, and with square pixels.

    A fax has about twice as many pixels across as down.
    """
    size, turned = square_size(picture), ImageOps.exif_transpose(picture)
    if size == picture.size:
        return turned
    # Black and white would lose thin lines.
    shown = turned.convert("L") if turned.mode == "1" else turned
    turned_size = size[::-1] if orientation(picture) in ON_ITS_SIDE else size
    return shown.resize(turned_size, Image.Resampling.BOX)


def orientation(picture: Image.Image) -> int:
    """Return how a picture is turned, as cameras write it: 1 if it is upright.

    Pillow turns a TIFF itself. Its own method for PNG would decode the picture.
    """
    return 1 if picture.format == TIFF.name else int(Image.Image.getexif(picture).get(_ORIENTATION, 1))


def square_size(picture: Image.Image) -> tuple[int, int]:
    """Return the size that a picture has with square pixels."""
    across, down = (float(each) for each in picture.info.get("dpi", (1, 1)))
    if picture.format == TIFF.name and _tag(picture, _ORIENTATION) in ON_ITS_SIDE:
        # Pillow has turned the picture, and not its resolution.
        across, down = down, across
    if min(across, down) <= 1 or not 1 < max(across, down) / min(across, down) <= _MOST_SQUASHED:
        return picture.size
    wide = round(picture.width * max(1.0, down / across))
    tall = round(picture.height * max(1.0, across / down))
    return picture.size if wide * tall > MAX_PIXELS else (wide, tall)


def _tag(picture: Image.Image, number: int) -> Any:
    return getattr(picture, "tag_v2", {}).get(number)


def is_black_and_white(picture: Image.Image) -> bool:
    """Return whether a picture has one bit for each pixel, and no clear ones."""
    return picture.mode == "1" and "transparency" not in picture.info


def on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("P", "LA", "PA", "La", "RGBa", "RGBA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return picture
