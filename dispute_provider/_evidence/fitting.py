"""Check a case, together with what stays on its dispute, against the API's limits. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.lengths import text_length
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import Entry, FileReference
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.limits import (
    Limits,
    MeasuredDocument,
    exceeded,
    left_out,
    to_leave_out,
    usage,
)
from dispute_provider._evidence.merging import Merged, Piece
from dispute_provider._evidence.snapshot import Evidence, Snapshot
from dispute_provider.exceptions import Violation


def drop_optional_over_limits(
    api: Contract, case: Case, documents: Mapping[str, Document], network: str | None
) -> tuple[dict[str, Document], list[str]]:
    """Return the documents without optional ones over the network's limits, and a note on each of those."""
    if not documents:
        return {}, []
    needed = {reference.path for reference in case.files if not reference.optional}
    held = [
        MeasuredDocument(
            entry.name, len(document.content), document.pages, path=path, optional=path not in needed
        )
        for entry, path in _paths(case)
        if (document := documents.get(path))
    ]
    gone = to_leave_out(Limits.of(api), held, network)
    notes = [left_out(path, problem) for path, problem in gone.items()]
    return {path: document for path, document in documents.items() if path not in gone}, notes


def over_limits(api: Contract, merged: Merged, network: str | None) -> list[Violation]:
    """Return every limit that the case exceeds together with the evidence that stays on the dispute."""
    limits = Limits.of(api)
    pieces: list[Piece | Evidence] = [*merged.wanted, *merged.staying]
    documents = [_held(each) for each in pieces if _is_document(each)]
    found = exceeded(limits, documents, network)
    units, most = sum([text_length(each.text or each.value) for each in pieces]), limits.total_text
    if most is not None and units > most:
        problem = f"{units:,} characters with the texts already on the dispute, and the limit is {most:,}"
        found.append(Violation("/evidence", problem, "shorten the texts; they are never cut off"))
    return found


def usage_text(
    api: Contract, held: Snapshot, pages: Mapping[str, int | None], network: str | None
) -> tuple[str, int]:
    """Return how much of the limits a dispute's evidence uses, as text, and its known number of pages.

    :param pages: the pages of each document, by the API's id; None if they are not known.
    """
    documents = [
        MeasuredDocument(each.name, each.size, pages.get(each.id))
        for each in held.evidence
        if each.id is not None
    ]
    texts = [(each.name, each.text or each.value) for each in held.evidence if each.id is None]
    used = usage(Limits.of(api), documents, texts, network)
    return used.text, used.pages


def _paths(case: Case) -> Iterator[tuple[Entry, str]]:
    for entry in case.evidence:
        if isinstance(entry.value, FileReference):
            yield entry, entry.value.path


def _is_document(piece: Piece | Evidence) -> bool:
    return piece.document is not None if isinstance(piece, Piece) else piece.id is not None


def _held(piece: Piece | Evidence) -> MeasuredDocument:
    if isinstance(piece, Evidence):
        return MeasuredDocument(piece.name, piece.size)
    if piece.document is None:
        raise ValueError("no document")
    return MeasuredDocument(
        piece.name, len(piece.document.content), piece.document.pages, path=piece.document.path
    )
