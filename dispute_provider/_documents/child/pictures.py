"""Inspect and draw JPEG, PNG, TIFF and GIF with Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image, ImageChops, UnidentifiedImageError

from dispute_provider._documents.child import jpegs
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.showing import MAX_FRAMES, MAX_PIXELS, eight_bits, on_white, upright
from dispute_provider._documents.messages import Refusal
from dispute_provider._evidence.file_types import GIF, JPEG, PDF, PICTURES, PNG, FileType, start_of

# Limits of the drawing of one page.
MAX_SHOWN_PIXELS = 16_000_000
MAX_SHOWN_HEIGHT = 16_000
# Bytes of a drawn page as PNG below which JPEG is not tried, and an estimate of them above which PNG is not.
_SMALL, _LARGE = 150_000, 450_000
# One of so many lines is compressed for that estimate.
_EVERY = 32
# The colors of a palette.
_GREYS = bytes(value for value in range(256) for _ in "RGB")
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
    """Return a picture's content type and number of frames, all of which can be decoded."""
    picture = _opened(content)
    kind = _kind(picture)
    if kind is JPEG:
        picture = _opened(jpegs.beginning(content))
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
    shown = upright(eight_bits(frame))
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
    shown = picture if picture.mode in ("RGB", "RGBX") else picture.convert("RGB")
    red = shown.getchannel("R")
    if not any(ImageChops.difference(red, shown.getchannel(other)).getbbox() for other in "GB"):
        shown = red
    if _estimated(shown) > _LARGE:
        return _saved(shown, JPEG, quality=85)
    sharp = _sharp(shown)
    return sharp if len(sharp) <= _SMALL else min(sharp, _saved(shown, JPEG, quality=85), key=len)


def _estimated(picture: Image.Image) -> int:
    """Return about how many bytes a picture has as PNG, or up to twice as many, by some of its lines."""
    some = picture.resize((picture.width, -(-picture.height // _EVERY)), Image.Resampling.NEAREST)
    return _EVERY * len(_sharp(some))


def _sharp(picture: Image.Image) -> bytes:
    """Return a picture as PNG. Grey is written as a palette of 256 greys.

    Pillow compresses a palette's pixels as they are. For other pictures, it tries five filters on each line,
    which takes twice as long and makes text no smaller.
    """
    if picture.mode == "L":
        shown = picture.copy()
        shown.putpalette(_GREYS)
    else:
        shown = picture.convert("RGB")
    return _saved(shown, PNG, compress_level=1)


def _saved(picture: Image.Image, kind: FileType, **options: int) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind.name, **options)
    return written.getvalue()


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        if start_of(PDF, content) is not None:
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
