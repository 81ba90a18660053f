"""Documents at the last step of the ladder are legible: tesseract reads small print of every type.

Needs Debian's packages tesseract-ocr and fonts-dejavu-core.
"""

from __future__ import annotations

import difflib
import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer
from dispute_provider._documents.preparing import Preparer
from dispute_provider._evidence.limits import Limits

DPI = 300
A4 = (2480, 3508)
# Seven points.
PRINT = ImageFont.truetype("DejaVuSans.ttf", 7 * DPI // 72)
LINES = [
    f"{number} Order 10{number}43 of 12 November: two chairs, oak, 4{number}.95 EUR, signed for by J. Roe."
    for number in range(10, 50)
]
LEAST = 0.995
KINDS = ("JPEG", "PNG", "TIFF", "GIF", "WEBP", "AVIF", "BMP", "PDF")


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[Preparer, Renderer]]:
    with Preparer() as preparer, Renderer() as renderer:
        yield preparer, renderer


def scan(kind: str) -> bytes:
    """Return a page of small print on paper with some grain, as a scanner of 300 dpi writes it."""
    page = Image.effect_noise(A4, 12).point(lambda value: min(255, value + 110)).convert("RGB")
    drawing = ImageDraw.Draw(page)
    for number, line in enumerate(LINES):
        drawing.text((200, 200 + number * 70), line, fill=(30, 30, 30), font=PRINT)
    written = io.BytesIO()
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {}
    page.save(
        written, kind, **(options if kind in ("GIF", "WEBP", "AVIF") else {"dpi": (DPI, DPI), **options})
    )
    return written.getvalue()


def read(page: bytes, folder: Path) -> str:
    file = folder / "page.png"
    Image.open(io.BytesIO(page)).save(file, dpi=(DPI, DPI))
    command = ["tesseract", str(file), "-", "--psm", "6"]
    # Its threads wait for each other by computing, which takes several times as long on a busy machine.
    alone = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=alone).stdout


def share_read(text: str) -> float:
    """Return the share of the characters of all lines that were read."""
    wanted = "".join("".join(LINES).split())
    found = "".join(text.split())
    blocks = difflib.SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(wanted)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("api", ["stripe", "moov"])
@pytest.mark.parametrize("kind", KINDS)
def test_small_print_is_read_at_the_floor(
    kind: str, api: str, processes: tuple[Preparer, Renderer], tmp_path: Path
) -> None:
    preparer, renderer = processes
    types = Limits.of(contract.load(api)).types
    prepared = preparer.prepare(scan(kind), ("convert", "shrink"), types, 1)
    assert "quality 50" in " ".join(prepared.done)
    joined = preparer.join([("scan", prepared.content)]).content
    share = share_read(read(renderer.render(joined, 2, 2400), tmp_path))
    print(f"{kind} at {api}: {share:.2%} of the characters, {len(prepared.content):,} bytes")
    assert share >= LEAST
