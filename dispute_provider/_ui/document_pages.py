"""Read documents from the evidence store and render their pages."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

from cachetools import TTLCache

from dispute_provider._documents import Inspection, Renderer, RenderingError
from dispute_provider._evidence.file_types import suffix_of
from dispute_provider._evidence.snapshot import short_digest
from dispute_provider._state import drawings, evidence_store
from dispute_provider._state.drawings import Drawing

T = TypeVar("T")
# Failures that are kept.
_REMEMBERED = 500
# Bytes of documents and of pages that are kept, each, and for how many seconds.
_KEPT_BYTES = 64 * 1024 * 1024
_KEPT_FOR = 900.0
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

    Files and pages are kept for 15 minutes, at most 64 MiB of each. Their digests name their bytes, so they
    cannot be out of date. The caller checks for each request whether the user may see the document.

    :param renderer: renders the pages; None creates one.
    """

    def __init__(self, renderer: Renderer | None = None) -> None:
        self._renderer = renderer or Renderer(children=_RENDERERS)
        self._drawers = ThreadPoolExecutor(max_workers=_RENDERERS, thread_name_prefix="dispute-drawing")
        self._readers = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="dispute-evidence")
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._files: TTLCache[Hashable, bytes] = TTLCache(_KEPT_BYTES, _KEPT_FOR, getsizeof=len)
        self._pages: TTLCache[Hashable, bytes] = TTLCache(_KEPT_BYTES, _KEPT_FOR, getsizeof=len)
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
        content = await self._file(sha256)
        return await self._draw(sha256, lambda: self._renderer.inspect(content)), len(content)

    async def page(self, sha256: str, drawing: str | None, page: int, width: int) -> bytes:
        """Return a page as PNG or JPEG; raises the errors of :meth:`inspect`.

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
        try:
            return await self._once(self._pages, name, lambda: self._read(lambda: _get(name)))
        except MissingDocumentError:
            return await self._drawn(sha256, page, width)

    async def original(self, sha256: str, drawing: str | None) -> tuple[bytes, str]:
        """Return a document's bytes, and a file name made of its digest and type."""
        content = await self._file(sha256)
        try:
            found, _ = await self.inspect(sha256, drawing)
            suffix = suffix_of(found.content_type)
        except RenderingError:
            suffix = "bin"
        return content, f"document-{short_digest(sha256)}.{suffix}"

    async def _kept(self, drawing: str | None) -> Drawing | None:
        if not drawing:
            return None
        try:
            return drawings.decoded(await self._file(drawing))
        except MissingDocumentError:
            return None

    async def _drawn(self, sha256: str, page: int, width: int) -> bytes:
        async def draw() -> bytes:
            content = await self._file(sha256)

            def work() -> bytes:
                # A document that is refused as a whole is not shown in part.
                self._renderer.inspect(content)
                return self._renderer.render(content, page, width)

            return await self._draw(sha256, work, f"{sha256} {page} {width}")

        return await self._once(self._pages, (sha256, page, width), draw)

    async def _file(self, sha256: str) -> bytes:
        return await self._once(self._files, sha256, lambda: self._read(lambda: _get(sha256)))

    async def _once(
        self, kept: TTLCache[Hashable, bytes], key: Hashable, make: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Return what is kept under a key; if nothing is, make it once for all that ask at the same time."""
        async with self._turns.setdefault(key, asyncio.Lock()):
            if (found := kept.get(key)) is None:
                found = await make()
                if len(found) <= kept.maxsize:
                    kept[key] = found
            return found

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def _draw(self, sha256: str, work: Callable[[], T], what: str | None = None) -> T:
        """Run work on a document, one task at a time per document.

        :param what: names the work; None for an inspection.
        """
        turn = self._turns.setdefault(("drawing", sha256), asyncio.Lock())
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
    if content is None:
        raise MissingDocumentError("The evidence store does not have this document.")
    return content
