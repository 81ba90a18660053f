"""Convert Moov's evidence objects to :class:`Evidence`, and find duplicates among them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dispute_provider._evidence.merging import Piece, is_copy
from dispute_provider._evidence.snapshot import Evidence


def evidence_of(item: Mapping[str, Any]) -> Evidence:
    """Convert an item of evidence."""
    if item.get("text") is not None:
        return Evidence(item["evidenceType"], text=item["text"], item=item["evidenceID"])
    return Evidence(
        item["evidenceType"],
        id=item["evidenceID"],
        item=item["evidenceID"],
        # The documentation and the official Python client use filename, the official Go client fileName.
        filename=item.get("filename") or item.get("fileName"),
        size=item.get("size"),
        content_type=item.get("mimeType"),
    )


def copies_among(items: list[Evidence], pieces: Sequence[Piece], foreign: Collection[str]) -> list[Evidence]:
    """Return the duplicates left by an interrupted upload, or by another run of ours.

    The oldest copy is kept, so that two runs that delete duplicates at once keep the same one. Text that was
    there before ours is kept, too.

    :param foreign: the ids of the items that were there before ours.
    """
    copies: list[Evidence] = []
    for piece in pieces:
        wanted = pieces.count(piece)
        second = [item for item in items if piece.is_held_as(item)][wanted:]
        copies += [item for item in second if item not in copies and is_copy(item, [piece], foreign)]
    return copies
