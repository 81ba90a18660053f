"""Documents that are too large become smaller by steps, never so small that print cannot be read."""

from __future__ import annotations

import io

import papers
import pikepdf
import pytest
from PIL import Image, ImageStat

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
