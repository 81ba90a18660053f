"""Merge a case's evidence with the evidence on its dispute, without losing a colleague's text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Difference
from dispute_provider._evidence.snapshot import Evidence, sha256_of, short_digest


class MergePolicy(StrEnum):
    """Which evidence wins where a dispute holds a foreign value other than the case's.

    ``keep``: the foreign value; ``overwrite``: the case's; ``fail``: neither, and the case is not staged.
    Evidence that an earlier version of the case left on the dispute is always replaced.
    """

    KEEP = "keep"
    OVERWRITE = "overwrite"
    FAIL = "fail"


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One piece of a case: a text, one member of a structured object, or a document with its bytes."""

    name: str
    text: str | None = None
    value: Mapping[str, Any] | None = None
    document: Document | None = None

    def __repr__(self) -> str:
        """Omit the value: customer text must not be logged."""
        return f"Piece({self.name!r}, document={self.document!r})"

    @property
    def sha256(self) -> str:
        if self.document is not None:
            return self.document.sha256
        return sha256_of(self.text if self.text is not None else self.value)

    def is_held_as(self, held: Evidence, until: datetime | None = None) -> bool:
        """Return whether a piece on the dispute is the same as this one.

        A document is recognised by its size and its name, which contains its digest.

        :param until: a time before which the API must not delete it; None, the default, for any time.
        """
        if held.name != self.name:
            return False
        if self.document is not None:
            lasts = held.expires is None or until is None or held.expires > until
            named = held.filename == self.document.upload_name and held.size == len(self.document.content)
            return named and lasts
        if self.value is not None:
            return held.value is not None and _is_within(self.value, held.value)
        return held.text == self.text


class Merged(msgspec.Struct, frozen=True, gc=False):
    """The writes that make a dispute hold a case's evidence.

    :param wanted: the pieces of the case that the dispute must hold in the end.
    :param missing: those of them that must be written.
    :param stale: evidence that an earlier version of the case left on the dispute, and second copies of
        the case's evidence.
    :param replaced: evidence on the dispute that a missing piece replaces; foreign unless also in ``stale``.
    :param staying: foreign evidence that stays on the dispute.
    :param held: the sha256 of the case's documents that are already on the dispute, by the API's document id.
    """

    wanted: tuple[Piece, ...]
    missing: tuple[Piece, ...]
    stale: tuple[Evidence, ...]
    replaced: tuple[Evidence, ...]
    staying: tuple[Evidence, ...]
    held: Mapping[str, str]
    differences: tuple[Difference, ...]

    def of_kind(self, kind: str) -> list[str]:
        """Return the sorted names of the evidence with one kind of difference."""
        return sorted({difference.name for difference in self.differences if difference.kind == kind})


def not_written(pieces: Iterable[Piece], merged: Merged) -> dict[str, Any]:
    """Return the texts and structured values of a case that its dispute's values stand for, by name."""
    kept = set(merged.of_kind("kept"))
    values: dict[str, Any] = {}
    for piece in pieces:
        if label_of(piece) in kept and piece.document is None:
            values[piece.name] = (
                piece.text if piece.value is None else {**values.get(piece.name, {}), **piece.value}
            )
    return values


def pieces_of(case: Case, documents: Mapping[str, Document]) -> tuple[Piece, ...]:
    """Return the pieces of a case, without the documents that are absent."""

    def pieces() -> Iterator[Piece]:
        for entry in case.evidence:
            if isinstance(entry.value, FileReference):
                if document := documents.get(entry.value.path):
                    yield Piece(entry.name, document=document)
            elif isinstance(entry.value, str):
                yield Piece(entry.name, text=entry.value)
            else:
                yield from (Piece(entry.name, value={part: value}) for part, value in entry.value.items())

    return tuple(pieces())


def merge(
    pieces: Sequence[Piece],
    held: Iterable[Evidence],
    ours: Collection[str],
    policy: MergePolicy,
    *,
    single: bool,
    lists: Collection[str] = (),
    until: datetime | None = None,
    foreign: Collection[str] | None = None,
) -> Merged:
    """Compare a case's evidence with its dispute's, piece by piece.

    :param held: the evidence on the dispute.
    :param ours: marks of the evidence that this package wrote earlier, which may be replaced.
    :param single: whether the API holds one piece per name, so that writing it replaces another.
    :param lists: names with several pieces although ``single`` is true.
    :param until: a time before which the API must not delete documents; None, the default, for any time.
    :param foreign: the ids of the items that were there before our first upload; None, the default, for all.
    """
    left = [part for evidence in held for part in parts(evidence)]
    wanted: list[Piece] = []
    missing: list[Piece] = []
    replaced: list[Evidence] = []
    staying: list[Evidence] = []
    documents: dict[str, str] = {}
    differences: list[Difference] = []
    for piece in pieces:
        same = _taken(left, partial(piece.is_held_as, until=until))
        if same is not None:
            wanted.append(piece)
            differences.append(_difference("same", piece, same))
            if piece.document and same.id:
                documents[same.id] = piece.document.sha256
            continue
        alone = single and piece.name not in lists
        there = _taken(left, partial(_is_labelled, label_of(piece))) if alone else None
        if there is not None:
            kind = "renewed" if there.mark in ours else policy.value
            if kind == MergePolicy.KEEP:
                staying.append(there)
                differences.append(_difference("kept", piece, there))
                continue
            replaced.append(there)
            kinds = {MergePolicy.OVERWRITE.value: "overwritten", MergePolicy.FAIL.value: "conflict"}
            differences.append(_difference(kinds.get(kind, kind), piece, there))
        else:
            differences.append(_difference("added", piece, None))
        wanted.append(piece)
        missing.append(piece)
    stale: list[Evidence] = []
    others: list[Evidence] = []
    for there in left:
        (stale if there.mark in ours or is_copy(there, pieces, foreign) else others).append(there)
    differences += [
        Difference(label_of(there), "removed", None, short_digest(there.sha256)) for there in stale
    ]
    # A name with several pieces keeps a colleague's along with the case's.
    shared = {piece.name for piece in pieces if not single or piece.name in lists}
    fails = policy == MergePolicy.FAIL
    differences += [
        Difference(
            label_of(there),
            "conflict" if fails and there.name in shared else "foreign",
            None,
            short_digest(there.sha256),
        )
        for there in others
    ]
    return Merged(
        wanted=tuple(wanted),
        missing=tuple(missing),
        stale=tuple(stale),
        replaced=tuple(replaced),
        staying=(*staying, *others),
        held=documents,
        differences=tuple(differences),
    )


def found(pieces: Iterable[Piece], held: Iterable[Evidence]) -> list[tuple[Piece, list[Evidence]]]:
    """Return each piece with the pieces on the dispute that are the same."""
    there: dict[str, list[Evidence]] = {}
    for evidence in held:
        there.setdefault(evidence.name, []).extend(parts(evidence))
    return [
        (piece, [part for part in there.get(piece.name, ()) if piece.is_held_as(part)]) for piece in pieces
    ]


def is_copy(held: Evidence, pieces: Iterable[Piece], foreign: Collection[str] | None = None) -> bool:
    """Return whether a piece on the dispute is a copy of a piece of the case that this package uploaded.

    A document shows it by its upload name, which contains its digest and which no other uploader adds. A text
    shows it only by its age, because nothing shows who wrote which of two equal texts.

    :param foreign: the ids of the items that were there before our first upload; None, the default, for all.
    """
    is_new = foreign is not None and held.item is not None and held.item not in foreign
    return any((piece.document is not None or is_new) and piece.is_held_as(held) for piece in pieces)


def _taken(left: list[Evidence], fits: Callable[[Evidence], bool]) -> Evidence | None:
    """Remove and return the first piece that fits; None if none does."""
    for there in left:
        if fits(there):
            left.remove(there)
            return there
    return None


def parts(evidence: Evidence) -> Iterator[Evidence]:
    """Yield the non-empty members of a structured object; any other evidence unchanged."""
    if evidence.value is None:
        yield evidence
        return
    for part, value in evidence.value.items():
        if _has_content(value):
            yield replace(evidence, value={part: value})


def _has_content(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_content, value.values()))
    if isinstance(value, list):
        return any(map(_has_content, value))
    return bool(value)


def _is_within(wanted: Any, held: Any) -> bool:
    """Return whether a structure is contained in another one, which may have more members."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        return all(_is_within(value, held.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(held, list):
        return len(wanted) == len(held) and all(map(_is_within, wanted, held))
    return bool(wanted == held) or not (_has_content(wanted) or _has_content(held))


def label_of(piece: Piece | Evidence) -> str:
    """Return a piece's name, with the name of its member if it has one."""
    return f"{piece.name}.{next(iter(piece.value))}" if piece.value else piece.name


def _is_labelled(label: str, held: Evidence) -> bool:
    return label_of(held) == label


def _difference(kind: str, piece: Piece, held: Evidence | None) -> Difference:
    return Difference(
        label_of(piece), kind, short_digest(piece.sha256), short_digest(held.sha256) if held else None
    )
