"""Merge a case's evidence with what the dispute holds, without losing a colleague's text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from dispute_provider._evidence.case import Case, FileReference
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Difference
from dispute_provider._evidence.snapshot import Evidence, sha256_of, short_digest


class MergePolicy(StrEnum):
    """Whose evidence stands where a dispute holds other than a case has, and it is nothing older of ours."""

    KEEP = "keep"
    OVERWRITE = "overwrite"
    FAIL = "fail"


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One piece of a case: a text, a part of a structured object, or a document with its bytes."""

    name: str
    text: str | None = None
    value: Mapping[str, Any] | None = None
    document: Document | None = None

    def __repr__(self) -> str:
        """Without what it says: that belongs in no log."""
        return f"Piece({self.name!r}, document={self.document!r})"

    @property
    def label(self) -> str:
        return _label(self.name, self.value)

    @property
    def sha256(self) -> str:
        if self.document is not None:
            return self.document.sha256
        return sha256_of(self.text if self.text is not None else self.value)

    def is_held_as(self, held: Evidence, until: datetime | None = None) -> bool:
        """Whether the API holds just this.

        A document is recognised by its name, which has its digest in it, and its size.

        :param until: when it must be there still.
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
    """What is to be done so that a dispute holds a case's evidence.

    :param wanted: all pieces of the case that are to be there in the end.
    :param missing: those of them that are to be written.
    :param stale: what an earlier version of the case left behind, and second copies of its documents.
    :param replaced: what is there and makes room for a missing piece; another's unless also in ``stale``.
    :param staying: what somebody else has put there, and stays.
    :param held: the API's document ids of those documents of the case that are there, by sha256.
    """

    wanted: tuple[Piece, ...]
    missing: tuple[Piece, ...]
    stale: tuple[Evidence, ...]
    replaced: tuple[Evidence, ...]
    staying: tuple[Evidence, ...]
    held: Mapping[str, str]
    differences: tuple[Difference, ...]

    def of_kind(self, kind: str) -> list[str]:
        """The names of the evidence that a kind of difference was found in, sorted."""
        return sorted({difference.name for difference in self.differences if difference.kind == kind})


def pieces_of(case: Case, documents: Mapping[str, Document]) -> tuple[Piece, ...]:
    """The pieces of a case; optional documents that are absent are none."""

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
) -> Merged:
    """Compare piece by piece.

    :param held: what the dispute holds.
    :param ours: marks of what we wrote to it earlier: that may be replaced, it is not a colleague's.
    :param single: whether the API holds one piece of a name, so that another one takes its place.
    :param lists: the names of which it holds several all the same.
    :param until: when documents must be there still.
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
        there = _taken(left, partial(_is_labelled, piece.label)) if alone else None
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
        (stale if there.mark in ours or is_copy(there, pieces) else others).append(there)
    differences += [
        Difference(_label_of(there), "removed", None, short_digest(there.sha256)) for there in stale
    ]
    # Where a name holds several, a colleague's piece stands beside the case's.
    beside = {piece.name for piece in pieces if not single or piece.name in lists}
    fails = policy == MergePolicy.FAIL
    differences += [
        Difference(
            _label_of(there),
            "conflict" if fails and there.name in beside else "theirs",
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
    """Each piece with what the dispute holds of it, just as it is."""
    there: dict[str, list[Evidence]] = {}
    for evidence in held:
        there.setdefault(evidence.name, []).extend(parts(evidence))
    return [
        (piece, [part for part in there.get(piece.name, ()) if piece.is_held_as(part)]) for piece in pieces
    ]


def is_copy(held: Evidence, pieces: Iterable[Piece]) -> bool:
    """Return whether this package uploaded a piece, whatever is remembered: it is a document of the case.

    The name under which a document is uploaded contains its digest; no one else gives it that name. Of two
    equal texts, nothing shows who wrote which.
    """
    return any(piece.document is not None and piece.is_held_as(held) for piece in pieces)


def _taken(left: list[Evidence], fits: Callable[[Evidence], bool]) -> Evidence | None:
    """The first that fits, out of the list; None if none does."""
    for there in left:
        if fits(there):
            left.remove(there)
            return there
    return None


def parts(evidence: Evidence) -> Iterator[Evidence]:
    """Yield a structured object by its parts, without those that say nothing; anything else as it is."""
    if evidence.value is None:
        yield evidence
        return
    for part, value in evidence.value.items():
        if _says_something(value):
            yield replace(evidence, value={part: value})


def _says_something(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_says_something, value.values()))
    if isinstance(value, list):
        return any(map(_says_something, value))
    return bool(value)


def _is_within(wanted: Any, held: Any) -> bool:
    """Whether all of a structure is in another one, which may say more."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        return all(_is_within(value, held.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(held, list):
        return len(wanted) == len(held) and all(map(_is_within, wanted, held))
    return bool(wanted == held) or not (_says_something(wanted) or _says_something(held))


def _label(name: str, value: Mapping[str, Any] | None) -> str:
    return f"{name}.{next(iter(value))}" if value else name


def _label_of(held: Evidence) -> str:
    return _label(held.name, held.value)


def _is_labelled(label: str, held: Evidence) -> bool:
    return _label_of(held) == label


def _difference(kind: str, piece: Piece, held: Evidence | None) -> Difference:
    return Difference(
        piece.label, kind, short_digest(piece.sha256), short_digest(held.sha256) if held else None
    )
