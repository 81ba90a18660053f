"""What the sweep remembers of the disputes that it has had reviewed, so that it asks once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dispute_provider.evidence.record import Record

# Enough of a digest to tell two readings of one dispute apart; the whole would only fill the store.
_KEPT = 16

Memory = dict[str, list[str]]


def remember(memory: Mapping[str, Any], records: Iterable[Record], still_open: Iterable[str]) -> Memory:
    """Add what was put to review; forget what is no longer open."""
    kept = set(still_open)
    new = {
        record.dispute: [short(record.case_digest), short(record.fingerprint)]
        for record in records
        if record.case_digest and record.fingerprint
    }
    return {dispute: seen for dispute, seen in {**memory, **new}.items() if dispute in kept or dispute in new}


def is_news(memory: Mapping[str, Any], dispute: str, case_digest: str, fingerprint: str) -> bool:
    """Whether the case, what the API holds, the stage or the due date changed since the review."""
    return memory.get(dispute) != [short(case_digest), short(fingerprint)]


def short(digest: str | None) -> str:
    return (digest or "")[:_KEPT]
