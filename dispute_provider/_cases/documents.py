"""Read, inspect and measure the documents of a case before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispute_provider._cases.document_reader import AT_THE_FLOOR, DocumentReader, UnfitError
from dispute_provider._cases.preparing import Preparation
from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer
from dispute_provider._documents.card_numbers import card_numbers
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case, FileReference
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.limits import Limits
from dispute_provider._evidence.sharing import Budget, shares
from dispute_provider._evidence.stages import stage_of
from dispute_provider.exceptions import InvalidCaseError, Violation

_MASK = "keep only its last four digits"
_SHOWN_PLACES = 5
_PlacedEvidence = tuple[str, str, Any]
"""A piece of evidence: its JSON pointer in the case, its name and its value."""


@dataclass(frozen=True, slots=True)
class CaseDocuments:
    """The documents of a case that can be sent.

    :param found: the documents by the paths that the case names.
    :param notes: for the reviewer: the optional documents that are left out, and why.
    """

    found: Mapping[str, Document]
    notes: tuple[str, ...] = ()


def read_documents(
    case: Case,
    renderer: Renderer,
    roots: Sequence[str] | None = None,
    preparation: Preparation | None = None,
) -> CaseDocuments:
    """Read the documents that a case names, and check everything that the case would send.

    :param roots: folders that may be read; None, the default, for the case's folder.
    :param preparation: prepares documents that the API does not take; None, the default, refuses them.
    :raises InvalidCaseError: with every problem: documents that are missing, damaged, too large, of a type
        that the API does not accept, or outside the case's folder; too many documents; card numbers.
    """
    api = contract.load(case.provider)
    allowed = Limits.of(api)
    placed = list(pieces(case))
    references = [each for each in placed if isinstance(each[2], FileReference)]
    reader = DocumentReader(case, roots, allowed, renderer, preparation)
    reading = _Reading(case, reader, references)
    reading.read()
    stages = _by_stage(api, references)
    reading.shrink(stages, allowed)
    violations = [*_card_numbers(placed, case.metadata), *reading.violations]
    # The evidence of each stage is sent separately, so the limits apply to each stage separately.
    for together in map(reading.measured, stages):
        violations += limits.exceeded(allowed, together, smallest=reading.smallest)
    if violations:
        raise InvalidCaseError(case.dispute, violations)
    return CaseDocuments(reading.found, tuple(reading.notes()))


class _Reading:
    """The documents of a case while they are read.

    :param references: where the case names documents.
    """

    def __init__(self, case: Case, reader: DocumentReader, references: Sequence[_PlacedEvidence]) -> None:
        self._reader = reader
        self._references = references
        # A document that is named twice is optional only if it is optional in both places.
        self._needed = {reference.path for reference in case.files if not reference.optional}
        self._left_out: dict[str, str] = {}
        self.found: dict[str, Document] = {}
        self.violations: list[Violation] = []
        self.smallest = ""

    def read(self) -> None:
        """Read every document once."""
        for path in dict.fromkeys(reference.path for _, _, reference in self._references):
            self._keep(path, None)

    def shrink(self, stages: Iterable[Sequence[_PlacedEvidence]], allowed: Limits) -> None:
        """Shrink documents so that all of a stage fit, then leave out optional ones that still do not fit."""
        whole = dict(self.found)
        self._shrink(stages, allowed)
        gone = {
            path: problem
            for together in map(self.measured, stages)
            for path, problem in limits.to_leave_out(allowed, together).items()
        }
        if gone:
            self.found = {path: document for path, document in whole.items() if path not in gone}
            self._left_out.update(gone)
            self._shrink(stages, allowed)

    def _shrink(self, stages: Iterable[Sequence[_PlacedEvidence]], allowed: Limits) -> None:
        if allowed.total_bytes is None or not self._reader.shrinks:
            return
        sizes = {path: len(document.content) for path, document in self.found.items()}
        fixed: dict[str, int] = {}
        while most := shares(sizes, self._budgets(stages, allowed.total_bytes), fixed):
            for path, size in most.items():
                self._keep(path, size)
            too_large = {
                path: len(self.found[path].content)
                for path, size in most.items()
                if path in self.found and len(self.found[path].content) > size
            }
            if not too_large:
                break
            fixed |= too_large
        self.smallest = f", with their pictures {AT_THE_FLOOR}" if fixed else ""

    def _budgets(self, stages: Iterable[Sequence[_PlacedEvidence]], size: int) -> list[Budget]:
        return [
            Budget(tuple(each.path for each in self.measured(stage) if each.path), size) for stage in stages
        ]

    def _keep(self, path: str, most: int | None) -> None:
        try:
            self.found[path] = self._reader.read(path, most)
        except UnfitError as unfit:
            self.found.pop(path, None)
            if path not in self._needed and not unfit.is_secret:
                self._left_out[path] = unfit.problem
                return
            self.violations += [
                Violation(pointer, f"{shown(path)}: {unfit.problem}", unfit.remedy)
                for pointer, _, reference in self._references
                if reference.path == path
            ]

    def measured(self, references: Iterable[_PlacedEvidence]) -> list[limits.MeasuredDocument]:
        """Return the sizes of the documents that were read."""
        return [
            limits.MeasuredDocument(
                name,
                len(document.content),
                document.pages,
                reference.path,
                reference.path not in self._needed,
            )
            for _, name, reference in references
            if (document := self.found.get(reference.path))
        ]

    def notes(self) -> Iterator[str]:
        """Yield for the reviewer what was done to documents, and which were left out."""
        yield from filter(None, map(_note, self.found.values()))
        for path, problem in self._left_out.items():
            yield limits.left_out(path, problem)


def _note(document: Document) -> str | None:
    """Return what was done to a document and what it cost, for the reviewer; None if nothing was."""
    if (original := document.prepared_from) is None:
        return None
    done = "; ".join(original.done)
    size = f"{original.size:,} → {len(document.content):,} bytes"
    return f"{shown(document.path)} was prepared: {done} ({size})"


def _by_stage(api: contract.Contract, references: Iterable[_PlacedEvidence]) -> list[list[_PlacedEvidence]]:
    together: dict[str | None, list[_PlacedEvidence]] = {}
    for each in references:
        together.setdefault(stage_of(api, each[1]), []).append(each)
    return list(together.values())


def _card_numbers(
    given: Iterable[_PlacedEvidence], metadata: Mapping[str, str] | None
) -> Iterator[Violation]:
    """Return the texts with a card number, which must not be sent to any API."""
    texts = [(pointer, value) for pointer, _, value in given if not isinstance(value, FileReference)]
    for pointer, text in _strings([*texts, ("/metadata", metadata)]):
        if places := card_numbers(text):
            where = ", ".join(f"{place + 1:,}" for place in places[:_SHOWN_PLACES])
            yield Violation(pointer, f"has a card number at character {where}", _MASK)


def pieces(case: Case) -> Iterator[_PlacedEvidence]:
    """Yield the JSON pointer, the name and the value of each piece of a case's evidence."""
    counted = Counter([entry.name for entry in case.evidence])
    seen: Counter[str] = Counter()
    for entry in case.evidence:
        index = f"/{seen[entry.name]}" if counted[entry.name] > 1 else ""
        seen[entry.name] += 1
        yield f"/evidence/{entry.name}{index}", entry.name, entry.value


def _strings(values: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    for pointer, value in values:
        if isinstance(value, str):
            yield pointer, value
        elif isinstance(value, Mapping):
            yield from _strings((f"{pointer}/{key}", item) for key, item in value.items())
        elif isinstance(value, list):
            yield from _strings((f"{pointer}/{index}", item) for index, item in enumerate(value))
