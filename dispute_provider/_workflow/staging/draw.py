"""Draw every page of a case's documents before they are staged: what nobody can see, nobody approves."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from dispute_provider._cases.documents import CaseDocuments, pieces
from dispute_provider._documents import Budget, Renderer, RenderingError
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case, FileReference
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._state import drawings, evidence_store
from dispute_provider._state.drawings import Drawing
from dispute_provider.exceptions import InvalidCaseError, Violation

SECONDS = 60.0
"""For all pages of one document; each page has the renderer's own time."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The documents of a case after drawing them.

    :param found: those that can be sent, by the paths that the case names.
    :param notes: which optional ones are left out, and why; for the reviewer.
    :param drawings: sha256 of the drawing by the document's own, where they are kept.
    :param undrawn: documents that go out though nobody can see them.
    :param warnings: the same in words, for the reviewer.
    """

    found: Mapping[str, Document]
    notes: tuple[str, ...] = ()
    drawings: dict[str, str] = field(default_factory=dict)
    undrawn: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Drawer:
    """Draws the documents of one batch, each once, however many cases name it. Threads may share it.

    :param allow_undrawn: whether a document that cannot be drawn goes out all the same; it is named in the
        review. Otherwise its case is refused, or the document is left out if it is optional.
    """

    def __init__(self, renderer: Renderer, *, allow_undrawn: bool = False) -> None:
        self._renderer = renderer
        self._allow_undrawn = allow_undrawn
        self._drawn: dict[str, Future[str | None]] = {}
        self._lock = threading.Lock()

    def draw(self, case: Case, read: CaseDocuments) -> Drawn:
        """Draw every page of a case's documents.

        :raises InvalidCaseError: with each document that cannot be drawn, its page and the reason.
        :raises EvidenceStoreError: if the pages cannot be kept.
        """
        found, notes = dict(read.found), [*read.notes]
        kept: dict[str, str] = {}
        problems: dict[str, RenderingError] = {}
        for path, document in read.found.items():
            try:
                if drawing := self._draw_once(document):
                    kept[document.sha256] = drawing
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
            tuple(f"Nobody can see {shown(path)}: {error.problem}" for path, error in problems.items()),
        )

    def _draw_once(self, document: Document) -> str | None:
        with self._lock:
            started = document.sha256 not in self._drawn
            future = self._drawn.setdefault(document.sha256, Future())
        if started:
            try:
                future.set_result(self._draw(document))
            except RenderingError as error:
                future.set_exception(error)
            except BaseException as error:
                # Of the store: the next case tries it again.
                del self._drawn[document.sha256]
                future.set_exception(error)
        return future.result()

    def _draw(self, document: Document) -> str | None:
        """Draw a document; return where its drawing is kept, None where no store is configured."""
        budget = Budget(SECONDS)
        pages: list[str | None] = []
        for number in range(1, (document.pages or 1) + 1):
            try:
                png = self._renderer.render(document.content, number, drawings.WIDTH, budget)
            except RenderingError as error:
                problem = f"its page {number:,} cannot be drawn: {error.problem}"
                raise RenderingError(problem, error.remedy) from None
            pages.append(evidence_store.put(png))
        kept = tuple(page for page in pages if page)
        if len(kept) < len(pages):
            return None
        return drawings.keep(Drawing(document.content_type, len(document.content), kept))


def _violations(case: Case, problems: Mapping[str, RenderingError]) -> list[Violation]:
    return [
        Violation(
            pointer,
            f"{shown(value.path)}: {problems[value.path].problem}, so nobody could see what is approved",
            f"{problems[value.path].remedy}; or allow it by name with allow_undrawn=True",
        )
        for pointer, _, value in pieces(case)
        if isinstance(value, FileReference) and value.path in problems
    ]
