"""Convert pictures that an API does not take into ones that it takes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection

from PIL import Image, UnidentifiedImageError

from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.scans import as_pdf, is_for_pdf
from dispute_provider._documents.child.showing import flat, frames_of, saved
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence.file_types import JPEG, PDF, PNG, FileType

_FORMATS = ("HEIF", "AVIF", "WEBP", "GIF", "PNG", "BMP", "TIFF", "JPEG", "MPO")
# Formats of drawings and screenshots, which stay sharp only without loss.
_LOSSLESS = ("GIF", "PNG", "BMP", "TIFF")


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
    Image.new("RGB", (8, 8)).save(pages, "TIFF", save_all=True, append_images=[Image.new("1", (8, 8))])
    with contextlib.suppress(Refused):
        convert(pages.getvalue(), (PDF, JPEG))


def convert(content: bytes, accepted: Collection[FileType]) -> tuple[bytes, list[Done]]:
    """Return a picture in a type that is accepted, and what was done; nothing, if it has one already.

    Of an animation, the first picture is kept. A TIFF with several pages, or a picture in black and white,
    becomes a PDF. The place and the device, which phones write into photos, are left out.

    :param accepted: the types that the API takes; JPEG and PDF are among them.
    :raises Refused: if it is no picture, has too many pixels, or a library is missing.
    """
    picture = opened(content)
    name, frames = frames_of(picture)
    if name in [each.name for each in accepted] and (frames == 1 or name == "TIFF"):
        return content, []
    if is_for_pdf(picture):
        return as_pdf(picture)
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
