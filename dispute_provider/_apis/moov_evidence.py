"""Read the evidence that Moov lists, and find the copies in it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dispute_provider._evidence.merging import Piece, is_copy
from dispute_provider._evidence.snapshot import Evidence


def evidence_of(item: Mapping[str, Any]) -> Evidence:
    """Return an item of evidence as the API lists it."""
    if item.get("text") is not None:
        return Evidence(item["evidenceType"], text=item["text"], item=item["evidenceID"])
    return Evidence(
        item["evidenceType"],
        id=item["evidenceID"],
        item=item["evidenceID"],
        # The official Go client reads the second spelling, the documents and the Python client the first.
        filename=item.get("filename") or item.get("fileName"),
        size=item.get("size"),
        content_type=item.get("mimeType"),
    )


def copies_among(items: list[Evidence], pieces: Sequence[Piece], foreign: Collection[str]) -> list[Evidence]:
    """Return the second copies that a broken upload or another run of ours has made.

    The oldest is none, so that two runs that tidy up at once agree; nor is a text that was there first.
    """
    copies: list[Evidence] = []
    for piece in pieces:
        wanted = sum(1 for other in pieces if other == piece)
        second = [item for item in items if piece.is_held_as(item)][wanted:]
        copies += [
            item
            for item in second
            if item not in copies and (item.item not in foreign or is_copy(item, [piece]))
        ]
    return copies
