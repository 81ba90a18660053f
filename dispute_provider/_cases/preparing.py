"""Prepare the documents of cases that switch it on, each only once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from dispute_provider._documents.messages import STEPS
from dispute_provider._documents.preparing import Prepared, Preparer
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.snapshot import sha256_of


class PreparedStore(Protocol):
    """Keeps prepared documents, so that a reviewed one is never made again, perhaps with other bytes."""

    def recall(self, key: str) -> Prepared | None:
        """Return what was prepared under a key; None if nothing was."""

    def keep(self, key: str, prepared: Prepared, original: bytes | None = None) -> None:
        """Keep a prepared document, and its original if it has one. Call it again when it is used."""


class Unkept:
    """Keeps nothing: for checks without a store."""

    def recall(self, key: str) -> Prepared | None:
        """Return None."""

    def keep(self, key: str, prepared: Prepared, original: bytes | None = None) -> None:
        """Do nothing."""


class Preparation:
    """Prepares documents for one task.

    :param store: keeps the results.
    :param always: the steps that are switched on for every case.
    :param children: most documents that are prepared at the same time; by default 1.
    """

    def __init__(self, store: PreparedStore, always: Sequence[str] = (), children: int = 1) -> None:
        self._store = store
        self._always = tuple(always)
        self._preparer = Preparer(children)

    def steps(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the steps of a case, in a fixed order: its own and those for every case."""
        return tuple(sorted({*wanted, *self._always} & STEPS.keys()))

    def prepare(self, content: bytes, steps: Sequence[str], types: Sequence[str], most: int) -> Prepared:
        """Return a document as an API takes it: the one kept earlier, or a new one.

        :param steps: see :meth:`steps`.
        :param types: the content types that the API takes.
        :param most: bytes, to which it is shrunk if the steps include that. It may stay larger.
        :raises RenderingError: if none of the steps makes it acceptable.
        """
        named = [hashlib.sha256(content).hexdigest(), steps, sorted(types)]
        key = sha256_of([*named, most] if "shrink" in steps else named)
        if kept := self._store.recall(key):
            self._store.keep(key, kept, content)
            return kept
        prepared = self._preparer.prepare(content, steps, types, most)
        self._store.keep(key, prepared, content)
        return prepared

    def join(self, exhibits: Sequence[tuple[str, Document]]) -> Prepared:
        """Return one PDF of several documents: the one kept earlier, or a new one.

        :param exhibits: the caption of each, and the document.
        :raises RenderingError: if they cannot be joined.
        """
        key = sha256_of(["join", [[caption, each.sha256] for caption, each in exhibits]])
        if kept := self._store.recall(key):
            self._store.keep(key, kept)
            return kept
        joined = self._preparer.join([(caption, each.content) for caption, each in exhibits])
        self._store.keep(key, joined)
        return joined

    def close(self) -> None:
        """End the child processes."""
        self._preparer.close()
