"""Keep prepared documents and their originals in the evidence store.

Each is stored under its own digest. A small file under the digest of the original and the steps names the
prepared document and what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from dispute_provider import _config as config
from dispute_provider._cases.preparing import Preparation
from dispute_provider._documents.preparing import Prepared
from dispute_provider._state import evidence_store


class _Entry(msgspec.Struct, frozen=True):
    prepared: str
    done: tuple[str, ...]


class PreparedDocuments:
    """The prepared documents in the evidence store."""

    def recall(self, key: str) -> Prepared | None:
        """Return what was prepared under a key; None if nothing was, or it is no longer in the store.

        :raises EvidenceStoreError: if the store cannot be read.
        """
        if (stored := evidence_store.recall(key)) is None:
            return None
        try:
            entry = msgspec.json.decode(stored, type=_Entry)
            content = evidence_store.get(entry.prepared)
        except (msgspec.MsgspecError, ValueError):
            return None
        return None if content is None else Prepared(content, entry.done)

    def keep(self, key: str, prepared: Prepared, original: bytes | None = None) -> None:
        """Keep a prepared document, and its original if it has one.

        :raises EvidenceStoreError: if the store cannot be written.
        """
        if original is not None:
            evidence_store.put(original)
        sha256 = evidence_store.put(prepared.content)
        evidence_store.remember(key, msgspec.json.encode(_Entry(sha256, prepared.done)))


@contextmanager
def preparation(children: int = 1) -> Iterator[Preparation]:
    """Prepare documents as ``[dispute] prepare`` says, and end the child processes at the end.

    :param children: most documents that are prepared at the same time; by default 1.
    """
    found = Preparation(PreparedDocuments(), config.prepare(), children)
    try:
        yield found
    finally:
        found.close()
