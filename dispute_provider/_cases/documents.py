"""Read, inspect and measure the documents of a case before anything is sent."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispute_provider._cases.preparing import Preparation
from dispute_provider._cases.storage import NotAFileError, PathRefusedError, open_document
from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._documents.card_numbers import card_numbers
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case, FileReference
from dispute_provider._evidence.documents import Document, Original, shown
from dispute_provider._evidence.limits import Limits
from dispute_provider._evidence.stages import stage_of
from dispute_provider.exceptions import InvalidCaseError, Violation

_MASK = "keep only its last four digits"
_NO_FILE = "there is no such file", "put it in the case's folder"
_NOT_PREPARED = "it would have to be prepared, which is done when its case is staged", "stage the case"
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
    found_pieces = list(pieces(case))
    violations = [*_card_numbers(found_pieces, case.metadata)]
    notes: list[str] = []
    found: dict[str, Document] = {}
    reader = _Reader(case, roots, allowed, renderer, preparation)
    held: list[limits.MeasuredDocument] = []
    # A document that is named twice is optional only if it is optional in both places.
    needed = {reference.path for reference in case.files if not reference.optional}
    for pointer, name, value in found_pieces:
        if not isinstance(value, FileReference):
            continue
        path, optional = value.path, value.path not in needed
        try:
            found[path] = found.get(path) or reader.read(path)
        except _UnfitError as unfit:
            if optional and not unfit.is_secret:
                notes.append(limits.left_out(path, unfit.problem))
            else:
                violations.append(Violation(pointer, f"{shown(path)}: {unfit.problem}", unfit.remedy))
        else:
            document = found[path]
            notes += [note for note in [_note(document)] if note and note not in notes]
            held.append(limits.MeasuredDocument(name, len(document.content), document.pages, path, optional))
    # The evidence of each stage is sent separately, so the limits apply to each stage separately.
    for together in _by_stage(api, held):
        too_much = limits.to_leave_out(allowed, together)
        for path, problem in too_much.items():
            notes.append(limits.left_out(path, problem))
            found.pop(path, None)
        violations += limits.exceeded(allowed, [each for each in together if each.path not in too_much])
    if violations:
        raise InvalidCaseError(case.dispute, violations)
    return CaseDocuments(found, tuple(notes))


def _note(document: Document) -> str | None:
    """Return what was done to a document and what it cost, for the reviewer; None if nothing was."""
    if (original := document.prepared_from) is None:
        return None
    done = "; ".join(original.done)
    size = f"{original.size:,} → {len(document.content):,} bytes"
    return f"{shown(document.path)} was prepared: {done} ({size})"


def _by_stage(
    api: contract.Contract, documents: Iterable[limits.MeasuredDocument]
) -> Iterable[list[limits.MeasuredDocument]]:
    together: dict[str | None, list[limits.MeasuredDocument]] = {}
    for document in documents:
        together.setdefault(stage_of(api, document.name), []).append(document)
    return together.values()


class _UnfitError(Exception):
    """A document that cannot be sent; a secret one stops its case even if it is optional.

    :param step: the step of preparing that may help; None, the default, if none does.
    """

    def __init__(
        self, problem: str, remedy: str, *, is_secret: bool = False, step: str | None = None
    ) -> None:
        self.problem = problem
        self.remedy = remedy
        self.step = step
        self.is_secret = is_secret


class _Reader:
    """Reads the documents of one case."""

    def __init__(
        self,
        case: Case,
        roots: Sequence[str] | None,
        allowed: Limits,
        renderer: Renderer,
        preparation: Preparation | None,
    ) -> None:
        self._folder, self._roots = case.folder, roots
        self._allowed, self._renderer = allowed, renderer
        self._preparation = preparation
        self._steps = preparation.steps(case.prepare) if preparation else case.prepare

    def read(self, path: str) -> Document:
        """Read and inspect one document, and prepare it if the API does not take it as it is.

        :raises _UnfitError: if it cannot be sent.
        """
        content = _read(self._folder, path, self._roots, self._allowed)
        try:
            return self._inspected(Document(path, content))
        except _UnfitError as unfit:
            if unfit.step is None:
                raise
            if unfit.step not in self._steps:
                remedy = f"{unfit.remedy}, or switch it on: prepare: [{unfit.step}]"
                raise _UnfitError(unfit.problem, remedy) from None
        if self._preparation is None:
            raise _UnfitError(*_NOT_PREPARED)
        try:
            prepared = self._preparation.prepare(content, self._steps, self._allowed.types)
        except RenderingError as error:
            raise _UnfitError(error.problem, error.remedy) from None
        original = Original(hashlib.sha256(content).hexdigest(), len(content), prepared.done)
        return self._inspected(Document(path, prepared.content, prepared_from=original))

    def _inspected(self, document: Document) -> Document:
        try:
            inspection = self._renderer.inspect(document.content)
        except RenderingError as error:
            raise _UnfitError(error.problem, error.remedy, step=error.step) from None
        size, kind = len(document.content), inspection.content_type
        if problem := limits.unfit(self._allowed, size, kind):
            raise _UnfitError(*problem, step="convert" if kind not in self._allowed.types else None)
        if inspection.card_number:
            raise _UnfitError("it holds a card number", _MASK, is_secret=True)
        return replace(document, inspection=inspection)


def _read(folder: str | None, path: str, roots: Sequence[str] | None, allowed: Limits) -> bytes:
    if folder is None:
        raise _UnfitError("the case has no folder to read documents from", "name the folder")
    try:
        with open_document(folder, path, [folder] if roots is None else roots) as opened:
            content = opened.read(allowed.document_bytes + 1)
            size = len(content)
            if size > allowed.document_bytes:
                size = opened.seek(0, os.SEEK_END)
    except NotAFileError:
        raise _UnfitError(*_NO_FILE) from None
    except PathRefusedError as error:
        raise _UnfitError(error.problem, error.remedy) from None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise _UnfitError(*_NO_FILE) from None
    except Exception as error:  # file systems raise many types
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise _UnfitError(*_NO_FILE) from None
        what = f"it cannot be read: {type(error).__name__}"
        raise _UnfitError(what, "check its name and permissions") from None
    if problem := limits.unfit(allowed, size):
        raise _UnfitError(*problem)
    return content


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
