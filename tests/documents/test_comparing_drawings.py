"""The comparison with pdftoppm finds what a drawing lacks, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.corpus import comparing

SIZE = (320, 320)
Draw = Callable[[ImageDraw.ImageDraw], object]


def drawn(*parts: Draw, paper: str = "white") -> Image.Image:
    page = Image.new("RGB", SIZE, paper)
    for part in parts:
        part(ImageDraw.Draw(page))
    return page


def word(at: tuple[int, int], color: str = "black") -> Draw:
    return lambda page: page.text(at, "Paid in full", fill=color, font_size=14)


def box(at: tuple[int, int, int, int], color: str) -> Draw:
    return lambda page: page.rectangle(at, fill=color)


@pytest.mark.parametrize(
    ("reference", "ours"),
    [
        (drawn(word((40, 40)), word((40, 200))), drawn(word((40, 40)))),
        (drawn(word((40, 200), "#ccc")), drawn()),
        (
            drawn(box((0, 160, 320, 320), "navy"), word((40, 200), "white")),
            drawn(box((0, 160, 320, 320), "navy")),
        ),
        (drawn(box((40, 200, 200, 280), "#ddd")), drawn()),
        (drawn(word((40, 200)), paper="#eee"), drawn(paper="#eee")),
        (drawn(word((40, 200), "yellow")), drawn()),
    ],
    ids=["text", "pale text", "white text", "area", "text on grey paper", "yellow text"],
)
def test_what_is_missing_is_found(reference: Image.Image, ours: Image.Image) -> None:
    lost = comparing.lost_tiles(reference, ours)
    assert len(lost) >= 3
    assert all(row in range(12, 18) for _, row in lost)


@pytest.mark.parametrize(
    ("reference", "ours"),
    [
        (drawn(word((40, 40))), drawn(word((42, 39)))),
        (drawn(word((40, 40))), drawn(word((40, 40), "#777"))),
        (drawn(word((40, 40))), drawn(word((40, 40))).filter(ImageFilter.GaussianBlur(1))),
        (drawn(word((40, 40))), drawn(word((40, 40)), word((40, 200)))),
        (drawn(box((40, 200, 41, 200), "black")), drawn()),
        (drawn(box((40, 40, 90, 90), "red")), drawn(box((41, 41, 91, 91), "maroon"))),
        (drawn(box((0, 0, 320, 320), "navy")), drawn(box((1, 0, 320, 320), "navy"))),
    ],
    ids=["moved", "paler", "blurred", "more", "speck", "other color", "rim of the page"],
)
def test_what_is_only_drawn_otherwise_is_not_lost(reference: Image.Image, ours: Image.Image) -> None:
    assert comparing.lost_tiles(reference, ours) == []


def test_the_difference_is_a_mean_of_the_page() -> None:
    half = drawn(box((0, 0, 319, 159), "black"))
    assert comparing.difference(half, drawn()) == pytest.approx(127.5)
    assert comparing.difference(half, half) == 0


def test_the_coarse_difference_disregards_edges() -> None:
    lines = drawn(*(box((0, at, 319, at), "black") for at in range(0, 320, 4)))
    moved = drawn(*(box((0, at, 319, at), "black") for at in range(2, 320, 4)))
    assert comparing.difference(lines, moved) > 100
    assert comparing.coarse_difference(lines, moved) < 20
