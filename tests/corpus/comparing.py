"""Compare two drawings of the same page. Pure."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

TILE = 16
"""Pixels: about a letter of 12 points, on a page that is 800 pixels wide."""
# Ink is darker than paper, or differs from what is around it. In our drawing, much less of it counts.
_DARK, _HARDLY_DARK = 224, 250
_EDGE, _HARDLY_EDGE = 32, 4
_AROUND = 6
# Pixels of ink in a tile that are no speck.
_LEAST = 4
# A quarter of a tile: letters may be moved by less.
_MOVED = 4
# Pixels at the edge of the page: programs round its size differently.
_MARGIN = 8


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two drawings of one size, of 255."""
    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(means) / len(means)


def coarse_difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two drawings that are blurred, which disregards how edges are drawn."""
    return difference(*(each.convert("RGB").filter(ImageFilter.BoxBlur(_MOVED)) for each in (one, other)))


def lost_tiles(reference: Image.Image, ours: Image.Image) -> list[tuple[int, int]]:
    """Return the tiles that have ink in the reference and none in our drawing: column and row from 0."""
    theirs, drawn = _strongest(reference), _strongest(ours)
    lost = ImageChops.lighter(
        _lost(_below(theirs, _DARK), _below(drawn, _HARDLY_DARK)),
        _lost(_edges(theirs, _EDGE), _edges(drawn, _HARDLY_EDGE)),
    )
    return [(at % lost.width, at // lost.width) for at, each in enumerate(lost.tobytes()) if each]


def _strongest(picture: Image.Image) -> Image.Image:
    """Return a drawing in grey, in which yellow is as dark as black."""
    red, green, blue = picture.convert("RGB").split()
    return ImageChops.darker(red, ImageChops.darker(green, blue))


def _lost(theirs: Image.Image, ours: Image.Image) -> Image.Image:
    """Return a pixel for each tile: set if there is ink in the first mask and none near it in the second."""
    inner = theirs.crop((_MARGIN, _MARGIN, theirs.width - _MARGIN, theirs.height - _MARGIN))
    theirs = ImageOps.expand(inner, _MARGIN)
    least = _LEAST * 255 // TILE**2
    inked = theirs.reduce(TILE).point(lambda value: 255 * (value >= least))
    near = ours.reduce(_MOVED).point(lambda value: 255 * (value > 0)).filter(ImageFilter.MaxFilter(3))
    blank = near.reduce(TILE // _MOVED).point(lambda value: 255 * (value == 0))
    return ImageChops.darker(inked, blank)


def _below(picture: Image.Image, brightness: int) -> Image.Image:
    return picture.point(lambda value: 255 * (value < brightness))


def _edges(picture: Image.Image, strength: int) -> Image.Image:
    around = picture.filter(ImageFilter.BoxBlur(_AROUND))
    return ImageChops.difference(picture, around).point(lambda value: 255 * (value > strength))
