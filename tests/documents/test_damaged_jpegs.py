"""A JPEG is inspected without decoding all of it, and refused exactly if a decoder refuses it."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Iterator

import pytest
from PIL import Image, ImageFile

from dispute_provider._documents import Renderer, RenderingError

SIZE = (160, 120)
DAMAGES = 40


def photo(mode: str, *, progressive: bool, restarts: int) -> bytes:
    """Return a picture of grain, whose coded data has many bytes."""
    grain = [Image.effect_noise(SIZE, 60) for _ in mode]
    written = io.BytesIO()
    # Pillow's buffer is too small for so much grain.
    ImageFile.MAXBLOCK, before = 1 << 20, ImageFile.MAXBLOCK
    try:
        Image.merge(mode, grain).save(
            written, "JPEG", quality=80, progressive=progressive, restart_marker_blocks=restarts
        )
    finally:
        ImageFile.MAXBLOCK = before
    return written.getvalue()


def damaged(whole: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield copies that are cut, have a hole, or have wrong bytes in the head or anywhere."""
    head = whole.index(b"\xff\xda")
    for _ in range(DAMAGES):
        yield whole[: chance.randrange(20, len(whole))]
        hole = chance.randrange(20, len(whole))
        yield whole[:hole] + whole[hole + chance.randrange(1, 400) :]
        for most in (head, len(whole)):
            wrong = bytearray(whole)
            for _ in range(chance.randrange(1, 8)):
                wrong[chance.randrange(2, most)] = chance.randrange(256)
            yield bytes(wrong)


def decodes(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as opened:
            opened.load()
    except (OSError, SyntaxError, ValueError, IndexError, Image.DecompressionBombError):
        return False
    return True


def accepts(renderer: Renderer, content: bytes) -> bool:
    try:
        renderer.inspect(content)
    except RenderingError:
        return False
    return True


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_damaged_jpeg_is_refused_if_a_decoder_refuses_it(renderer: Renderer, mode: str) -> None:
    chance = random.Random(mode)  # the same damages in every run
    for progressive, restarts in itertools.product((False, True), (0, 4)):
        whole = photo(mode, progressive=progressive, restarts=restarts)
        assert accepts(renderer, whole)
        for content in damaged(whole, chance):
            assert accepts(renderer, content) == decodes(content)
