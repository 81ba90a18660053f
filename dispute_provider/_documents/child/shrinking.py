"""Make smaller copies of pictures and PDFs that stay legible."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageChops

from dispute_provider._documents.child.cleaning import is_signed
from dispute_provider._documents.child.converting import opened
from dispute_provider._documents.child.placement import dots_per_inch
from dispute_provider._documents.child.polyglots import opens_as_pdf
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.scans import as_pdf, is_for_pdf
from dispute_provider._documents.child.showing import MAX_PIXELS, flat, frames_of, saved
from dispute_provider._documents.ladder import LADDER, Rung
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence.file_types import JPEG

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

# The sides of A4 in inches.
_A4 = (8.27, 11.69)
# A file that says less gives the resolution of a screen, not of a scan.
_LOWEST_OF_SCANS = 100
_SPACES = {"L": "/DeviceGray", "RGB": "/DeviceRGB", "CMYK": "/DeviceCMYK"}
# What makes a picture of a PDF worth replacing.
_SMALLER = 0.9


def shrink(content: bytes, most: int) -> tuple[bytes, list[Done]]:
    """Return a copy at the first rung of the ladder that is small enough, and what was done.

    If none is small enough, it is the smallest that the ladder gives; it may be the document itself.

    :param content: a picture or a PDF.
    :param most: bytes.
    :raises Refused: if it is no picture, or has too many pixels.
    """
    if len(content) <= most:
        return content, []
    smallest: tuple[bytes, list[Done]] = (content, [])
    for made, done in (_pdfs if opens_as_pdf(content) else _pictures)(content):
        if len(made) < len(smallest[0]):
            smallest = made, done
        if len(made) <= most:
            break
    return smallest


def _pictures(content: bytes) -> Iterator[tuple[bytes, list[Done]]]:
    picture = opened(content)
    if is_for_pdf(picture):
        whole, first = as_pdf(picture)
        for made, done in _pdfs(whole):
            yield made, [*first, *done]
        return
    name, _ = frames_of(picture)
    scanned = max((float(each) for each in picture.info.get("dpi", ())), default=0.0)
    shown = flat(picture)
    as_jpeg = Done("converted", (name, JPEG.name))
    for rung in LADDER:
        smaller = _at_most(shown, _scale(shown.size, scanned, rung.dpi))
        last = Done("shrunk", (*shown.size, *smaller.size, rung.quality))
        yield saved(smaller, JPEG, rung.quality), [last] if name == JPEG.name else [as_jpeg, last]


def _scale(size: tuple[int, int], scanned: float, dpi: float) -> float:
    """Return how much smaller a picture may become so that it has a resolution on a page of A4.

    :param scanned: the resolution that its file states.
    """
    scale = max(inches * dpi / side for inches, side in zip(_A4, sorted(size), strict=True))
    return max(scale, dpi / scanned) if scanned > _LOWEST_OF_SCANS else scale


def _at_most(picture: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    smaller = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    smaller.info = dict(picture.info)
    return smaller


def _pdfs(content: bytes) -> Iterator[tuple[bytes, list[Done]]]:
    if not pikepdf:
        raise Refused(Refusal.NO_PACKET)
    for rung in LADDER:
        with pikepdf.open(io.BytesIO(content)) as document:
            done = _with_smaller_pictures(document, rung)
            done += [Done("signature")] if is_signed(document) else []
            written = io.BytesIO()
            document.save(
                written,
                deterministic_id=True,
                object_stream_mode=pikepdf.ObjectStreamMode.generate,
                encryption=False,
                # See cleaning: it would load an XML parser.
                fix_metadata_version=False,
            )
        yield written.getvalue(), done


def _with_smaller_pictures(document: Any, rung: Rung) -> list[Done]:
    """Replace the pictures of a PDF that become smaller, and return what was done."""
    replaced = grey = 0
    for number, resolution in dots_per_inch(document).items():
        picture = document.get_object(number)
        bits = picture.get("/BitsPerComponent")
        if _replace(picture, resolution, rung):
            replaced += 1
            grey += bits == 1 and picture.ColorSpace == _SPACES["L"]
    done = [Done("shrunk-pictures", (replaced, rung.dpi, rung.quality))] if replaced else []
    return [*done, *([Done("grey", (grey,))] if grey else [])]


def _replace(stream: Any, resolution: float, rung: Rung) -> bool:
    """Replace a picture of a PDF by a smaller one; return whether it was possible and worth it."""
    if (picture := _decoded(stream)) is None:
        return False
    made = saved(_at_most(picture, rung.dpi / resolution), JPEG, rung.quality)
    if len(made) > _SMALLER * len(stream.read_raw_bytes()):
        return False
    shown = Image.open(io.BytesIO(made))
    stream.write(made, filter=pikepdf.Name.DCTDecode)
    stream.Width, stream.Height = shown.size
    stream.BitsPerComponent = 8
    if not _keeps_its_colors(stream, shown.mode):
        stream.ColorSpace = pikepdf.Name(_SPACES[shown.mode])
    return True


def _decoded(stream: Any) -> Image.Image | None:
    """Return a picture of a PDF in grey, RGB or CMYK; None if it has to stay as it is."""
    if _is_read_differently(stream):
        return None
    if int(stream.Width) * int(stream.Height) > MAX_PIXELS:
        raise Refused(Refusal.MANY_PIXELS, int(stream.Width), int(stream.Height), MAX_PIXELS)
    try:
        with _without_masks(stream):
            picture: Image.Image = pikepdf.PdfImage(stream).as_pil_image()
            picture.load()
    except MemoryError:
        raise
    except Exception:  # of many types, for formats that are rare in scans
        return None
    if (
        picture.mode == "CMYK"
        and stream.ColorSpace != "/DeviceCMYK"
        and not _keeps_its_colors(stream, "CMYK")
    ):
        return None
    match picture.mode:
        case "CMYK" if picture.format != JPEG.name:
            # Pillow reads and writes CMYK in a JPEG as Adobe does, inverted.
            shown = ImageChops.invert(picture)
        case "P" | "RGB":
            shown = picture.convert("RGB")
        case "1" | "L":
            # Black and white that was dithered has more bytes than grey.
            shown = picture.convert("L")
        case "CMYK":
            shown = picture
        case _:
            return None
    shown.info = {}
    return shown


def _is_read_differently(stream: Any) -> bool:
    """Return whether the pixels of a picture of a PDF mean something else than their colors."""
    inverted = "/Decode" in stream and not (
        stream.get("/ColorSpace") == "/DeviceCMYK" and stream.get("/Filter") == "/DCTDecode"
    )
    # A list as mask makes some colors clear, which JPEG would change.
    cleared = isinstance(stream.get("/Mask"), pikepdf.Array)
    mixed = "/SMask" in stream and "/Matte" in stream.SMask
    return inverted or cleared or mixed or "/ImageMask" in stream


@contextmanager
def _without_masks(stream: Any) -> Iterator[None]:
    """Take the masks of a picture away, and put them back."""
    masks = {key: stream[key] for key in ("/Mask", "/SMask") if key in stream}
    for key in masks:
        del stream[key]
    try:
        yield
    finally:
        for key, mask in masks.items():
            stream[key] = mask


def _keeps_its_colors(stream: Any, mode: str) -> bool:
    """Return whether a picture has a color profile with as many colors as its smaller copy."""
    space = stream.get("/ColorSpace")
    profiled = isinstance(space, pikepdf.Array) and len(space) == 2 and space[0] == "/ICCBased"
    return profiled and int(space[1].get("/N", 0)) == len(mode)
