"""Exhibits are joined into one PDF: nothing of them is lost, and the same exhibits give the same bytes."""

from __future__ import annotations

import io

import papers
import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps

from dispute_provider._documents import Renderer
from dispute_provider._documents.preparing import Preparer

WIDTH = 595


def texts(joined: bytes) -> list[str]:
    """Return the text of each page."""
    with pypdfium2.PdfDocument(joined) as document:
        return [page.get_textpage().get_text_range() for page in document]


def drawn(renderer: Renderer, document: bytes, page: int) -> Image.Image:
    return Image.open(io.BytesIO(renderer.render(document, page, WIDTH))).convert("RGB")


def turned(by: int, **keys: object) -> bytes:
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.pages[0].obj.Rotate = by
        for key, value in keys.items():
            document.pages[0].obj[f"/{key}"] = value
        document.save(written)
    return written.getvalue()


def photo(orientation: int) -> bytes:
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 90, 40), fill="red")
    ImageDraw.Draw(picture).rectangle((250, 150, 299, 199), fill="blue")
    exif = picture.getexif()
    exif[0x0112], exif[0x8825] = orientation, {1: "N", 2: (48.0, 12.0, 0.0)}
    written = io.BytesIO()
    picture.save(written, "JPEG", exif=exif, quality=95)
    return written.getvalue()


def test_contents_captions_and_page_numbers(preparer, renderer):
    exhibits = [("order.pdf", papers.scanned(2)), ("Chat with Łukasz 📦", papers.picture("PNG"))]
    exhibits.append(("fax.tiff", papers.tiff(2)))
    prepared = preparer.join(exhibits)
    assert prepared.done == ("wrote symbols without a font by their names: [package]",)
    joined = prepared.content
    assert renderer.inspect(joined).pages == 6
    contents, *pages = texts(joined)
    rows = ["Exhibits", "1", "order.pdf", "2", "2", "Chat with Łukasz [package]", "4", "3", "fax.tiff", "5"]
    assert sorted(contents.split()) == sorted(" ".join(rows).split())
    captions = ["1: order.pdf", "1: order.pdf", "2: Chat with Łukasz [package]", "3: fax.tiff", "3: fax.tiff"]
    for number, (page, caption) in enumerate(zip(pages, captions, strict=True), 2):
        assert f"Exhibit {caption}" in page
        assert f"Page {number} of 6" in page
    assert all(renderer.draw(joined, page).unseen.problem is None for page in range(1, 7))


@pytest.mark.parametrize(
    ("by", "more"),
    [
        *((by, {}) for by in (0, 90, 180, 270)),
        (0, {"CropBox": [100, 400, 500, 800]}),
        (90, {"UserUnit": 2}),
    ],
)
def test_the_strip_stands_below_a_page_that_is_drawn_as_before(by, more, preparer, renderer):
    page = turned(by, **more)
    joined = preparer.join([("order.pdf", page)]).content
    before, after = drawn(renderer, page, 1), drawn(renderer, joined, 2)
    assert after.height > before.height
    upper = after.crop((0, 0, *before.size))
    assert ImageChops.difference(before, upper).point(lambda value: 255 * (value > 4)).getbbox() is None
    strip = ImageOps.invert(after.crop((0, before.height, *after.size)).convert("L"))
    assert strip.getbbox() is not None
    assert "Page 2 of 2" in texts(joined)[1]


def test_the_drawing_of_a_page_cannot_affect_its_strip(preparer, renderer):
    """It leaves a clip and a matrix behind, with which the strip would vanish."""
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.pages[0].contents_add(b"q q 0 0 1 1 re W n 9 0 0 9 0 0 cm")
        document.save(written)
    after = drawn(renderer, preparer.join([("order.pdf", written.getvalue())]).content, 2)
    below = after.crop((0, after.height - 20, *after.size)).convert("L")
    assert ImageOps.invert(below).getbbox() is not None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_and_without_its_place(orientation, preparer, renderer):
    document = photo(orientation)
    joined = preparer.join([("photo.jpg", document)]).content
    page = drawn(renderer, joined, 2)
    found = ImageOps.invert(page.convert("L").crop((0, 0, page.width, page.height - 40))).point(
        lambda value: 255 * (value > 60)
    )
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(document)))
    wanted = upright.crop(ImageOps.invert(upright.convert("L")).point(lambda v: 255 * (v > 60)).getbbox())
    shown = page.crop(found.getbbox()).resize(wanted.size)
    apart = ImageChops.difference(shown, wanted).convert("L").resize((30, 30), Image.Resampling.BOX)
    assert apart.getextrema()[1] < 70
    with pikepdf.open(io.BytesIO(joined)) as pdf:
        inner = pdf.pages[1].obj.Resources.XObject.Page.Resources.XObject.Picture.read_raw_bytes()
    assert not Image.open(io.BytesIO(inner)).getexif()


def test_a_long_screenshot_keeps_its_width(preparer, renderer):
    joined = preparer.join([("chat.png", papers.picture("PNG", size=(600, 4000)))]).content
    with pypdfium2.PdfDocument(joined) as document:
        width, height = document[1].get_size()
    assert (round(width), height > 3000) == (595, True)
    assert renderer.inspect(joined).pages == 2


def filled(**field: object) -> bytes:
    """Return a form with one field, which has no appearance."""
    written = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(300, 300))
        widget = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot,
                Subtype=pikepdf.Name.Widget,
                T="name",
                DA="/Helv 12 Tf 0 g",
                Rect=[20, 200, 200, 220],
                F=4,
                **field,
            )
        )
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        document.pages[0].obj.Annots = [widget]
        document.Root.AcroForm = pikepdf.Dictionary(
            Fields=[widget], DA="/Helv 12 Tf 0 g", DR=pikepdf.Dictionary(Font=pikepdf.Dictionary(Helv=font))
        )
        document.save(written)
    return written.getvalue()


def test_a_filled_form_keeps_what_was_filled_in(preparer):
    form = filled(FT=pikepdf.Name.Tx, V="Jane Roe")
    assert "Jane Roe" in texts(preparer.join([("form.pdf", form)]).content)[1]


@pytest.mark.parametrize(("state", "is_ticked"), [("/Yes", True), ("/Off", False)])
def test_a_box_that_is_ticked_stays_so(state, is_ticked, preparer, renderer):
    form = filled(FT=pikepdf.Name.Btn, V=pikepdf.Name(state), AS=pikepdf.Name(state))
    page = drawn(renderer, preparer.join([("form.pdf", form)]).content, 2)
    middle = (page.width * 110 // 300, page.width * 90 // 300)
    box = page.crop((middle[0] - 9, middle[1] - 9, middle[0] + 9, middle[1] + 9)).convert("L")
    assert (box.getextrema()[0] < 128) is is_ticked


def test_a_signature_that_is_lost_is_named_once(preparer):
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.Root.AcroForm = pikepdf.Dictionary(Fields=[], SigFlags=3)
        document.save(written)
    exhibits = [("contract.pdf", written.getvalue()), ("copy.pdf", written.getvalue())]
    assert preparer.join(exhibits).done == ("a digital signature in it is no longer valid",)
    assert preparer.join([("order.pdf", papers.pdf())]).done == ()


def test_another_process_gives_the_same_bytes(preparer):
    exhibits = [("a.pdf", papers.pdf()), ("b.jpg", photo(6)), ("c.gif", papers.picture("GIF", "P"))]
    exhibits.append(("d.tiff", papers.tiff(2)))
    with Preparer() as other:
        assert preparer.join(exhibits) == other.join(exhibits)


def test_the_pixels_of_a_plain_png_are_kept_as_they_are_coded(preparer, renderer):
    screenshot = papers.picture("PNG", size=(300, 500))
    joined = preparer.join([("chat.png", screenshot)]).content
    with pikepdf.open(io.BytesIO(joined)) as document:
        [picture] = document.pages[1].Resources.XObject.Page.Resources.XObject.values()
        assert picture.read_raw_bytes() in screenshot
    assert drawn(renderer, joined, 2).getpixel((WIDTH // 2, 200)) == (0, 0, 0)


def test_a_turned_png_is_upright(preparer, renderer):
    picture = Image.new("RGB", (300, 200), "blue")
    exif = picture.getexif()
    exif[0x0112] = 6
    written = io.BytesIO()
    picture.save(written, "PNG", exif=exif)
    page = drawn(renderer, preparer.join([("photo.png", written.getvalue())]).content, 2)
    left, top, right, bottom = (
        ImageChops.difference(page, Image.new("RGB", page.size, "white"))
        .crop((0, 0, page.width, page.height - 40))
        .getbbox()
    )
    assert bottom - top > right - left


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_fax_has_its_true_proportions(kind, preparer, renderer):
    written = io.BytesIO()
    Image.new("RGB", (408, 196), "blue").save(written, kind, dpi=(204, 98))
    page = drawn(renderer, preparer.join([("fax", written.getvalue())]).content, 2)
    left, top, right, bottom = (
        ImageChops.difference(page, Image.new("RGB", page.size, "white"))
        .crop((0, 0, page.width, page.height - 40))
        .getbbox()
    )
    assert abs((right - left) - (bottom - top)) <= 2
