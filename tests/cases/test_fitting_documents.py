"""Documents that are too large together are shrunk as far as needed, or refused with the sums."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import papers
import pytest
from PIL import Image

from dispute_provider._cases.documents import CaseDocuments, read_documents
from dispute_provider._cases.preparing import Preparation, Unkept
from dispute_provider._documents import Renderer
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.sharing import Budget, shares
from dispute_provider.exceptions import InvalidCaseError

NAMES = ("receipt", "refund_policy", "shipping_documentation", "service_documentation", "cancellation_policy")


@pytest.fixture(scope="module")
def readers() -> Iterator[tuple[Renderer, Preparation]]:
    with Renderer() as renderer, closing(Preparation(Unkept())) as preparation:
        yield renderer, preparation


def photo(size: tuple[int, int], strength: int = 40) -> bytes:
    written = io.BytesIO()
    Image.effect_noise(size, strength).convert("RGB").save(written, "JPEG", quality=95)
    return written.getvalue()


def read(
    folder: Path,
    readers: tuple[Renderer, Preparation],
    files: dict[str, bytes],
    optional: str = "",
    **case: Any,
) -> CaseDocuments:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    evidence = {
        field: {"file": name, "optional": name == optional} for field, name in zip(NAMES, files, strict=False)
    }
    given = {"provider": "stripe", "dispute": "du_1", "evidence": evidence, "prepare": ["shrink"], **case}
    renderer, preparation = readers
    return read_documents(Case.parse(given, folder=str(folder)), renderer, None, preparation)


def test_only_the_large_documents_of_a_dispute_are_shrunk(tmp_path, readers):
    files = {"small.pdf": papers.pdf(), "a.jpg": photo((2000, 1500)), "b.jpg": photo((2200, 1600))}
    files["c.jpg"] = photo((2100, 1600))
    assert sum(map(len, files.values())) > 4_500_000
    found = read(tmp_path, readers, files).found
    assert sum(len(each.content) for each in found.values()) <= 4_500_000
    assert {path for path, each in found.items() if each.prepared_from} == {"a.jpg", "b.jpg", "c.jpg"}


def test_documents_that_fit_stay_as_they_are(tmp_path, readers):
    files = {"a.jpg": photo((1500, 1000)), "b.jpg": photo((1500, 1100))}
    read_ones = read(tmp_path, readers, files)
    assert {path: each.content for path, each in read_ones.found.items()} == files
    assert read_ones.notes == ()


def test_what_does_not_fit_at_the_floor_is_refused_with_the_sum(tmp_path, readers):
    files = {f"{name}.jpg": photo((1754, 1240), 200) for name in "abcde"}
    with pytest.raises(InvalidCaseError) as refused:
        read(tmp_path, readers, files)
    [violation] = refused.value.violations
    assert "a.jpg (receipt) 1.04" in violation.problem
    assert " MB, with their pictures at 150 dpi and quality 50" in violation.problem

    # Without the optional one they fit, and the others are shrunk no further than that needs.
    kept = read(tmp_path, readers, files, optional="e.jpg")
    assert set(kept.found) == {"a.jpg", "b.jpg", "c.jpg", "d.jpg"}
    assert "e.jpg is optional and was left out: " in kept.notes[-1]


def test_one_document_over_the_limit_of_the_api_at_the_floor_is_refused(tmp_path, readers):
    files = {"a.png": b""}
    written = io.BytesIO()
    Image.effect_noise((1240, 12_000), 255).save(written, "PNG", compress_level=1)
    files["a.png"] = written.getvalue()
    with pytest.raises(InvalidCaseError) as refused:
        read(tmp_path, readers, files)
    [violation] = refused.value.violations
    assert violation.problem.startswith(f"a.png: it has {len(files['a.png']):,} bytes, ")
    assert (
        "at 150 dpi and quality 50, below which small print is not legible, and the limit is 5,000,000"
        in (violation.problem)
    )
    assert violation.remedy == "crop it, or split it into several documents"


@pytest.mark.parametrize(
    ("sizes", "total", "fixed", "most"),
    [
        ({"a": 10, "b": 90}, 100, {}, {}),
        ({"a": 10, "b": 91}, 100, {}, {"b": 90}),
        ({"a": 10, "b": 60, "c": 80}, 100, {}, {"b": 45, "c": 45}),
        ({"a": 10, "b": 60, "c": 80}, 100, {"c": 70}, {"b": 20}),
        ({"a": 10, "b": 60}, 50, {"b": 60}, {"a": 1}),
    ],
)
def test_small_documents_keep_their_size_and_large_ones_share_the_rest(sizes, total, fixed, most):
    assert shares(sizes, [Budget(tuple(sizes), total)], fixed) == most
