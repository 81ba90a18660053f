"""Several files for one field are named as exhibits, and joined within the limits of the API."""

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
from dispute_provider.exceptions import InvalidCaseError

MOOV = "04c2664e-e55c-545c-8673-a0a201003253"


@pytest.fixture(scope="module")
def readers() -> Iterator[tuple[Renderer, Preparation]]:
    with Renderer() as renderer, closing(Preparation(Unkept())) as preparation:
        yield renderer, preparation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "order.pdf").write_bytes(papers.pdf())
    (tmp_path / "chat.png").write_bytes(papers.picture("PNG"))
    (tmp_path / "doorstep.webp").write_bytes(papers.picture("WEBP"))
    return tmp_path


def case(evidence: dict[str, Any], folder: Path, provider: str = "stripe", **more: Any) -> Case:
    dispute = "du_1" if provider == "stripe" else MOOV
    return Case.parse(
        {"provider": provider, "dispute": dispute, "evidence": evidence, **more}, folder=str(folder)
    )


def read(readers: tuple[Renderer, Preparation], given: Case) -> CaseDocuments:
    renderer, preparation = readers
    return read_documents(given, renderer, None, preparation)


def refused(readers: tuple[Renderer, Preparation], given: Case) -> dict[str, str]:
    with pytest.raises(InvalidCaseError) as error:
        read(readers, given)
    return {each.pointer: f"{each.problem}; {each.remedy}" for each in error.value.violations}


@pytest.mark.parametrize("provider", ["stripe", "moov"])
def test_exhibits_become_one_pdf(provider, folder, readers):
    given = {"exhibits": ["order.pdf", {"file": "chat.png", "caption": "Chat"}, "doorstep.webp"]}
    found = read(readers, case({"receipt": given}, folder, provider, prepare=["convert"]))
    [(path, document)] = found.found.items()
    assert (path, document.content_type, document.pages) == ("receipt exhibits.pdf", "application/pdf", 4)
    assert [each.path for each in document.exhibits] == ["order.pdf", "chat.png", "doorstep.webp"]
    [note] = found.notes
    assert note.startswith(
        "receipt exhibits.pdf was joined with a page of contents from 1. order.pdf; 2. chat.png; "
        "3. doorstep.webp: converted from WEBP to "
    )
    assert note.endswith(f"(4 pages, {len(document.content):,} bytes)")


def test_the_digest_of_a_case_changes_with_a_caption(folder, readers):
    digests = set()
    for caption in ("Order", "Order", "Invoice"):
        given = case({"receipt": {"exhibits": [{"file": "order.pdf", "caption": caption}]}}, folder)
        digests.add(given.digest(read(readers, given).found))
    assert len(digests) == 2


def test_each_joined_document_has_a_name_of_its_own(folder, readers):
    (folder / "receipt exhibits.pdf").write_bytes(papers.pdf())
    joined = {"exhibits": ["order.pdf"]}
    evidence = {"receipt": [joined, {"file": "receipt exhibits.pdf"}, {"exhibits": ["chat.png"]}]}
    found = read(readers, case(evidence, folder, "moov")).found
    assert {path: len(each.exhibits) for path, each in found.items()} == {
        "receipt exhibits 2.pdf": 1,
        "receipt exhibits.pdf": 0,
        "receipt exhibits 3.pdf": 1,
    }


def test_a_problem_names_its_exhibit(folder, readers):
    given = {"exhibits": ["order.pdf", "none.pdf", "doorstep.webp"]}
    said = refused(readers, case({"receipt": given}, folder))
    switch = "or switch it on: prepare: [convert]"
    assert said == {
        "/evidence/receipt/exhibits/1": "none.pdf: there is no such file; put it in the case's folder",
        "/evidence/receipt/exhibits/2": "doorstep.webp: its content is WEBP, not PDF, JPEG, PNG, TIFF or "
        f"GIF; save a picture as JPEG, and any other document as PDF, {switch}",
    }
    found = read(readers, case({"receipt": {**given, "optional": True}}, folder))
    assert not found.found
    assert found.notes == (
        "receipt exhibits.pdf is optional and was left out: none.pdf: there is no such file",
    )


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ({"exhibits": "order.pdf"}, "/exhibits", "is a text; write a list, with its items in brackets: [ ]"),
        ({"exhibits": []}, "/exhibits", "at least 1"),
        ({"exhibits": ["../order.pdf"]}, "/exhibits/0", "is a path outside the case's folder; put the file"),
        ({"exhibits": ["a\tb.pdf"]}, "/exhibits/0", "has characters that do not print"),
        ({"exhibits": ["a.pdf"], "file": "b.pdf"}, "", "unknown: file"),
        ({"exhibits": [{"file": "a.pdf", "caption": ""}]}, "/exhibits/0/caption", "at least 1"),
        ([{"file": "a.pdf"}, {"file": "b.pdf"}], "", "join several into one PDF: {exhibits: [a.pdf, b.jpg]}"),
    ],
)
def test_mistakes_are_refused_with_their_cure(given, where, said, folder):
    with pytest.raises(InvalidCaseError) as error:
        case({"receipt": given}, folder)
    violations = {each.pointer: f"{each.problem}; {each.remedy}" for each in error.value.violations}
    assert said in violations[f"/evidence/receipt{where}"]


def test_the_contents_count_as_a_page(folder, readers):
    (folder / "scan.pdf").write_bytes(papers.scanned(48, (60, 80)))
    found = read(readers, case({"receipt": {"exhibits": ["scan.pdf"]}}, folder)).found
    assert found["receipt exhibits.pdf"].pages == 49
    said = refused(readers, case({"receipt": {"exhibits": ["scan.pdf", "chat.png"]}}, folder))
    assert said["/evidence"].startswith(
        "receipt exhibits.pdf (receipt) has 50 pages, and the limit is 49 pages"
    )
    assert read(readers, case({"receipt": {"exhibits": ["scan.pdf", "chat.png"]}}, folder, "moov")).found


@pytest.mark.parametrize(("provider", "most"), [("stripe", 4_500_000), ("moov", 4_000_000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exhibits_are_shrunk_to_what_is_left(kind, provider, most, folder, readers):
    names = ["1.jpg", "2.jpg", "3.jpg"]
    for index, name in enumerate(names):
        written = io.BytesIO()
        size = (1800 + 20 * index, 1400) if kind == "JPEG" else (1050 + 20 * index, 1100)
        Image.effect_noise(size, 80).convert("RGB" if kind == "JPEG" else "P").save(written, kind, quality=95)
        (folder / name).write_bytes(written.getvalue())
    other = "customer-communication" if provider == "moov" else "refund_policy"
    evidence = {"receipt": {"exhibits": names}, other: {"file": "order.pdf"}}
    whole = case(evidence, folder, provider)
    assert "and the limit is" in str(refused(readers, whole))
    found = read(readers, case(evidence, folder, provider, prepare=["shrink"])).found
    document = found["receipt exhibits.pdf"]
    assert len(document.content) <= most
    assert document.pages == 4
    assert all(each.prepared_from for each in document.exhibits)
    assert found["order.pdf"].content == papers.pdf()
