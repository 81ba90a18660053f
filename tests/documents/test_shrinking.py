"""Documents that are too large become smaller by steps, never so small that print cannot be read."""

from __future__ import annotations

import io
import zlib

import papers
import pikepdf
import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from dispute_provider._documents.preparing import Prepared, Preparer

STRIPE = ("application/pdf", "image/jpeg", "image/png")
MOOV = ("application/pdf", "image/jpeg", "image/tiff")


def photo(size: tuple[int, int], kind: str = "JPEG", **options: object) -> bytes:
    """Return a picture with as much detail as a photo of a lawn."""
    written = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(written, kind, **options)
    return written.getvalue()


def shrunk(preparer: Preparer, document: bytes, most: int, types: tuple[str, ...] = STRIPE) -> Prepared:
    return preparer.prepare(document, ("shrink",), types, most)


def shown(prepared: Prepared) -> Image.Image:
    return Image.open(io.BytesIO(prepared.content))


def test_a_photo_is_shrunk_no_more_than_needed_and_never_below_the_floor(preparer):
    document = photo((4032, 3024), quality=84)
    sizes = []
    for most in (len(document), 5_000_000, 2_500_000, 1_200_000, 1):
        prepared = shrunk(preparer, document, most)
        assert len(prepared.content) <= most or most == 1
        sizes.append((*shown(prepared).size, *prepared.done))
    assert sizes == [
        (4032, 3024),
        (3507, 2630, "shrunk from 4,032 × 3,024 to 3,507 × 2,630 pixels at quality 85"),
        (2338, 1754, "shrunk from 4,032 × 3,024 to 2,338 × 1,754 pixels at quality 75"),
        (1754, 1315, "shrunk from 4,032 × 3,024 to 1,754 × 1,315 pixels at quality 70"),
        (1754, 1315, "shrunk from 4,032 × 3,024 to 1,754 × 1,315 pixels at quality 50"),
    ]


@pytest.mark.parametrize(
    ("document", "size"),
    [
        # A chat as one long picture: made as high as a page, it would be too narrow to be read.
        (photo((1170, 5000), "PNG"), (1170, 5000)),
        # A scan of A3 states its resolution, of which half is left.
        (photo((3508, 4960), dpi=(300, 300)), (1754, 2480)),
        (photo((1000, 800)), (1000, 800)),
    ],
)
def test_a_picture_keeps_the_pixels_that_print_needs(document, size, preparer):
    prepared = shrunk(preparer, document, 1)
    assert shown(prepared).size == size
    assert len(prepared.content) < len(document)


@pytest.mark.parametrize("described", [False, True], ids=["plain", "described"])
def test_only_the_pictures_of_a_pdf_are_shrunk(described, preparer, renderer):
    scan = papers.scanned(2, (2480, 3508))
    scan = papers.described(scan) if described else scan
    prepared = shrunk(preparer, scan, 1)
    assert prepared.done == ("shrunk 2 of its pictures to at most 150 dpi at quality 50",)
    assert len(prepared.content) < len(scan)
    with pikepdf.open(io.BytesIO(scan)) as before, pikepdf.open(io.BytesIO(prepared.content)) as after:
        assert [page.MediaBox for page in after.pages] == [page.MediaBox for page in before.pages]
    before, after = (
        Image.open(io.BytesIO(renderer.render(each, 2, 600))).convert("L")
        for each in (scan, prepared.content)
    )
    assert before.size == after.size
    assert abs(ImageStat.Stat(before).mean[0] - ImageStat.Stat(after).mean[0]) < 2


def four_colors() -> Image.Image:
    """Return a picture for printing, with a coloured and a black half."""
    grain = Image.effect_noise((2480, 1754), 40)
    picture = Image.merge("CMYK", (grain, *(Image.new("L", grain.size, each) for each in (30, 60, 10))))
    picture.paste((255, 0, 0, 0), (0, 0, 1240, 1754))
    picture.paste((0, 0, 0, 255), (1400, 200, 2000, 900))
    return picture


def as_jpeg(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=95)
    return written.getvalue()


def without_adobe(jpeg: bytes) -> bytes:
    """Return a JPEG without the segment by which Adobe's programs say how its colors are stored."""
    at = jpeg.index(b"Adobe") - 4
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


JPEG_OF_FOUR = as_jpeg(four_colors())
PIXELS = {mode: zlib.compress(four_colors().convert(mode).tobytes()) for mode in ("RGB", "CMYK")}


def page_with(pixels: bytes, mode: str, mask: str | None = None, **more: object) -> bytes:
    """Return a PDF whose page is a picture."""
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(595, 421))
        picture = document.make_stream(pixels, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
        picture.Filter = (
            pikepdf.Name.DCTDecode if pixels.startswith(b"\xff\xd8") else pikepdf.Name.FlateDecode
        )
        picture.Width, picture.Height, picture.BitsPerComponent = 2480, 1754, 8
        picture.ColorSpace = pikepdf.Name(f"/Device{mode}")
        if mask:
            shape = document.make_stream(bytes(155 * 877) + b"\xff" * (155 * 877))
            shape.Type, shape.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
            shape.Width, shape.Height, shape.BitsPerComponent = 1240, 1754, 1
            if mask == "/Mask":
                shape.ImageMask = True
            else:
                shape.ColorSpace = pikepdf.Name.DeviceGray
            picture[mask] = shape
        for key, value in more.items():
            picture[f"/{key}"] = value
        page = document.pages[0].obj
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Picture=picture))
        page.Contents = document.make_stream(b"595 0 0 421 0 0 cm /Picture Do")
        written = io.BytesIO()
        document.save(written)
    return written.getvalue()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(page_with(JPEG_OF_FOUR, "CMYK"), id="four colors"),
        pytest.param(page_with(without_adobe(JPEG_OF_FOUR), "CMYK"), id="four colors of another program"),
        pytest.param(page_with(JPEG_OF_FOUR, "CMYK", Decode=[1, 0] * 4), id="four colors, inverted"),
        pytest.param(page_with(PIXELS["CMYK"], "CMYK"), id="four colors without loss"),
        pytest.param(page_with(PIXELS["CMYK"], "CMYK", "/SMask"), id="four colors with a soft mask"),
        pytest.param(page_with(PIXELS["RGB"], "RGB", "/SMask"), id="a soft mask"),
        pytest.param(page_with(PIXELS["RGB"], "RGB", "/Mask"), id="a mask"),
    ],
)
def test_pictures_for_printing_and_with_masks_keep_their_colors(document, preparer, renderer):
    prepared = shrunk(preparer, document, 1)
    assert prepared.done == ("shrunk 1 of its pictures to at most 150 dpi at quality 50",)
    assert len(prepared.content) < len(document) / 2
    before, after = (
        Image.open(io.BytesIO(renderer.render(each, 1, 300))).convert("RGB")
        for each in (document, prepared.content)
    )
    assert max(ImageStat.Stat(ImageChops.difference(before, after)).mean) < 5


def test_a_pdf_without_pictures_stays_as_it_is(preparer):
    assert shrunk(preparer, papers.pdf(), 1).done == ()
    assert shrunk(preparer, papers.pdf(), 1).content == papers.pdf()


def test_a_scan_of_several_frames_becomes_a_smaller_pdf(preparer, renderer):
    pages = [Image.effect_noise((1700, 2200), 40) for _ in range(2)]
    written = io.BytesIO()
    pages[0].save(written, "TIFF", save_all=True, append_images=pages[1:], dpi=(200, 200))
    prepared = shrunk(preparer, written.getvalue(), 3_000_000, MOOV)
    assert prepared.done[:2] == ("converted from TIFF to PDF", "kept all 2 pages")
    assert "shrunk 2 of its pictures" in prepared.done[2]
    assert len(prepared.content) <= 3_000_000
    assert renderer.inspect(prepared.content).pages == 2


def test_a_scan_in_black_and_white_becomes_grey_only_if_that_is_smaller(preparer, renderer):
    grey = Image.effect_noise((1240, 1754), 60).filter(ImageFilter.GaussianBlur(3))
    clear = Image.effect_noise((60, 90), 40).resize(grey.size, Image.Resampling.NEAREST)
    documents = []
    for page in (grey.convert("1"), clear.convert("1", dither=Image.Dither.NONE)):
        written = io.BytesIO()
        page.save(written, "TIFF", compression="group4", dpi=(300, 300))
        documents.append(preparer.prepare(written.getvalue(), ("convert",), STRIPE, 1).content)
    dithered, sharp = documents
    most = len(dithered) * 2 // 3
    prepared = shrunk(preparer, dithered, most)
    assert prepared.done[-1] == "wrote 1 of its pictures in black and white as grey"
    assert len(prepared.content) <= most
    drawn = [
        Image.open(io.BytesIO(renderer.render(each, 1, 300))).convert("L")
        for each in (dithered, prepared.content)
    ]
    assert ImageStat.Stat(ImageChops.difference(*drawn)).mean[0] < 8
    assert shrunk(preparer, sharp, 1).content == sharp


def test_a_converted_photo_is_shrunk_from_the_original(preparer):
    document = photo((2000, 1500), "BMP")
    prepared = preparer.prepare(document, ("convert", "shrink"), STRIPE, 700_000)
    assert prepared.done[0] == "converted from BMP to JPEG"
    assert prepared.done[1].startswith("shrunk from 2,000 × 1,500 to ")
    assert len(prepared.content) <= 700_000


def test_another_process_gives_the_same_bytes(preparer):
    documents = [photo((2000, 1500)), papers.scanned(1, (2480, 3508))]
    with Preparer() as other:
        for document in documents:
            one, two = (shrunk(each, document, 300_000).content for each in (preparer, other))
            assert one == two
