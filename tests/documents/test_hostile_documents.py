"""Hostile documents are refused with a message, or shown unchanged, in limited memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import papers
import pytest
from papers import archive, jpeg, pdf, png, stream, tiff, with_chunk

READER = Path(__file__).with_name("reader.py")
FIRST = papers.FIRST_PAGE + 1
SCRIPT = b"<script>alert(document.cookie)</script>"
LAUNCHED = b"<< /S /Launch /F (calc.exe) >>"

NO_DOCUMENT = "its content is not PDF, JPEG, PNG, TIFF or GIF"
OTHER = "its content is {}, not PDF, JPEG, PNG, TIFF or GIF; save a picture as JPEG, and any other"
ZIP = "its content is ZIP, not PDF, JPEG, PNG, TIFF or GIF; unpack it, and name the files in it"
BROKEN = "damaged or incomplete"
FOREIGN = "also opens as another type of file"
ACTIVE = "runs scripts or starts programs"
ATTACHED = "it has attached files"
BROKE_OFF = "the process that reads documents failed"
MANY_PIXELS = "pixels, and the limit is 80,000,000"
# Whether time or memory runs out first depends on the machine.
UNREADABLE = (BROKE_OFF, "more than 6 seconds", "more memory")


def note(entries: bytes) -> dict[str, Any]:
    """Return arguments for a PDF with an annotation on its page."""
    annotation = b"<< /Type /Annot /Rect [0 0 99 99] " + entries + b" >>"
    return {"page": b"/Annots [%d 0 R]" % FIRST, "more": [annotation]}


def names(tree: bytes) -> bytes:
    return b"/Names << /" + tree + b" << /Names [(a) %d 0 R] >> >>" % FIRST


REFUSED: dict[str, tuple[bytes, str | tuple[str, ...]]] = {
    # Other types of files.
    "svg": (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>",
        OTHER.format("SVG"),
    ),
    "html": (
        b"<!doctype html>" + SCRIPT,
        "its content is HTML, not PDF, JPEG, PNG, TIFF or GIF; open it in a",
    ),
    "zip": (archive(), ZIP),
    "formula": (b"=cmd|' /C calc'!A0", OTHER.format("plain text")),
    "postscript": (b"%!PS-Adobe-3.0\n(x) run", OTHER.format("PostScript")),
    "rtf": (b"{\\rtf1 Order}", OTHER.format("RTF")),
    "doc": (b"\xd0\xcf\x11\xe0" + bytes(200), OTHER.format("DOC, XLS or MSG")),
    "program": (b"MZ" + bytes(200), NO_DOCUMENT),
    "bmp": (papers.picture("BMP"), OTHER.format("BMP")),
    "webp": (papers.picture("WEBP"), OTHER.format("WEBP")),
    "heic": (b"\0\0\0\x1cftypheic" + bytes(99), OTHER.format("HEIC")),
    "avif": (b"\0\0\0\x20ftypavif" + bytes(99), OTHER.format("AVIF")),
    "docx": (b"PK\3\4" + bytes(26) + b"word/document.xml", OTHER.format("DOCX")),
    "e-mail": (b"From: jane@example.com\r\nSubject: Paid\r\n\r\n", OTHER.format("an e-mail")),
    "empty": (b"", "it is empty"),
    # Two files in one.
    "gif-html": (papers.picture("GIF", "P") + SCRIPT, FOREIGN),
    "gif-zip": (papers.picture("GIF", "P") + archive(), FOREIGN),
    "html-pdf": (SCRIPT + pdf(), FOREIGN),
    "zip-pdf": (archive() + pdf(), ZIP),
    "line-pdf": (b"\n" + pdf(), FOREIGN),
    "pdf-zip": (pdf() + archive(), FOREIGN),
    "pdf-zip-that-ends-as-pdf": (pdf() + archive(b"%%EOF"), FOREIGN),
    "pdf-html": (pdf() + SCRIPT, FOREIGN),
    "jpeg-zip": (jpeg() + archive(), FOREIGN),
    "jpeg-html": (jpeg() + SCRIPT, FOREIGN),
    "jpeg-pdf": (jpeg() + pdf(), FOREIGN),
    "jpeg-film": (jpeg() + b"\0\0\0\x18ftypisom" + bytes(99), FOREIGN),
    "jpeg-with-pdf-header": (jpeg()[:2] + b"\xff\xfe\0\x30" + b"%PDF-1.7".ljust(46) + jpeg()[2:], FOREIGN),
    "png-zip": (png() + archive(), FOREIGN),
    "png-html": (png() + SCRIPT, FOREIGN),
    "tiff-zip": (tiff() + archive(), FOREIGN),
    # Content that pages do not show, or that changes what they show.
    "script-by-name": (
        pdf(catalog=names(b"JavaScript"), more=[b"<< /S /JavaScript /JS (app.alert(1)) >>"]),
        ACTIVE,
    ),
    "script-on-opening": (pdf(catalog=b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"), ACTIVE),
    "script-packed-away": (
        pdf(more=[papers.deflated(b"9 0 << /S /JavaScript /JS (x) >>", b"/Type /ObjStm /N 1 /First 4 ")]),
        ACTIVE,
    ),
    "program-on-opening": (pdf(catalog=b"/OpenAction " + LAUNCHED), ACTIVE),
    "program-behind-a-link": (pdf(**note(b"/Subtype /Link /A " + LAUNCHED)), ACTIVE),
    "embedded-file": (
        pdf(
            catalog=names(b"EmbeddedFiles"),
            more=[b"<< /Type /Filespec /F (a.exe) /EF << /F %d 0 R >> >>" % (FIRST + 1), stream(b"MZ")],
        ),
        ATTACHED,
    ),
    "file-on-a-page": (pdf(**note(b"/Subtype /FileAttachment")), ATTACHED),
    "film-on-a-page": (pdf(**note(b"/Subtype /RichMedia")), "page 1 has audio, video"),
    "xfa": (pdf(catalog=b"/AcroForm << /Fields [] /XFA [(a) %d 0 R] >>" % FIRST, more=[stream(b"")]), "XFA"),
    "animation": (
        papers.picture("PNG", save_all=True, append_images=[papers.Image.new("RGB", (40, 30), "red")]),
        "animated",
    ),
    # Encrypted, damaged or incomplete.
    "encrypted": (
        pdf(
            trailer=b"/ID [(a) (a)] /Encrypt << /Filter /Standard /V 1 /R 2 /O (%s) /U (%s) /P -4 >>"
            % (b"o" * 32, b"u" * 32)
        ),
        "encrypted",
    ),
    "no-pages": (pdf(0), "no pages"),
    "half-a-pdf": (pdf(5)[:700], BROKEN),
    "pdf-without-end": (pdf(5)[:-20], BROKEN),
    "half-a-jpeg": (jpeg()[:-100], BROKEN),
    "jpeg-of-junk": (b"\xff\xd8\xff\xe0" + b"junk" * 99, BROKEN),
    "half-a-png": (png()[:60], BROKEN),
    "half-a-tiff": (tiff(2)[:-300], BROKEN),
    "page-that-is-not-there": (pdf().replace(b"/Count 1 ", b"/Count 9 "), BROKEN),
    "pages-in-a-circle": (pdf().replace(b"/Kids [5 0 R]", b"/Kids [2 0 R]"), BROKEN),
    # Too large.
    "10,000-pages": (pdf(10_000), "10,000 pages, and the limit is 500"),
    "600-frames": (tiff(600), "600 pages, and the limit is 500"),
    "huge-png": (papers.png_of(50_000, 50_000, papers.zeros(500)), MANY_PIXELS),
    "huge-jpeg": (papers.jpeg_of(65_500, 65_500), MANY_PIXELS),
    "huge-tiff": (papers.tiff_of(2**31 - 1, 2**31 - 1), MANY_PIXELS),
    "huge-picture-in-pdf": (papers.picture_in_pdf(100_000, 100_000, papers.zeros(500)), MANY_PIXELS),
    "text-bomb-in-png": (with_chunk(png(), b"zTXt", b"a\0\0" + papers.zeros(500)), BROKEN),
    "profile-bomb-in-png": (with_chunk(png(), b"iCCP", b"a\0\0" + papers.zeros(500)), BROKEN),
    "page-bomb": (pdf(content=stream(papers.zeros(2000), b"/Filter /FlateDecode")), UNREADABLE),
    "a-line-drawn-ten-billion-times": (papers.nested_forms(10, 10), UNREADABLE),
}

SHOWN: dict[str, tuple[bytes, str, int]] = {
    "pdf": (pdf(), "application/pdf", 1),
    "pdf-with-script-in-its-text": (pdf(text="</pre>" + SCRIPT.decode()), "application/pdf", 1),
    "pdf-with-script-in-its-names": (pdf(catalog=b"/X /A#3cscript#3e"), "application/pdf", 1),
    "padded-pdf": (pdf() + b"\0\n" * 99, "application/pdf", 1),
    "table-in-a-circle": (pdf(trailer=b"/Prev 15"), "application/pdf", 1),
    "two-billion-pages-of-one": (pdf().replace(b"/Count 1", b"/Count 2000000000"), "application/pdf", 1),
    "deep-array": (pdf(catalog=b"/X " + b"[" * 200_000 + b"]" * 200_000), "application/pdf", 1),
    "deep-dictionary": (pdf(more=[b"<</A" * 99_999 + b" 1 " + b">>" * 99_999]), "application/pdf", 1),
    "deep-page": (pdf(content=stream(b"q " * 500_000)), "application/pdf", 1),
    "form-that-draws-itself": (papers.nested_forms(2, 1, endless=True), "application/pdf", 1),
    "wide-page": (pdf(page=b"/MediaBox [0 0 1000000 9]"), "application/pdf", 1),
    "tall-page": (pdf(page=b"/MediaBox [0 0 1 14400]"), "application/pdf", 1),
    "page-without-size": (pdf(page=b"/MediaBox [0 0 0 0]"), "application/pdf", 1),
    "picture-of-64-megapixels-in-pdf": (
        papers.picture_in_pdf(8000, 8000, papers.zeros(61)),
        "application/pdf",
        1,
    ),
    "png-of-64-megapixels": (papers.png_of(8000, 8000, papers.zeros(62)), "image/png", 1),
    "tiff-in-a-circle": (papers.tiff_of(2, 2, endless=True), "image/tiff", 1),
    "jpeg-with-notes-of-its-camera": (jpeg() + b"\0SEFH" + bytes(60) + b"SEFT", "image/jpeg", 1),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the reader's report on all documents."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, *_) in (REFUSED | SHOWN).items():
        (folder / name).write_bytes(content)
    ran = subprocess.run([sys.executable, READER, folder], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_message(name: str, report: dict[str, Any]) -> None:
    _, words = REFUSED[name]
    message = report["documents"][name]["inspected"]
    assert isinstance(message, str)
    assert any(each in message for each in ([words] if isinstance(words, str) else words))
    assert message.startswith(("it", "reading it", "the process"))
    assert "; " in message


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_shown_unchanged(name: str, report: dict[str, Any]) -> None:
    _, content_type, pages = SHOWN[name]
    assert report["documents"][name]["inspected"] == [content_type, pages, False]
    width, height = report["documents"][name]["drawn"]
    assert 1 <= width <= 1200
    assert 1 <= height <= 16_000
    assert width * height <= 16_000_000


def test_memory_is_limited(report: dict[str, Any]) -> None:
    assert report["peak"] <= 2**30
