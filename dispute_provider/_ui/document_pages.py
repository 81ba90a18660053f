"""Read documents from the evidence store and render their pages."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

from dispute_provider._documents import Inspection, Renderer, RenderingError
from dispute_provider._evidence.file_types import suffix_of
from dispute_provider._evidence.snapshot import short_digest
from dispute_provider._state import drawings, evidence_store
from dispute_provider._state.drawings import Drawing

T = TypeVar("T")
_REMEMBERED = 500
# Documents rendered at the same time.
_RENDERERS = 4
_READERS = 8
# Seconds before a document that could not be rendered is tried again.
_TRIED_AGAIN = 300.0


class MissingDocumentError(Exception):
    """A document is not in the evidence store; the message is for the user."""


class DocumentPages:
    """Reads documents, and renders the pages that staging did not keep, in its own threads.

    Reads do not wait for rendering. One page per document is rendered at a time, and a document that could
    not be rendered is not tried again for five minutes, so a slow document does not delay other reviewers.

    :param renderer: renders the pages; None creates one.
    """

    def __init__(self, renderer: Renderer | None = None) -> None:
        self._renderer = renderer or Renderer(children=_RENDERERS)
        self._drawers = ThreadPoolExecutor(max_workers=_RENDERERS, thread_name_prefix="dispute-drawing")
        self._readers = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="dispute-evidence")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._known: OrderedDict[str, Inspection] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, RenderingError]] = OrderedDict()

    def close(self) -> None:
        """End the rendering processes; a later document would start new ones."""
        for threads in (self._readers, self._drawers):
            threads.shutdown(cancel_futures=True)
        self._renderer.close()

    async def inspect(self, sha256: str, drawing: str | None) -> tuple[Inspection, int]:
        """Return a document's type and pages, and its size in bytes.

        :param drawing: sha256 of the drawing that staging kept; None if it kept none.
        :raises MissingDocumentError: if the document is not in the store.
        :raises RenderingError: if the document cannot be rendered.
        :raises EvidenceStoreError: if the store cannot be read.
        """
        if kept := await self._kept(drawing):
            return kept.inspection, kept.size
        content = await self._read(lambda: _get(sha256))
        return await self._draw(sha256, lambda: self._inspected(sha256, content)), len(content)

    async def page(self, sha256: str, drawing: str | None, page: int, width: int) -> bytes:
        """Return a page as a PNG; raises the errors of :meth:`inspect`.

        :param page: from 1.
        :param width: pixels; a page that staging drew is at least as wide as its drawing.
        """
        kept = await self._kept(drawing)
        if not kept or page > len(kept.pages):
            return await self._drawn(sha256, page, width)
        if width > drawings.WIDTH:
            try:
                return await self._drawn(sha256, page, width)
            except RenderingError:
                # Fall back to the width that staging could draw.
                pass
        name = kept.pages[page - 1]
        png = await self._read(lambda: evidence_store.get(name))
        return png if png is not None else await self._drawn(sha256, page, width)

    async def original(self, sha256: str, drawing: str | None) -> tuple[bytes, str]:
        """Return a document's bytes, and a file name made of its digest and type."""
        content = await self._read(lambda: _get(sha256))
        try:
            found, _ = await self.inspect(sha256, drawing)
            suffix = suffix_of(found.content_type)
        except RenderingError:
            suffix = "bin"
        return content, f"document-{short_digest(sha256)}.{suffix}"

    async def _kept(self, drawing: str | None) -> Drawing | None:
        return await self._read(lambda: drawings.load(drawing)) if drawing else None

    async def _drawn(self, sha256: str, page: int, width: int) -> bytes:
        content = await self._read(lambda: _get(sha256))

        def work() -> bytes:
            # A document that is refused as a whole is not shown in part.
            self._inspected(sha256, content)
            return self._renderer.render(content, page, width)

        return await self._draw(sha256, work, f"{sha256} {page} {width}")

    def _inspected(self, sha256: str, content: bytes) -> Inspection:
        """Inspect a document once; its bytes never change under their digest."""
        if sha256 not in self._known:
            self._known[sha256] = self._renderer.inspect(content)
            _forget_oldest(self._known)
        return self._known[sha256]

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def _draw(self, sha256: str, work: Callable[[], T], what: str | None = None) -> T:
        """Run work on a document, one task at a time per document.

        :param what: names the work; None for an inspection.
        """
        turn = self._turns.setdefault(sha256, asyncio.Lock())
        async with turn:
            when, error = self._failed.get(what or sha256, (0.0, None))
            if error and time.monotonic() - when < _TRIED_AGAIN:
                raise error
            try:
                return await asyncio.get_running_loop().run_in_executor(self._drawers, work)
            except RenderingError as failed:
                self._failed[what or sha256] = time.monotonic(), failed
                _forget_oldest(self._failed)
                raise


def _forget_oldest(found: OrderedDict[str, T]) -> None:
    if len(found) > _REMEMBERED:
        found.popitem(last=False)


def _get(sha256: str) -> bytes:
    content = evidence_store.get(sha256)
    if content is None and not evidence_store.is_configured():
        raise MissingDocumentError(
            "Documents are not stored. Set [dispute] evidence_store for workers and the API server."
        )
    if content is None:
        raise MissingDocumentError("The evidence store does not have this document.")
    return content
