"""Store the rendered pages of documents in the evidence store, for the *Evidence* tab."""

from __future__ import annotations

import msgspec

from dispute_provider._evidence.documents import Inspection
from dispute_provider._state import evidence_store
from dispute_provider._state.evidence_store import EvidenceStoreError

WIDTH = 1200
"""Width of a rendered page in pixels: 145 dpi for A4."""


class Drawing(msgspec.Struct, frozen=True, gc=False):
    """The rendered pages of a document.

    :param content_type: the document's MIME type.
    :param size: the document's size in bytes.
    :param pages: the sha256 of each page's PNG or JPEG in the evidence store.
    """

    content_type: str
    size: int
    pages: tuple[str, ...]

    @property
    def inspection(self) -> Inspection:
        """The document's inspection. A document with a card number is never drawn, so it has none."""
        return Inspection(self.content_type, len(self.pages), card_number=False)


def keep(drawing: Drawing) -> str:
    """Store a drawing; its pages must already be stored.

    :returns: the drawing's sha256.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    """
    return evidence_store.put(msgspec.json.encode(drawing))


def decoded(stored: bytes) -> Drawing:
    """Decode a stored drawing.

    :raises EvidenceStoreError: if it is not a drawing.
    """
    try:
        return msgspec.json.decode(stored, type=Drawing)
    except msgspec.MsgspecError:
        raise EvidenceStoreError("a file of the evidence store is not the drawing of a document") from None
