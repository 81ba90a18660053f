"""The tab reads the drawings that staging kept; a document that it draws itself delays no other reviewer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from papers import pdf, scanned, seconds_to_draw, slow_to_draw
from support import children
from viewing import RECEIPT, Site, Staged, signed

from dispute_provider._cases.documents import CaseDocuments
from dispute_provider._documents import Renderer
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document, Inspection
from dispute_provider._state import evidence_store
from dispute_provider._ui.document_pages import DocumentPages
from dispute_provider._workflow.staging.draw import Drawer


def drawn(staged: Staged) -> Staged:
    """Have the pages of a dispute's document drawn and kept, as staging does."""
    document = Document("r.pdf", RECEIPT, Inspection("application/pdf", 3, card_number=False))
    case = Case.parse({"provider": "stripe", "dispute": "du_1", "evidence": {"receipt": {"file": "r.pdf"}}})
    with Renderer() as renderer:
        found = Drawer(renderer).draw(case, CaseDocuments(case, {"r.pdf": document}))
    return Staged(replace(staged.record, drawings=found.drawings), staged.hook)


def viewer(site: Site) -> Any:
    """The mounted application, which holds the documents of the tab."""
    found = next(each for each in site.server.routes if getattr(each, "path", "") == "/dispute-evidence")
    site.client("ana").get("/dispute-evidence/view")  # It is built when it is first asked for something.
    return found.app._app._app  # behind the headers and the plugin


@pytest.fixture
def pages(site: Site) -> Iterator[Any]:
    """Have the tab draw with a renderer of the test's own."""
    state = viewer(site).state
    before = state.documents

    def pages(seconds: float) -> None:
        state.documents = DocumentPages(Renderer(seconds, children=4))

    yield pages
    state.documents.close()
    state.documents = before


def test_what_is_kept_is_read_and_not_drawn(site: Site, stage_one: Any, pages: Any) -> None:
    staged = drawn(stage_one())
    site.returns("stage", staged.shown)
    pages(seconds=0.000_1)
    client, document = site.client("ana"), f"{site.address('stage')}/documents/{staged.sha256}"
    assert client.get(document).json() == {
        "content_type": "application/pdf",
        "pages": 3,
        "size": len(RECEIPT),
    }
    for end in ("1", "2", "3?width=1800"):
        answer = client.get(f"{document}/pages/{end}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert int.from_bytes(answer.content[16:20], "big") == pytest.approx(1200, abs=2)
    assert client.get(f"{document}/pages/4").status_code == 422
    assert client.get(f"{document}/original").headers["content-disposition"].endswith('.pdf"')


def test_a_page_that_somebody_has_exchanged_is_not_shown(site: Site, stage_one: Any, store: Path) -> None:
    staged = drawn(stage_one())
    site.returns("stage", staged.shown)
    known = set(staged.record.documents.values())
    for path in store.glob("*/*"):
        if path.name not in known:
            path.write_bytes(b"\x89PNG\r\n\x1a\nforged")
    document = f"{site.address('stage')}/documents/{staged.sha256}"
    for end in ("", "/pages/1"):
        answer = site.client("ana").get(document + end)
        assert (answer.status_code, "has changed" in answer.json()["detail"]) == (424, True)


def test_a_page_that_the_store_has_lost_is_drawn(site: Site, stage_one: Any, store: Path) -> None:
    staged = drawn(stage_one())
    site.returns("stage", staged.shown)
    known = set(staged.record.documents.values())
    for path in store.glob("*/*"):
        if path.name not in known:
            path.unlink()
    answer = site.client("ana").get(f"{site.address('stage')}/documents/{staged.sha256}/pages/2")
    assert answer.content.startswith(b"\x89PNG")


def test_pages_are_drawn_once_and_the_file_is_read_once(
    site: Site, stage_one: Any, pages: Any, store: Path
) -> None:
    staged = stage_one()
    sha256 = evidence_store.put(scanned(pages=6)) or ""
    documents = {**staged.record.documents, "file_scans": sha256}
    site.returns("stage", signed(replace(staged.record, documents=documents)))
    pages(seconds=20)
    document = f"{site.address('stage')}/documents/{sha256}"

    def look(page: int) -> bytes:
        answer = site.client("ana").get(f"{document}/pages/{page}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        return bytes(answer.content)

    first = [look(1)]
    # A second reading would fail.
    (store / sha256[:2] / sha256).unlink()
    first += [look(page) for page in range(2, 7)]
    assert max(map(len, first)) < 1_000_000
    # A second drawing would start another child.
    viewer(site).state.documents._renderer.close()
    before = children()
    assert [look(page) for page in range(1, 7)] == first
    assert children() == before

    assert site.client("vic").get(f"{document}/pages/1").status_code == 403
    assert site.client(None).get(f"{document}/pages/1").status_code == 401
    site.returns("review", staged.shown)
    elsewhere = f"{site.address('review')}/documents/{sha256}/pages/1"
    assert site.client("ana").get(elsewhere).status_code == 404, "no record of this task has it"
    forged = [{**each, "documents": documents} for each in staged.shown]
    site.returns("nothing", forged)
    elsewhere = f"{site.address('nothing')}/documents/{sha256}/pages/1"
    assert site.client("ana").get(elsewhere).status_code == 404, "the record is not signed"


def test_a_slow_document_blocks_no_other_reviewer(site: Site, stage_one: Any, pages: Any) -> None:
    staged = stage_one()
    slow, good = (evidence_store.put(content) or "" for content in (slow_to_draw(), pdf(2)))
    documents = {**staged.record.documents, "file_slow": slow, "file_good": good}
    site.returns("stage", signed(replace(staged.record, documents=documents)))
    seconds = seconds_to_draw(3.0)
    pages(seconds=seconds)
    address = f"{site.address('stage')}/documents"
    ends: list[str] = []

    async def ask(client: httpx.AsyncClient, path: str) -> int:
        answer = await client.get(f"{address}/{path}")
        ends.append(path)
        return answer.status_code

    async def reviewers() -> list[int]:
        cookies = {"_token": site.tokens["ana"]}
        transport = httpx.ASGITransport(app=site.server)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://airflow", cookies=cookies
        ) as client:
            paths = [f"{slow}/pages/1"] * 6 + [f"{good}/pages/{page}" for page in (1, 2)]
            return await asyncio.gather(*(ask(client, path) for path in paths))

    assert asyncio.run(asyncio.wait_for(reviewers(), 3 * seconds)) == [422] * 6 + [200] * 2
    # The slow one is tried once: those who wait for it learn of the failure together.
    assert sorted(ends[:2]) == [f"{good}/pages/1", f"{good}/pages/2"]
