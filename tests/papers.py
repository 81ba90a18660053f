"""Documents for tests, written by hand: sound ones of a wanted size, and others that are up to no good."""

from __future__ import annotations

import base64
import io
import math
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pikepdf
from PIL import Image

import dispute_provider
from dispute_provider._documents import Renderer

_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
# Objects 1 to 4 stand in every PDF: catalog, pages, font, the text of each page; the pages follow.
FIRST_PAGE = 5
# A photo of 64 × 64 pixels in one color. No library that the tests use writes HEIC.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAUJtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "AA5waXRtAAAAAAABAAAAImlsb2MAAAAAREAAAQABAAAAAAFmAAEAAAAAAAAAGQAAACNpaW5mAAAAAAABAAAAFWluZmUCAAAAAAEA"
    "AGh2YzEAAAAAwmlwcnAAAACkaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQCEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAiQAAAABRpc3Bl"
    "AAAAAAAAAEAAAABAAAAAEHBpeGkAAAAAAwgICAAAABZpcG1hAAAAAAAAAAEAAQOBAoMAAAAhbWRhdAAAABUoAa8ZgPd8hTe01Un/"
    "mta/xsFeLRw="
)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def deflated(content: bytes, entries: bytes = b"") -> bytes:
    return stream(zlib.compress(content), b"/Filter /FlateDecode " + entries)


def pdf(
    pages: int = 1,
    text: str = "A receipt.",
    *,
    catalog: bytes = b"",
    page: bytes = b"",
    more: Sequence[bytes] = (),
    content: bytes | None = None,
    trailer: bytes = b"",
    size: int | None = None,
) -> bytes:
    """A PDF whose pages all read ``text``.

    :param catalog: entries of the catalog.
    :param page: entries of each page.
    :param more: further objects, numbered from ``FIRST_PAGE + pages``.
    :param content: object 4 in place of the text.
    :param size: bytes of the whole, filled up with an object that nothing uses.
    """
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    drawn = stream(b"BT /F 12 Tf 40 780 Td (%s) Tj ET" % escaped.encode("cp1252"))
    kids = b" ".join(b"%d 0 R" % (FIRST_PAGE + index) for index in range(pages))
    body = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F 3 0 R >> >> " + page + b" >>"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R " + catalog + b" >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, kids),
        _FONT,
        content or drawn,
        *([body] * pages),
        *more,
    ]
    whole = written(objects, trailer)
    if size is None:
        return whole
    filler = size - len(written([*objects, stream(b"")], trailer))
    # A longer number of bytes takes more digits, twice: in its own place, and where the table begins.
    for length in range(filler, filler - 20, -1):
        filled = written([*objects, stream(b" " * length)], trailer)
        if len(filled) == size:
            return filled
    raise ValueError(f"no PDF of {size} bytes")


def written(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """The objects, numbered from 1, with the table of where each begins."""
    parts, starts, at = [b"%PDF-1.7\n"], [], 9
    for number, body in enumerate(objects, 1):
        part = b"%d 0 obj\n%s\nendobj\n" % (number, body)
        starts.append(at)
        parts.append(part)
        at += len(part)
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    parts += [b"%010d 00000 n \n" % start for start in starts]
    ends = b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
    parts.append(ends % (len(objects) + 1, trailer, at))
    return b"".join(parts)


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **options)
    return out.getvalue()


def jpeg(size: int | None = None) -> bytes:
    """A JPEG, filled up with comments."""
    whole = picture("JPEG")
    while size is not None and len(whole) < size:
        # A segment takes at least four bytes, and has to leave none or four for the next one.
        left = size - len(whole)
        length = left if left <= 65_537 else min(65_537, left - 4)
        whole = whole[:2] + b"\xff\xfe" + (length - 2).to_bytes(2, "big") + b" " * (length - 4) + whole[2:]
    return whole


def png(size: int | None = None) -> bytes:
    """A PNG, filled up with a chunk of our own."""
    whole = picture("PNG")
    return whole if size is None else with_chunk(whole, b"fiLl", bytes(size - len(whole) - 12))


def with_chunk(whole: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk, behind its header."""
    checksum = zlib.crc32(name + content).to_bytes(4, "big")
    return whole[:33] + len(content).to_bytes(4, "big") + name + content + checksum + whole[33:]


def tiff(frames: int = 1, size: int | None = None) -> bytes:
    """A TIFF with this many frames, padded at the end."""
    out = io.BytesIO()
    further = [Image.new("L", (20, 30)) for _ in range(frames - 1)]
    Image.new("L", (20, 30)).save(out, "TIFF", save_all=True, append_images=further)
    whole = out.getvalue()
    return whole if size is None else whole + bytes(size - len(whole))


def archive(comment: bytes = b"") -> bytes:
    """A ZIP with one file in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("run.sh", "rm -rf /")
        file.comment = comment
    return out.getvalue()


def nested_forms(levels: int, times: int, *, endless: bool = False) -> bytes:
    """A PDF that draws a line ``times ** levels`` times: each drawing draws the next one so often.

    :param endless: have the last one draw the first one.
    """
    head = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>"
    first = FIRST_PAGE + 1
    numbers = [first + 1 + level for level in range(levels)]
    if endless:
        numbers[-1] = first
    forms = [stream(b"/X Do " * times, head % number) for number in numbers]
    line = stream(b"0 0 m 9 9 l S", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    used = b"/Resources << /XObject << /X %d 0 R >> >>" % first
    return pdf(content=stream(b"/X Do " * times), page=used, more=[*forms, line])


def slow_to_draw(times: int = 3000) -> bytes:
    """A small PDF that is read at once, and takes minutes to draw: its page is filled with many gradients."""
    gradient = (
        b"/Resources << /Shading << /S << /ShadingType 3 /ColorSpace /DeviceRGB "
        b"/Coords [297 421 0 297 421 600] "
        b"/Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> "
        b"/Extend [true true] >> >> >>"
    )
    return pdf(content=stream(b"/S sh\n" * times), page=gradient)


def seconds_to_draw(least: float) -> float:
    """A time limit that a small PDF keeps however busy the machine is now, and :func:`slow_to_draw` exceeds.

    Starting the child takes most of what is measured, and does not count for the limit.

    :param least: the limit on an idle machine, in seconds.
    """
    began = time.monotonic()
    with Renderer() as renderer:
        renderer.render(pdf(), 1)
    return max(least, math.ceil(2 * (time.monotonic() - began)))


def picture_in_pdf(width: int, height: int, content: bytes) -> bytes:
    """A PDF that shows one grey picture, of deflated bytes."""
    shown = stream(
        content,
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Filter /FlateDecode" % (width, height),
    )
    used = b"/Resources << /XObject << /X %d 0 R >> >>" % (FIRST_PAGE + 1)
    return pdf(content=stream(b"500 0 0 500 40 40 cm /X Do"), page=used, more=[shown])


def png_of(width: int, height: int, content: bytes) -> bytes:
    """A grey PNG whose header claims this many pixels."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    chunks = [(b"IHDR", header), (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        for name, data in chunks
    )


def zeros(mebibytes: int) -> bytes:
    """This many mebibytes of zeros, deflated to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = ((mebibytes * 2**20 % 65_521) << 16) + 1
    return b"\x78\xda" + one * mebibytes + packer.flush() + checksum.to_bytes(4, "big")


def tiff_of(width: int, height: int, *, endless: bool = False) -> bytes:
    """A grey TIFF whose header claims this many pixels; an endless one names itself as its next frame."""
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 200)]
    entries += [(277, 3, 1), (278, 4, height), (279, 4, 4)]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    frame = struct.pack("<H", len(entries)) + table + struct.pack("<I", 8 if endless else 0)
    return (b"II*\0" + struct.pack("<I", 8) + frame).ljust(300, b"\0")


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header claims this many pixels."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return re.sub(rb"(\xff\xc0..\x08)....", lambda start: start[1] + size, jpeg(), flags=re.DOTALL)


def scanned(pages: int, size: tuple[int, int] = (1240, 1754)) -> bytes:
    """A PDF of grey scans, each with its own grain."""
    first, *others = (Image.effect_noise(size, 8) for _ in range(pages))
    written = io.BytesIO()
    first.save(written, "PDF", save_all=True, append_images=others, resolution=150)
    return written.getvalue()


def described(document: bytes) -> bytes:
    """A PDF that says in XML what it is, as e-invoices and archives do."""
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as opened:
        with opened.open_metadata() as metadata:
            metadata["dc:title"] = "Invoice 4711"
        opened.save(written)
    return written.getvalue()


# Letters of Vai, for which few machines have a font.
VAI = "\ua500\ua501\ua502"


def without_its_font(text: str = VAI, *, named: bool = True, encoding: bytes = b"Identity-H") -> bytes:
    """A PDF with a line in a font that it does not contain, under a line in Helvetica.

    :param named: whether it says which characters these are.
    :param encoding: such as ``UniGB-UCS2-H``, which numbers characters as Unicode does.
    """
    numbered = encoding != b"Identity-H"
    codes = [ord(each) if numbered else number for number, each in enumerate(text, 36)]
    shown = b"".join(b"%04x" % code for code in codes)
    drawn = b"BT /F 12 Tf 40 780 Td (Order 10432) Tj /C 12 Tf 0 -30 Td <%s> Tj ET" % shown
    kind = b"/CIDFontType0" if numbered else b"/CIDFontType2"
    ordering = b"(GB1) /Supplement 4" if numbered else b"(Identity) /Supplement 0"
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /"
        + encoding
        + b" /DescendantFonts "
        b"[<< /Type /Font /Subtype " + kind + b" /BaseFont /STSong-Light /DW 1000 /CIDSystemInfo "
        b"<< /Registry (Adobe) /Ordering " + ordering + b" >> /FontDescriptor << /Type /FontDescriptor "
        b"/FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 "
        b"/Descent -120 /CapHeight 880 /StemV 93 >> >>] " + (b"/ToUnicode 7 0 R " if named else b"") + b">>"
    )
    pairs = b" ".join(b"<%04x> <%04x>" % (code, ord(each)) for code, each in zip(codes, text, strict=True))
    names = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange "
        b"<0000> <FFFF> endcodespacerange %d beginbfchar %s endbfchar endcmap end end" % (len(codes), pairs)
    )
    page = b"/Resources << /Font << /F 3 0 R /C 6 0 R >> >>"
    return pdf(content=stream(drawn), page=page, more=[font, stream(names)])


def font_with(characters: str) -> bytes:
    """DejaVu Sans, in which some of its glyphs stand for these characters, all of them after U+2E7F."""
    whole = bytearray((Path(dispute_provider.__file__).parent / "fonts/DejaVuSans.ttf").read_bytes())
    (table,) = struct.unpack_from(">I", whole, whole.index(b"cmap") + 8)
    (count,) = struct.unpack_from(">H", whole, table + 2)
    subtables = {table + struct.unpack_from(">I", whole, table + 8 + 8 * n)[0] for n in range(count)}
    for at in (each for each in subtables if whole[each : each + 2] == b"\0\x0c"):
        (count,) = struct.unpack_from(">I", whole, at + 12)
        groups = list(struct.iter_unpack(">III", whole[at + 16 : at + 16 + 12 * count]))
        first = next(place for place, (start, _, _) in enumerate(groups) if start > 0x2E7F)
        for number, each in enumerate(sorted(characters)):
            group = (ord(each), ord(each), 40 + number)
            struct.pack_into(">III", whole, at + 16 + 12 * (first + number), *group)
    # It is another font, so it has another name.
    for encoding in ("ascii", "utf-16-be"):
        whole = whole.replace("DejaVuSans".encode(encoding), "ShopSans10".encode(encoding))
    return bytes(whole)
