"""Convert pictures that an API does not take into ones that it takes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Iterator
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from dispute_provider._documents.child.pictures import MAX_FRAMES, MAX_PIXELS, eight_bits, on_white, squared
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence.file_types import JPEG, PDF, PNG, FileType

# Pillow's names, and those in messages.
_NAMES = {"HEIF": "HEIC", "MPO": "JPEG"}
_FORMATS = ("HEIF", "AVIF", "WEBP", "GIF", "PNG", "BMP", "TIFF", "JPEG", "MPO")
# Formats of drawings and screenshots, which stay sharp only without loss.
_LOSSLESS = ("GIF", "PNG", "BMP", "TIFF")
_QUALITY = 90
# A fixed date, so that the same document has the same bytes.
_DATE = "D:20000101000000Z"


def load_codecs() -> None:
    """Load and use the decoders of every format, before the child may open no more files."""
    with contextlib.suppress(ImportError):
        import pi_heif  # type: ignore[import-untyped]

        pi_heif.register_heif_opener()
    with contextlib.suppress(ImportError):
        from PIL import AvifImagePlugin

        # More than one thread would be a process more than the child may have.
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.init()
    for name in ("AVIF", "WEBP", "BMP"):
        written = io.BytesIO()
        with contextlib.suppress(OSError, KeyError):
            Image.new("RGB", (8, 8)).save(written, name)
            Image.open(io.BytesIO(written.getvalue())).load()
    pages = io.BytesIO()
    page = Image.new("RGB", (8, 8))
    page.save(pages, "TIFF", save_all=True, append_images=[page])
    convert(pages.getvalue(), (PDF, JPEG))


def convert(content: bytes, accepted: Collection[FileType]) -> tuple[bytes, list[Done]]:
    """Return a picture in a type that is accepted, and what was done; nothing, if it has one already.

    Of an animation, the first picture is kept. A TIFF with several pages becomes a PDF. The place and the
    device, which phones write into photos, are left out.

    :param accepted: the types that the API takes; JPEG and PDF are among them.
    :raises Refused: if it is no picture, or has too many pixels.
    """
    picture = opened(content)
    name, frames = frames_of(picture)
    if name in [each.name for each in accepted] and (frames == 1 or name == "TIFF"):
        return content, []
    if name == "TIFF" and frames > 1:
        return as_pdf(picture, frames), [Done("converted", (name, PDF.name)), Done("pages", (frames,))]
    shown = flat(picture)
    target = PNG if name in _LOSSLESS and PNG in accepted else JPEG
    done = [Done("converted", (name, target.name))]
    if frames > 1:
        done.append(Done("first-picture", (frames,)))
    return saved(shown, target), done


def opened(content: bytes) -> Image.Image:
    """Open a picture of any format that can be converted.

    :raises Refused: if it is none.
    """
    try:
        return Image.open(io.BytesIO(content), formats=[name for name in _FORMATS if name in Image.OPEN])
    except UnidentifiedImageError:
        missing = b"ftyp" in content[:12] and "HEIF" not in Image.OPEN
        raise Refused(Refusal.NO_PACKET if missing else Refusal.UNKNOWN) from None


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
    shown = on_white(squared(ImageOps.exif_transpose(eight_bits(picture))))
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


def as_pdf(picture: Image.Image, frames: int) -> bytes:
    """Return all frames of a TIFF as the pages of a PDF.

    :raises Refused: if it has too many frames or pixels.
    """
    if frames > MAX_FRAMES:
        raise Refused(Refusal.MANY_PAGES, frames, MAX_FRAMES)

    def pages() -> Iterator[Image.Image]:
        for index in range(1, frames):
            picture.seek(index)
            yield _page(picture)

    written = io.BytesIO()
    first = _page(picture)
    first.save(
        written,
        PDF.name,
        save_all=True,
        append_images=pages(),
        quality=_QUALITY,
        creationDate=_DATE,
        modDate=_DATE,
        resolution=_resolution(picture),
    )
    return written.getvalue()


def _page(picture: Image.Image) -> Image.Image:
    page = flat(picture)
    page.info = {}
    return page


def _resolution(picture: Image.Image) -> float:
    """Return the dots per inch of a scan; a width of A4, 8.27 inches, if it does not say."""
    across = max((float(each) for each in picture.info.get("dpi", ())), default=0.0)
    return across if across > 1 else picture.width / 8.27
