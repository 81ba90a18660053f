"""Pages of documents as pictures, kept in the evidence store for the tab *Evidence*."""

from __future__ import annotations

import msgspec

from dispute_provider._evidence.documents import Inspection
from dispute_provider._state import evidence_store
from dispute_provider._state.evidence_store import EvidenceStoreError

WIDTH = 1200
"""Pixels across a page, as the tab shows it: 145 dpi of an A4 page."""


class Drawing(msgspec.Struct, frozen=True, gc=False):
    """A document's pages as pictures.

    :param size: bytes of the document.
    :param pages: sha256 of each page's PNG in the evidence store.
    """

    content_type: str
    size: int
    pages: tuple[str, ...]

    @property
    def inspection(self) -> Inspection:
        """What the document is; one that holds a card number is never drawn."""
        return Inspection(self.content_type, len(self.pages), card_number=False)


def keep(drawing: Drawing) -> str | None:
    """Keep a drawing whose pages are kept.

    :returns: the sha256 that it is found by; None where no store is configured.
    :raises EvidenceStoreError: if it cannot be written.
    """
    return evidence_store.put(msgspec.json.encode(drawing))


def load(sha256: str) -> Drawing | None:
    """Return a drawing; None if the store does not hold it.

    :raises EvidenceStoreError: if the store cannot be read, or holds something else under this name.
    """
    if (kept := evidence_store.get(sha256)) is None:
        return None
    try:
        return msgspec.json.decode(kept, type=Drawing)
    except msgspec.MsgspecError:
        raise EvidenceStoreError("what the evidence store holds is no drawing of a document") from None
