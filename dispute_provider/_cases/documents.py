"""Read, inspect and measure the documents of a case before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispute_provider._cases.case_reading import CaseReading, Placed, Together
from dispute_provider._cases.document_reader import DocumentReader
from dispute_provider._cases.files import with_lines
from dispute_provider._cases.preparing import Preparation
from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer
from dispute_provider._documents.card_numbers import REMEDY, card_numbers
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.limits import Limits, MeasuredDocument
from dispute_provider._evidence.placeholders import has_placeholder
from dispute_provider._evidence.stages import stage_of
from dispute_provider._evidence.texts_as_documents import in_documents
from dispute_provider.exceptions import InvalidCaseError, Violation

_SHOWN_PLACES = 5
_PlacedEvidence = tuple[str, str, Any]
"""A piece of evidence: its JSON pointer in the case, its name and its value."""


@dataclass(frozen=True, slots=True)
class CaseDocuments:
    """The documents of a case that can be sent.

    :param case: the case, with documents in place of texts that are too long.
    :param found: the documents by the paths that the case names.
    :param notes: for the reviewer: the optional documents that are left out, and why.
    :param unfilled: the names of evidence whose text has a placeholder, which is sent as it stands.
    """

    case: Case
    found: Mapping[str, Document]
    notes: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()


def read_documents(
    case: Case,
    renderer: Renderer,
    roots: Sequence[str] | None = None,
    preparation: Preparation | None = None,
    beside: Sequence[MeasuredDocument] = (),
) -> CaseDocuments:
    """Read the documents that a case names, and check everything that the case would send.

    :param roots: folders that may be read; None, the default, for the case's folder.
    :param preparation: prepares documents that the API does not take; None, the default, refuses them.
    :param beside: the documents that stay on the dispute beside the case's; by default, none are known.
    :raises InvalidCaseError: with every problem: documents that are missing, damaged, too large, of a type
        that the API does not accept, or outside the case's folder; too many documents; card numbers.
    """
    api = contract.load(case.provider)
    allowed = Limits.of(api)
    placed = list(pieces(case))
    case, made = in_documents(api, case) if case.has_long_texts else (case, [])
    references = [
        Placed(pointer, name, value)
        for pointer, name, value in pieces(case)
        if isinstance(value, FileReference)
    ]
    # The evidence of each stage is sent separately, so the limits apply to each stage separately.
    stages = _by_stage(api, references, beside)
    reading = CaseReading(case, DocumentReader(case, roots, allowed, renderer, preparation), stages, allowed)
    reading.read()
    violations = [*_card_numbers(placed, case.metadata), *reading.violations()]
    for together in map(reading.measured, stages):
        violations += limits.exceeded(allowed, together, smallest=reading.smallest)
    if violations:
        refusal = InvalidCaseError(case.source or case.dispute, violations)
        raise with_lines(refusal, [case.folder or ""] if roots is None else roots)
    unfilled = [name for pointer, name, value in placed if _is_unfilled(pointer, value)]
    return CaseDocuments(case, reading.found, (*made, *reading.notes()), tuple(dict.fromkeys(unfilled)))


def _by_stage(
    api: contract.Contract, references: Iterable[Placed], beside: Sequence[MeasuredDocument]
) -> list[Together]:
    together: dict[str | None, list[Placed]] = {}
    for each in references:
        together.setdefault(stage_of(api, each.name), []).append(each)
    return [
        Together(tuple(placed), tuple(each for each in beside if stage_of(api, each.name) == stage))
        for stage, placed in together.items()
    ]


def card_number_violations(case: Case) -> list[Violation]:
    """Return the texts of a case that have a card number; its documents are not read."""
    return list(_card_numbers(pieces(case), case.metadata))


def _card_numbers(
    given: Iterable[_PlacedEvidence], metadata: Mapping[str, str] | None
) -> Iterator[Violation]:
    """Return the texts with a card number, which must not be sent to any API."""
    texts = [(pointer, value) for pointer, _, value in given if not isinstance(value, FileReference)]
    for pointer, text in _strings([*texts, ("/metadata", metadata)]):
        if places := card_numbers(text):
            where = ", ".join(f"{place + 1:,}" for place in places[:_SHOWN_PLACES])
            yield Violation(pointer, f"has a card number at character {where}", REMEDY)


def _is_unfilled(pointer: str, value: Any) -> bool:
    return any(has_placeholder(text) for _, text in _strings([(pointer, value)]))


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
