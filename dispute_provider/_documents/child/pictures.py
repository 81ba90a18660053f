"""Inspect and draw JPEG, PNG, TIFF and GIF with Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import cast

from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from dispute_provider._documents.child.polyglots import has_pdf_header
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.messages import Refusal
from dispute_provider._evidence.file_types import GIF, JPEG, PICTURES, PNG, FileType

# A3 scanned at 600 dpi has 70 million.
MAX_PIXELS = 80_000_000
MAX_FRAMES = 500
# Limits of the drawing of one page.
MAX_SHOWN_PIXELS = 16_000_000
MAX_SHOWN_HEIGHT = 16_000
# How much longer than wide a pixel can be; more is a mistake of the file.
_MOST_SQUASHED = 4
# Bytes of a drawn page as PNG below which JPEG is not tried, and an estimate of them above which PNG is not.
_SMALL, _LARGE = 150_000, 450_000
# One of so many lines is compressed for that estimate.
_EVERY = 8
_FORMATS = tuple(each.name for each in PICTURES)
# MPO: a JPEG followed by further pictures, as phones write it.
_BY_FORMAT = {"MPO": JPEG, **{each.name: each for each in PICTURES}}
_STARTS = tuple(start for each in PICTURES for start in each.starts)


def prepare() -> None:
    """Disable Pillow's pixel limit, which only warns at first, in favour of :data:`MAX_PIXELS`."""
    Image.MAX_IMAGE_PIXELS = None


def samples() -> Iterator[bytes]:
    """Yield the smallest picture of each type."""
    for name in _FORMATS:
        written = io.BytesIO()
        Image.new("RGB", (1, 1)).save(written, name)
        yield written.getvalue()


def inspect(content: bytes) -> tuple[str, int]:
    """Return a picture's content type and number of frames, after decoding all of them."""
    picture = _opened(content)
    kind = _kind(picture)
    frames = _frames(picture)
    if frames > 1 and kind in (PNG, GIF):
        raise Refused(Refusal.ANIMATED)
    if frames > MAX_FRAMES:
        raise Refused(Refusal.MANY_PAGES, frames, MAX_FRAMES)
    for index in range(frames):
        frame = _frame(picture, index)
        # All data of a JPEG is read for a small picture, too, in half the time and with less memory.
        frame.draft(None, (1, 1))
        frame.load()
    return kind.content_type, frames


def render(content: bytes, number: int, width: int) -> Image.Image:
    """Draw one frame upright on white, at most ``width`` pixels wide."""
    picture = _opened(content)
    if not 1 <= number <= _frames(picture):
        raise Refused(Refusal.NO_SUCH_PAGE, _frames(picture), number)
    frame = _frame(picture, number - 1)
    # A JPEG is decoded at a half, a quarter or an eighth of its size, if that is large enough.
    frame.draft(None, (2 * width, 2 * width))
    shown = ImageOps.exif_transpose(squared(eight_bits(frame)))
    room = (MAX_SHOWN_PIXELS / (shown.width * shown.height)) ** 0.5
    scale = min(1, width / shown.width, MAX_SHOWN_HEIGHT / shown.height, room)
    size = (max(1, int(shown.width * scale)), max(1, int(shown.height * scale)))
    # Scaling first makes the following steps fast.
    return on_white(shown.resize(size, Image.Resampling.BOX, reducing_gap=2.0) if scale < 1 else shown)


def encoded(picture: Image.Image) -> bytes:
    """Return a picture without metadata, in grey if it has no colour: as PNG, or as JPEG if that is smaller.

    Text drawn by a program is smaller as PNG, which keeps it sharp. Scans and photos are smaller as JPEG, and
    take ten times as long as PNG.
    """
    shown = picture if picture.mode == "RGB" else picture.convert("RGB")
    if _is_grey(shown):
        shown = shown.getchannel("R")
    if _estimated(shown) > _LARGE:
        return _saved(shown, JPEG, quality=85)
    sharp = _saved(shown, PNG, compress_level=3)
    return sharp if len(sharp) <= _SMALL else min(sharp, _saved(shown, JPEG, quality=85), key=len)


def _estimated(picture: Image.Image) -> int:
    """Return about how many bytes a picture has as PNG, or up to twice as many, by some of its lines."""
    some = picture.resize((picture.width, -(-picture.height // _EVERY)), Image.Resampling.NEAREST)
    return _EVERY * len(_saved(some, PNG, compress_level=1))


def _saved(picture: Image.Image, kind: FileType, **options: int) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind.name, **options)
    return written.getvalue()


def _is_grey(picture: Image.Image) -> bool:
    red, green, blue = picture.split()
    return not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        if has_pdf_header(content):
            # A PDF with other data before it.
            raise Refused(Refusal.FOREIGN) from None
        raise Refused(Refusal.BROKEN if content.startswith(_STARTS) else Refusal.UNKNOWN) from None


def _kind(picture: Image.Image) -> FileType:
    return _BY_FORMAT[picture.format or ""]


def _frames(picture: Image.Image) -> int:
    """Return the number of frames; 1 for a JPEG, of which programs show only the first picture."""
    return 1 if _kind(picture) is JPEG else getattr(picture, "n_frames", 1)


def _frame(picture: Image.Image, index: int) -> Image.Image:
    """Return one frame, after checking its size without decoding it."""
    if index:
        picture.seek(index)
    if picture.width * picture.height > MAX_PIXELS:
        raise Refused(Refusal.MANY_PIXELS, picture.width, picture.height, MAX_PIXELS)
    return picture


def eight_bits(picture: Image.Image) -> Image.Image:
    """Scale grey of 16 bits or more to 8 bits, which Pillow would clip at 255."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode in ("I", "F"):
        low, high = cast("tuple[float, float]", picture.getextrema())
        scale = 255 / ((high - low) or 1)
        return picture.point(lambda value: value * scale - low * scale).convert("L")
    return picture


def squared(picture: Image.Image) -> Image.Image:
    """Return a picture with square pixels: a fax has about twice as many across as down."""
    if (size := square_size(picture)) == picture.size:
        return picture
    # Black and white would lose thin lines.
    shown = picture.convert("L") if picture.mode == "1" else picture
    return shown.resize(size, Image.Resampling.BOX)


def square_size(picture: Image.Image) -> tuple[int, int]:
    """Return the size that a picture has with square pixels."""
    across, down = (float(each) for each in picture.info.get("dpi", (1, 1)))
    if min(across, down) <= 1 or not 1 < max(across, down) / min(across, down) <= _MOST_SQUASHED:
        return picture.size
    wide = round(picture.width * max(1.0, down / across))
    tall = round(picture.height * max(1.0, across / down))
    return picture.size if wide * tall > MAX_PIXELS else (wide, tall)


def on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("P", "LA", "PA", "La", "RGBa", "RGBA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return picture
