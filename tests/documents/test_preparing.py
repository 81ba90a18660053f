"""Documents are prepared as an API takes them: the same bytes each time, and never with lost content."""

from __future__ import annotations

import gzip
import io
import zipfile

import papers
import pikepdf
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageSequence

from dispute_provider._documents import RenderingError
from dispute_provider._documents.preparing import Preparer

STRIPE = ("application/pdf", "image/jpeg", "image/png")
MOOV = ("application/pdf", "image/jpeg", "image/tiff")
BOTH = ("clean", "convert")
MOST = 5_000_000


def animated(kind: str) -> bytes:
    written = io.BytesIO()
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    frames[0].save(written, kind, save_all=True, append_images=frames[1:])
    return written.getvalue()


def with_thumbnail(kind: str) -> bytes:
    """Return a picture with a smaller one in its metadata, as cameras write it."""
    exif = Image.Exif()
    exif[0x010F] = papers.picture("JPEG", size=(8, 6))
    content = papers.picture(kind, exif=exif.tobytes())
    assert b"\xff\xd8\xff" in content
    return content


@pytest.mark.parametrize(
    ("document", "types", "kind", "done"),
    [
        (papers.picture("WEBP"), STRIPE, "image/jpeg", ("converted from WEBP to JPEG",)),
        (papers.picture("WEBP", "RGBA"), MOOV, "image/jpeg", ("converted from WEBP to JPEG",)),
        (papers.picture("AVIF"), STRIPE, "image/jpeg", ("converted from AVIF to JPEG",)),
        (papers.HEIC, STRIPE, "image/jpeg", ("converted from HEIC to JPEG",)),
        (papers.picture("BMP"), STRIPE, "image/png", ("converted from BMP to PNG",)),
        (papers.picture("GIF", "P"), MOOV, "image/jpeg", ("converted from GIF to JPEG",)),
        (papers.picture("PNG"), MOOV, "image/jpeg", ("converted from PNG to JPEG",)),
        (papers.picture("TIFF"), STRIPE, "image/png", ("converted from TIFF to PNG",)),
        (papers.picture("TIFF", "1"), STRIPE, "application/pdf", ("converted from TIFF to PDF",)),
        (papers.picture("PNG", "1"), MOOV, "application/pdf", ("converted from PNG to PDF",)),
        (papers.picture("BMP", "1"), STRIPE, "application/pdf", ("converted from BMP to PDF",)),
        (papers.tiff(3), STRIPE, "application/pdf", ("converted from TIFF to PDF", "kept all 3 pages")),
        (
            animated("GIF"),
            STRIPE,
            "image/png",
            ("converted from GIF to PNG", "kept the first of 2 pictures of an animation"),
        ),
        (
            animated("PNG"),
            STRIPE,
            "image/png",
            ("converted from PNG to PNG", "kept the first of 2 pictures of an animation"),
        ),
        (papers.picture("PNG"), STRIPE, "image/png", ()),
        (papers.tiff(3), MOOV, "image/tiff", ()),
    ],
)
def test_a_picture_becomes_one_that_the_api_takes(document, types, kind, done, preparer, renderer):
    prepared = preparer.prepare(document, BOTH, types, MOST)
    assert prepared.done == done
    found = renderer.inspect(prepared.content)
    assert found.content_type == kind
    assert found.pages == (3 if "3 pages" in " ".join(done) or kind == "image/tiff" else 1)


def test_a_photo_loses_its_place_and_keeps_its_orientation(preparer):
    photo = Image.new("RGB", (40, 20), "red")
    exif = photo.getexif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (48.0, 12.0, 0.0)}
    written = io.BytesIO()
    photo.save(written, "WEBP", exif=exif)
    prepared = Image.open(io.BytesIO(preparer.prepare(written.getvalue(), BOTH, STRIPE, MOST).content))
    assert prepared.size == (20, 40)
    assert not prepared.getexif()


def encrypted(revision: int, user: str = "") -> bytes:
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        rules = pikepdf.Encryption(
            owner="owner", user=user, R=revision, aes=revision > 3, metadata=revision > 3
        )
        document.save(written, encryption=rules)
    return written.getvalue()


def archive_with(name: str, content: bytes) -> bytes:
    """Return a ZIP archive in which a file is stored as it is."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()


def changed(change: str) -> bytes:
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        if change in ("attached", "portfolio"):
            document.attachments["factur-x.xml"] = pikepdf.AttachedFileSpec(document, b"<x/>")
            if change == "portfolio":
                document.Root.Collection = pikepdf.Dictionary(View=pikepdf.Name.D)
        else:
            script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="this.print()")
            holder = {"document": document.Root, "page": document.pages[0].obj}[change]
            holder["/OpenAction" if change == "document" else "/AA"] = (
                script if change == "document" else pikepdf.Dictionary(O=script)
            )
        document.save(written)
    return written.getvalue()


WHOLE = papers.pdf()
CLEANED = [
    *((encrypted(revision), "removed the password for changes") for revision in (2, 3, 4, 6)),
    (changed("attached"), "left out the attached files: factur-x.xml"),
    (papers.described(changed("attached")), "left out the attached files: factur-x.xml"),
    (changed("document"), "removed scripts"),
    (changed("page"), "removed scripts"),
    (b"\n\n" + WHOLE, "left out 2 bytes before the document"),
    (b"\xef\xbb\xbf" + WHOLE, "left out 3 bytes before the document"),
    (b"\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n" + WHOLE, "left out 34 bytes before the document"),
    (WHOLE + b"<!-- 12 ms -->", "left out 14 bytes after the document"),
    (WHOLE + b"x" * 1500, "left out 1,500 bytes after the document"),
    # A shop's own text comes first, and the places in the file are counted from there.
    (b"Notice\n" + WHOLE.replace(b"startxref\n", b"startxref\n1"), "left out 7 bytes before the document"),
    (WHOLE.removesuffix(b"%%EOF\n"), "added the lost end marker"),
    (WHOLE[: WHOLE.rfind(b"startxref")], "added the lost end marker"),
]


@pytest.mark.parametrize(("document", "done"), CLEANED)
def test_a_clean_copy_of_a_pdf_looks_the_same(document, done, preparer, renderer):
    prepared = preparer.prepare(document, BOTH, STRIPE, MOST)
    assert prepared.done == (done,)
    assert renderer.inspect(prepared.content).pages == 1
    before, after = (
        Image.open(io.BytesIO(renderer.render(each, 1))).convert("L") for each in (WHOLE, prepared.content)
    )
    assert ImageChops.difference(before, after).getbbox() is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (encrypted(6, user="secret"), "it needs a password to be opened"),
        (papers.scanned(20)[: 6 * len(papers.scanned(20)) // 10], "it is damaged or incomplete"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "its content is SVG"),
        (b"<html><body>Order</body></html>", "its content is HTML"),
        (b"\xef\xbb\xbf<!-- saved from url -->\r\n<!DOCTYPE html>", "its content is HTML"),
        (
            b"From: <Saved by Blink>\r\nSnapshot-Content-Location: https://shop.example/\r\n"
            b'MIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\tboundary="a"\r\n\r\n--a\r\n',
            "a web page saved in one file, not .*; open it in a browser, and print it to a PDF",
        ),
        (
            b'From: "Saved by Windows Internet Explorer 10"\r\nSubject: Order\r\n'
            b'Content-Type: multipart/related; boundary="a"\r\n\r\n--a\r\n',
            "its content is a web page saved in one file",
        ),
        (
            b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="a"\r\n\r\n--a\r\n',
            "its content is a web page saved in one file",
        ),
        (b"bplist00\xd1\x01\x02_\x10\x0fWebMainResource", "its content is a web page saved in one file"),
        (
            archive_with("order.pdf", papers.pdf()),
            "its content is ZIP.*; unpack it, and name the files in it",
        ),
        (
            archive_with("xl/workbook.xml", b""),
            "its content is XLSX.*; save a picture as JPEG, and any other",
        ),
        (archive_with("mimetype", b"application/vnd.oasis.opendocument.text"), "its content is OpenDocument"),
        (b"\0\0\0\x14ftypqt  film", "its content is a film.*; name still pictures of it"),
        (b"OggS\0\x02OpusHead", "its content is a sound.*; write a transcript"),
        (b"[InternetShortcut]\r\nURL=https://shop.example/", "a link to a document.*; download the document"),
        (b'{"": "WARNING! DO NOT EDIT THIS FILE!", "doc_id": "a"}', "its content is a link to a document"),
        (
            b'{"url": "https://docs.google.com/open?id=a", "doc_id": "a"}',
            "its content is a link to a document",
        ),
        (b"bplist00\xd1\x01\x02SURL", "its content is a link to a document"),
        (
            b'<?xml version="1.0"?>\n<!DOCTYPE plist>\n<plist><dict><key>URL</key></dict></plist>',
            "its content is a link to a document",
        ),
        (b"L\0\0\0\x01\x14\x02\0\0\0", "its content is a link to a document"),
        (gzip.compress(papers.pdf(), mtime=0), "its content is GZIP.*; unpack it"),
        (changed("portfolio"), "it is a portfolio, .*; save the files in it, and name them in the case"),
        (
            b"\x30\x82\x10\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + papers.pdf(),
            "its content is P7M.*; save the document that it signs",
        ),
        (b"\x01\x02index" + papers.picture("JPEG") + papers.picture("JPEG"), "its content is not PDF"),
        (b"\0" * 16 + b"\x07cache" + papers.picture("JPEG") + b"the order itself", "its content is not PDF"),
    ],
)
def test_what_cannot_be_prepared_is_refused(document, said, preparer):
    with pytest.raises(RenderingError, match=said):
        preparer.prepare(document, BOTH, STRIPE, MOST)


@pytest.mark.parametrize(
    ("document", "said", "step"),
    [
        (changed("attached"), "it has attached files", "clean"),
        (changed("portfolio"), "it is a portfolio", None),
        (papers.described(changed("portfolio")), "it is a portfolio", None),
        (WHOLE.removesuffix(b"%%EOF\n"), "it is damaged or incomplete", "clean"),
        (papers.picture("PNG")[:40], "it is damaged or incomplete", None),
    ],
)
def test_a_step_is_named_only_where_it_can_help(document, said, step, renderer):
    with pytest.raises(RenderingError, match=said) as refused:
        renderer.inspect(document)
    assert refused.value.step == step


@pytest.mark.parametrize(
    ("around", "done"),
    [
        ((b"\n", b""), "left out 1 bytes before the document"),
        ((b"", b"<html><body>12 ms</body></html>"), "left out 31 bytes after the document"),
        ((b"", b"\0\0\0\x18ftypmp42" + bytes(100)), "left out the film behind the photo (112 bytes)"),
    ],
)
def test_bytes_around_a_photo_are_cut_without_loss(around, done, preparer):
    photo = papers.picture("JPEG")
    prepared = preparer.prepare(around[0] + photo + around[1], BOTH, STRIPE, MOST)
    assert (prepared.content, prepared.done) == (photo, (done,))


@pytest.mark.parametrize(
    ("document", "done"),
    [
        (papers.picture("TIFF", compression="jpeg"), ("converted from TIFF to PNG",)),
        (with_thumbnail("PNG"), ()),
        (with_thumbnail("WEBP"), ("converted from WEBP to JPEG",)),
    ],
    ids=["scan", "PNG", "WEBP"],
)
def test_a_jpeg_inside_another_picture_is_not_taken_for_it(document, done, preparer):
    prepared = preparer.prepare(document, BOTH, STRIPE, MOST)
    assert prepared.done == done
    assert Image.open(io.BytesIO(prepared.content)).size == (40, 30)


def test_another_process_gives_the_same_bytes(preparer):
    documents = [papers.picture("WEBP"), papers.tiff(2), changed("attached"), animated("GIF")]
    with Preparer() as other:
        for document in documents:
            one, two = (each.prepare(document, BOTH, STRIPE, MOST).content for each in (preparer, other))
            assert one == two


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
def test_a_fax_is_drawn_at_its_true_proportions(kind, orientation, renderer, preparer):
    written = io.BytesIO()
    fax = Image.new("L", (204, 49), 255)
    fax.paste(0, (0, 0, 102, 49))
    exif = fax.getexif()
    exif[0x0112] = orientation
    fax.save(written, kind, dpi=(204, 98), exif=exif)
    types = {"TIFF": STRIPE, "PNG": MOOV, "JPEG": ("application/pdf", "image/png")}[kind]
    prepared = preparer.prepare(written.getvalue(), BOTH, types, MOST)
    for shown in (renderer.render(written.getvalue(), 1), prepared.content):
        drawn = Image.open(io.BytesIO(shown)).convert("L")
        assert drawn.size == ((102, 204) if orientation == 6 else (204, 102))
        black = drawn.point(lambda value: 255 * (value < 128)).getbbox()
        assert black == {1: (0, 0, 102, 102), 3: (102, 0, 204, 102), 6: (0, 0, 102, 102)}[orientation]


def fax(*resolutions: tuple[int, int]) -> bytes:
    """Return a fax with a page of writing for each resolution."""
    pages = []
    for across, down in resolutions:
        page = Image.new("1", (1728, 11 * down), 1)
        for line in range(40, page.height - 40, 20):
            ImageDraw.Draw(page).text((100, line), f"{line} parcels left the warehouse, all signed for. " * 5)
        page.encoderinfo = {"dpi": (across, down)}
        pages.append(page)
    written = io.BytesIO()
    pages[0].save(
        written, "TIFF", save_all=True, append_images=pages[1:], compression="group4", dpi=resolutions[0]
    )
    return written.getvalue()


@pytest.mark.parametrize("steps", [BOTH, (*BOTH, "shrink")])
@pytest.mark.parametrize("resolutions", [[(204, 196)], [(204, 98), (204, 196)]])
def test_a_fax_stays_black_and_white_pixel_by_pixel(resolutions, steps, preparer, renderer):
    document = fax(*resolutions)
    prepared = preparer.prepare(document, steps, STRIPE, MOST)
    assert len(prepared.content) <= len(document) + 2000
    frames = ImageSequence.Iterator(Image.open(io.BytesIO(document)))
    with pikepdf.open(io.BytesIO(prepared.content)) as pdf:
        for page, frame in zip(pdf.pages, frames, strict=True):
            picture = pikepdf.PdfImage(page.Resources.XObject.Picture).as_pil_image()
            assert picture.mode == "1"
            assert ImageChops.difference(picture.convert("L"), frame.convert("L")).getbbox() is None
            across, down = frame.info["dpi"]
            assert [float(side) for side in list(page.mediabox)[2:]] == pytest.approx(
                [frame.width * 72 / across, frame.height * 72 / down], abs=1
            )
            assert renderer.inspect(prepared.content).pages == len(resolutions)
