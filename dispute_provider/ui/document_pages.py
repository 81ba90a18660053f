"""Documents of the evidence store, and their pages as pictures."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dispute_provider.documents import Inspection, Renderer, RenderingError
from dispute_provider.evidence.file_types import suffix_of
from dispute_provider.evidence.snapshot import short_digest
from dispute_provider.state import evidence_store

T = TypeVar("T")
_REMEMBERED = 500


class MissingDocumentError(Exception):
    """The store does not hold a document, and why, for people."""


class DocumentPages:
    """Reads and draws one document after the other, in threads of its own: a slow one holds up no other page
    of Airflow.
    """

    def __init__(self) -> None:
        self._renderer = Renderer()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="dispute-evidence")
        self._known: OrderedDict[str, Inspection] = OrderedDict()

    def close(self) -> None:
        """End the process that draws; a later document would start another."""
        self._threads.shutdown(cancel_futures=True)
        self._renderer.close()

    async def inspect(self, sha256: str) -> tuple[Inspection, int]:
        """What a document is, and its size in bytes.

        :raises MissingDocumentError: if it is not in the store.
        :raises RenderingError: if it cannot be shown.
        :raises EvidenceStoreError: if the store cannot be read.
        """

        def work() -> tuple[Inspection, int]:
            content = _get(sha256)
            return self._inspected(sha256, content), len(content)

        return await self._run(work)

    async def page(self, sha256: str, page: int, width: int) -> bytes:
        """A page as a PNG; raises as :meth:`inspect` does.

        :param page: from 1.
        :param width: pixels.
        """

        def work() -> bytes:
            content = _get(sha256)
            # What is refused as a whole is not shown in part.
            self._inspected(sha256, content)
            return self._renderer.render(content, page, width)

        return await self._run(work)

    async def original(self, sha256: str) -> tuple[bytes, str]:
        """The bytes, and a file name that says nothing but what they are."""

        def work() -> tuple[bytes, str]:
            content = _get(sha256)
            try:
                suffix = suffix_of(self._inspected(sha256, content).content_type)
            except RenderingError:
                suffix = "bin"
            return content, f"document-{short_digest(sha256)}.{suffix}"

        return await self._run(work)

    def _inspected(self, sha256: str, content: bytes) -> Inspection:
        """Looked at once: bytes do not change under their digest."""
        if sha256 not in self._known:
            self._known[sha256] = self._renderer.inspect(content)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[sha256]

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _get(sha256: str) -> bytes:
    content = evidence_store.get(sha256)
    if content is None and not evidence_store.is_configured():
        raise MissingDocumentError(
            "Documents are kept nowhere: set [dispute] evidence_store, for workers and API server alike."
        )
    if content is None:
        raise MissingDocumentError("The evidence store does not hold this document.")
    return content
