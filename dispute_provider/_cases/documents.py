"""Read, inspect and measure the documents of a case before anything is sent."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispute_provider._cases.storage import NotAFileError, PathRefusedError, open_document
from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._documents.card_numbers import card_numbers
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case, FileReference
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.limits import Limits
from dispute_provider._evidence.stages import stage_of
from dispute_provider.exceptions import InvalidCaseError, Violation

_MASK = "keep only its last four digits"
_NO_FILE = "there is no such file", "put it in the case's folder"
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


def read_documents(case: Case, renderer: Renderer, roots: Sequence[str] | None = None) -> CaseDocuments:
    """Read the documents that a case names, and check everything that the case would send.

    :param roots: folders that may be read; None, the default, for the case's folder.
    :raises InvalidCaseError: with every problem: documents that are missing, damaged, too large, of a type
        that the API does not accept, or outside the case's folder; too many documents; card numbers.
    """
    api = contract.load(case.provider)
    allowed = Limits.of(api)
    found_pieces = list(pieces(case))
    violations = [*_card_numbers(found_pieces, case.metadata)]
    notes: list[str] = []
    found: dict[str, Document] = {}
    held: list[limits.MeasuredDocument] = []
    # A document that is named twice is optional only if it is optional in both places.
    needed = {reference.path for reference in case.files if not reference.optional}
    for pointer, name, value in found_pieces:
        if not isinstance(value, FileReference):
            continue
        path, optional = value.path, value.path not in needed
        try:
            found[path] = found.get(path) or _read_document(case.folder, path, roots, allowed, renderer)
        except _UnfitError as unfit:
            if optional and not unfit.is_secret:
                notes.append(limits.left_out(path, unfit.problem))
            else:
                violations.append(Violation(pointer, f"{shown(path)}: {unfit.problem}", unfit.remedy))
        else:
            document = found[path]
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


def _by_stage(
    api: contract.Contract, documents: Iterable[limits.MeasuredDocument]
) -> Iterable[list[limits.MeasuredDocument]]:
    together: dict[str | None, list[limits.MeasuredDocument]] = {}
    for document in documents:
        together.setdefault(stage_of(api, document.name), []).append(document)
    return together.values()


class _UnfitError(Exception):
    """A document that cannot be sent; a secret one stops its case even if it is optional."""

    def __init__(self, problem: str, remedy: str, *, is_secret: bool = False) -> None:
        self.problem = problem
        self.remedy = remedy
        self.is_secret = is_secret


def _read_document(
    folder: str | None, path: str, roots: Sequence[str] | None, allowed: Limits, renderer: Renderer
) -> Document:
    """Read and inspect one document.

    :raises _UnfitError: if it cannot be sent.
    """
    content = _read(folder, path, roots, allowed)
    try:
        inspection = renderer.inspect(content)
    except RenderingError as error:
        raise _UnfitError(error.problem, error.remedy) from None
    if problem := limits.unfit(allowed, len(content), inspection.content_type):
        raise _UnfitError(*problem)
    if inspection.card_number:
        raise _UnfitError("it holds a card number", _MASK, is_secret=True)
    return Document(path, content, inspection)


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
