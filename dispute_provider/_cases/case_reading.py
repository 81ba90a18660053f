"""Read all documents of a case, shrink them to what its API takes together, and join exhibits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dispute_provider._cases.document_reader import AT_THE_FLOOR, DocumentReader, UnfitError
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.limits import Limits, MeasuredDocument
from dispute_provider._evidence.sharing import Budget, shares
from dispute_provider.exceptions import Violation

# What joining adds to the bytes of the exhibits: fonts and contents, and each page.
_CONTENTS_BYTES = 40_000
_PAGE_BYTES = 1_500


class Placed(NamedTuple):
    """A document where the case names it.

    :param pointer: its JSON pointer in the case.
    :param name: the API's name of its field.
    """

    pointer: str
    name: str
    reference: FileReference


class Together(NamedTuple):
    """The documents that are sent together, at one stage of a dispute.

    :param placed: where the case names documents.
    :param beside: the documents that stay on the dispute beside them.
    """

    placed: tuple[Placed, ...]
    beside: tuple[MeasuredDocument, ...]


class _File(NamedTuple):
    """A file that has to be read.

    :param joined: whether it becomes part of a joined document.
    """

    path: str
    joined: bool


def _files(reference: FileReference) -> list[_File]:
    return [_File(path, bool(reference.exhibits)) for path in reference.files]


class CaseReading:
    """The documents of a case while they are read.

    :param stages: the documents of each stage of the dispute.
    """

    def __init__(
        self, case: Case, reader: DocumentReader, stages: Sequence[Together], allowed: Limits
    ) -> None:
        self._reader, self._stages, self._allowed = reader, stages, allowed
        self._references = {each.reference.path: each.reference for stage in stages for each in stage.placed}
        # A document that is named twice is optional only if it is optional in both places.
        self._needed = {reference.path for reference in case.files if not reference.optional}
        self._files: dict[_File, Document] = {}
        self._unfit: dict[_File, UnfitError] = {}
        self._left_out: dict[str, str] = {}
        self._added: dict[str, int] = {}
        self.found: dict[str, Document] = {}
        self.smallest = ""

    def read(self) -> None:
        """Read every file once, make the documents, and leave out optional ones that do not fit."""
        for file in dict.fromkeys(each for one in self._references.values() for each in _files(one)):
            try:
                self._files[file] = self._reader.read(file.path, joined=file.joined)
            except UnfitError as unfit:
                self._unfit[file] = unfit
        self._make(self._references)
        for stage in map(self.measured, self._stages):
            self._left_out |= limits.to_leave_out(self._allowed, stage)
        if gone := self._left_out.keys() & self.found.keys():
            self._make(self._references.keys() - gone)

    def measured(self, stage: Together) -> list[MeasuredDocument]:
        """Return the sizes of the documents of a stage."""
        own = [
            MeasuredDocument(
                name,
                len(document.content),
                document.pages,
                reference.path,
                reference.path not in self._needed,
            )
            for _, name, reference in stage.placed
            if (document := self.found.get(reference.path))
        ]
        return [*own, *stage.beside]

    def violations(self) -> Iterator[Violation]:
        """Yield why documents cannot be sent without which the case cannot be staged."""
        for stage in self._stages:
            for pointer, _, reference in stage.placed:
                for index, file in enumerate(_files(reference)):
                    unfit = self._unfit.get(file)
                    if unfit and (reference.path in self._needed or unfit.is_secret):
                        at = f"{pointer}/exhibits/{index}" if file.joined else pointer
                        yield Violation(at, f"{shown(file.path)}: {unfit.problem}", unfit.remedy)
                unfit = self._unfit.get(_File(reference.path, joined=True))
                if unfit and reference.path in self._needed:
                    yield Violation(pointer, f"{shown(reference.path)}: {unfit.problem}", unfit.remedy)

    def notes(self) -> Iterator[str]:
        """Yield for the reviewer what was done to documents, and which were left out."""
        yield from filter(None, map(_note, self.found.values()))
        for path, reference in self._references.items():
            if path not in self.found:
                yield limits.left_out(path, self._left_out.get(path) or self._why_unfit(reference))

    def _why_unfit(self, reference: FileReference) -> str:
        file = next(
            each for each in (*_files(reference), _File(reference.path, joined=True)) if each in self._unfit
        )
        problem = self._unfit[file].problem
        return problem if file.path == reference.path else f"{shown(file.path)}: {problem}"

    def _make(self, paths: Collection[str]) -> None:
        """Shrink and join the files of some documents, as far as they can be read."""
        references = [
            reference
            for path, reference in self._references.items()
            if path in paths and not any(each in self._unfit for each in _files(reference))
        ]
        self._added = {each.path: self._estimated(each) for each in references if each.exhibits}
        self._join(references, self._shrunk(references))
        # The pixels of a PNG may take more bytes in a PDF.
        added = {path: self._really_added(path) for path in self._added.keys() & self.found.keys()}
        if any(size > self._added[path] for path, size in added.items()) and self._is_too_large():
            self._added |= added
            self._join(references, self._shrunk(references))
        self._refuse_too_large()

    def _refuse_too_large(self) -> None:
        most = self._allowed.document_bytes
        for path in self._added.keys() & self.found.keys():
            if (size := len(self.found[path].content)) > most:
                problem, remedy = limits.too_large(size, most)
                remedy += "" if self._reader.shrinks else ", or switch it on: prepare: [shrink]"
                self._unfit[_File(path, joined=True)] = UnfitError(problem + self.smallest, remedy)
                del self.found[path]

    def _estimated(self, reference: FileReference) -> int:
        pages = sum(self._files[each].pages or 1 for each in _files(reference))
        return _CONTENTS_BYTES + _PAGE_BYTES * pages

    def _really_added(self, path: str) -> int:
        document = self.found[path]
        return len(document.content) - sum(len(each.content) for each in document.exhibits)

    def _is_too_large(self) -> bool:
        stages = [[each for each in self.measured(stage) if each.size] for stage in self._stages]
        most = self._allowed.total_bytes
        return self._reader.shrinks and any(
            max((each.size or 0 for each in stage if each.path), default=0) > self._allowed.document_bytes
            or (most is not None and sum(each.size or 0 for each in stage) > most)
            for stage in stages
        )

    def _join(self, references: Iterable[FileReference], files: Mapping[_File, Document]) -> None:
        self.found = {}
        for reference in references:
            parts = [files.get(each) for each in _files(reference)]
            if None in parts:
                continue
            try:
                self.found[reference.path] = (
                    self._reader.join(reference, [each for each in parts if each])
                    if reference.exhibits
                    else files[_File(reference.path, joined=False)]
                )
            except UnfitError as unfit:
                self._unfit[_File(reference.path, joined=True)] = unfit

    def _shrunk(self, references: Sequence[FileReference]) -> dict[_File, Document]:
        """Return the files, shrunk so that the documents fit, alone and together."""
        files = dict(self._files)
        sizes = {file: len(document.content) for file, document in files.items()}
        fixed: dict[_File, int] = {}
        budgets = self._budgets(references) if self._reader.shrinks else []
        while most := shares(sizes, budgets, fixed):
            for file, size in most.items():
                try:
                    files[file] = self._reader.read(file.path, size, joined=file.joined)
                except UnfitError as unfit:
                    self._unfit[file] = unfit
            too_large = {
                file: len(files[file].content)
                for file, size in most.items()
                if len(files[file].content) > size
            }
            if not too_large:
                break
            fixed |= too_large
        self.smallest = f", with their pictures {AT_THE_FLOOR}" if fixed else ""
        return {file: document for file, document in files.items() if file not in self._unfit}

    def _budgets(self, references: Sequence[FileReference]) -> list[Budget[_File]]:
        of_one = [
            Budget(tuple(_files(each)), self._allowed.document_bytes - self._added[each.path])
            for each in references
            if each.exhibits
        ]
        if (most := self._allowed.total_bytes) is None:
            return of_one
        paths = {each.path for each in references}
        together = []
        for stage in self._stages:
            parts = [each.reference for each in stage.placed if each.reference.path in paths]
            taken = sum(each.size or 0 for each in stage.beside)
            added = sum(self._added.get(each.path, 0) for each in parts)
            files = tuple(file for each in parts for file in _files(each))
            together.append(Budget(files, most - taken - added))
        return of_one + together


def _note(document: Document) -> str | None:
    """Return what was done to a document and what it cost, for the reviewer; None if nothing was."""
    if document.exhibits:
        parts = "; ".join(f"{n}. {_exhibit(each)}" for n, each in enumerate(document.exhibits, 1))
        pages = f"{document.pages:,} pages, {len(document.content):,} bytes"
        joined = f"{shown(document.path)} was joined with a page of contents from {parts} ({pages})"
        return "; ".join([joined, *document.lost])
    done = _done(document)
    return f"{shown(document.path)} was prepared: {done}" if done else None


def _exhibit(document: Document) -> str:
    done = _done(document)
    return f"{shown(document.path)}: {done}" if done else shown(document.path)


def _done(document: Document) -> str:
    """Return what was done to a document, with its size before and after; empty if nothing was."""
    if (original := document.prepared_from) is None:
        return ""
    return f"{'; '.join(original.done)} ({original.size:,} → {len(document.content):,} bytes)"
