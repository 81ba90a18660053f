"""Draw every page of a case's documents before staging, so that the reviewer can see all of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from dispute_provider._cases.documents import CaseDocuments, pieces
from dispute_provider._documents import Budget, Renderer, RenderingError
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._state import drawings, evidence_store
from dispute_provider._state.drawings import Drawing
from dispute_provider.exceptions import InvalidCaseError, Violation

_EMBED = "save it with its fonts embedded and its annotations printed, as printing it to a PDF does"
# Pages with something that is not drawn, which a message names.
_SHOWN_PAGES = 5
SECONDS = 60.0
"""Time limit for all pages of one document; the renderer also limits each page."""


@dataclass(frozen=True, slots=True)
class _Pages:
    """The drawn pages of a document.

    :param drawing: the sha256 of the drawing.
    :param unseen: what the drawing does not show; empty if it shows everything.
    """

    drawing: str
    unseen: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """The documents of a case after drawing.

    :param found: the documents to send, by their paths in the case.
    :param notes: one note for the reviewer per optional document that was left out.
    :param drawings: the sha256 of each drawing, by its document's sha256.
    :param undrawn: names of documents that will be sent although the reviewer cannot see all of them.
    :param warnings: one warning for the reviewer per such document.
    """

    found: Mapping[str, Document]
    notes: tuple[str, ...] = ()
    drawings: dict[str, str] = field(default_factory=dict)
    undrawn: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Drawer:
    """Draws the documents of one batch, each only once. Threads may share a drawer.

    :param renderer: draws single pages.
    :param allow_undrawn: whether a document of which something cannot be drawn may be sent; the review then
        names it. If False, the default, its case is refused, or the document is left out if it is optional.
    """

    def __init__(self, renderer: Renderer, *, allow_undrawn: bool = False) -> None:
        self._renderer = renderer
        self._allow_undrawn = allow_undrawn
        self._drawn: dict[str, Future[_Pages]] = {}
        self._lock = threading.Lock()

    def draw(self, case: Case, read: CaseDocuments) -> Drawn:
        """Draw every page of a case's documents.

        :raises InvalidCaseError: naming each document that cannot be drawn, the page and the reason.
        :raises EvidenceStoreError: if the drawn pages cannot be stored.
        """
        found, notes = dict(read.found), [*read.notes]
        kept: dict[str, str] = {}
        problems: dict[str, RenderingError] = {}
        for path, document in read.found.items():
            try:
                pages = self._draw_once(document)
                kept[document.sha256] = pages.drawing
                if pages.unseen:
                    problems[path] = RenderingError(pages.unseen, _EMBED)
            except RenderingError as error:
                problems[path] = error
        needed = {reference.path for reference in case.files if not reference.optional}
        if not self._allow_undrawn:
            for path in problems.keys() - needed:
                notes.append(limits.left_out(path, problems.pop(path).problem))
                del found[path]
            if problems:
                raise InvalidCaseError(case.dispute, _violations(case, problems))
        return Drawn(
            found,
            tuple(notes),
            kept,
            tuple(map(shown, problems)),
            tuple(f"Reviewers cannot see {shown(path)}: {error.problem}" for path, error in problems.items()),
        )

    def _draw_once(self, document: Document) -> _Pages:
        with self._lock:
            started = document.sha256 not in self._drawn
            future = self._drawn.setdefault(document.sha256, Future())
        if started:
            try:
                future.set_result(self._draw(document))
            except RenderingError as error:
                future.set_exception(error)
            except BaseException as error:
                # An error of the evidence store: the next case tries again.
                del self._drawn[document.sha256]
                future.set_exception(error)
        return future.result()

    def _draw(self, document: Document) -> _Pages:
        with self._renderer.held(document.content) as renderer:
            return self._pages(document, renderer)

    def _pages(self, document: Document, renderer: Renderer) -> _Pages:
        budget = Budget(SECONDS)
        hidden: list[str] = []
        pages: list[str] = []
        for number in range(1, (document.pages or 1) + 1):
            try:
                page = renderer.draw(document.content, number, drawings.WIDTH, budget)
            except RenderingError as error:
                problem = f"its page {number:,} cannot be drawn: {error.problem}"
                raise RenderingError(problem, error.remedy) from None
            pages.append(evidence_store.put(page.picture))
            if lacks := page.unseen.problem:
                hidden.append(f"on page {number:,}, {lacks}")
        unseen = "; ".join(hidden[:_SHOWN_PAGES])
        if len(hidden) > _SHOWN_PAGES:
            unseen += f"; {len(hidden) - _SHOWN_PAGES:,} more pages"
        drawing = Drawing(document.content_type, len(document.content), tuple(pages))
        return _Pages(drawings.keep(drawing), unseen)


def _violations(case: Case, problems: Mapping[str, RenderingError]) -> list[Violation]:
    return [
        Violation(
            pointer,
            f"{shown(value.path)}: {problems[value.path].problem}, so the reviewer could not see it",
            f"{problems[value.path].remedy}, or set allow_undrawn=True",
        )
        for pointer, _, value in pieces(case)
        if isinstance(value, FileReference) and value.path in problems
    ]
