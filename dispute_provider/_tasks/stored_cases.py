"""Pass cases between tasks as references to the evidence store, so that their texts are not in XCom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dispute_provider._cases.lines import CaseLine
from dispute_provider._cases.plain_values import ValueRefusedError, plain
from dispute_provider._evidence.case_errors import name_of
from dispute_provider._evidence.case_size import TOO_DEEP
from dispute_provider._evidence.snapshot import short_digest
from dispute_provider._state import evidence_store
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider.exceptions import InvalidCaseError, Violation

_CASE, _SOURCE, _DISPUTE, _REFUSED = "stored_case", "source", "dispute", "refused"
_CAST = "convert it to a text, a number, a boolean, a list or a dict"


def store_case(case: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Store a case, and return a reference to it.

    A case with a value that no case can hold is not stored; its reference says what is wrong, and staging
    refuses it.

    :param source: where it is from, for messages.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    """
    reference = {_SOURCE: source, _DISPUTE: name_of(case)}
    try:
        content = msgspec.json.encode(plain(case), order="sorted")
    except ValueRefusedError as refused:
        return {**reference, _REFUSED: [refused.pointer, refused.problem, _CAST]}
    except RecursionError:
        return {**reference, _REFUSED: ["", *TOO_DEEP]}
    return {**reference, _CASE: evidence_store.put(content)}


def refuse_item(item: Any, number: int, source: str) -> dict[str, Any]:
    """Return a reference to what a source returned in place of a case, which staging refuses.

    :param number: its place in the source's list, from 1.
    """
    problem = f"is of the type {type(item).__name__}"
    refused = ["", problem, "return each case as a dict, and None for none"]
    return {_SOURCE: source, _DISPUTE: f"item {number} of {source}", _REFUSED: refused}


def with_stored_cases(given: Iterable[Any], folder: str) -> Iterator[Any]:
    """Yield the items of a task, with the cases in place of their references.

    :param folder: the folder of their documents.
    """
    for item in given:
        is_reference = isinstance(item, Mapping) and (_CASE in item or _REFUSED in item)
        yield stored_case(item, folder) if is_reference else item


def stored_case(reference: Mapping[str, Any], folder: str) -> CaseLine:
    """Return a case of the evidence store, or the reason why it cannot be read.

    :param folder: the folder of its documents.
    """
    source, dispute = str(reference.get(_SOURCE)), reference.get(_DISPUTE)
    return CaseLine(source, folder, _content(reference, source), dispute=str(dispute) if dispute else None)


def _content(reference: Mapping[str, Any], source: str) -> bytes | InvalidCaseError | EvidenceStoreError:
    if _REFUSED in reference:
        pointer, problem, remedy = map(str, reference[_REFUSED])
        return InvalidCaseError(source, [Violation(pointer, problem, remedy)])
    sha256 = str(reference[_CASE])
    try:
        content = evidence_store.get(sha256)
    except (EvidenceStoreError, ValueError) as error:
        return EvidenceStoreError(f"a case from {source} cannot be read: {error}")
    if content is None:
        problem = f"[dispute] evidence_store has no case {short_digest(sha256)} from {source}"
        remedy = evidence_store.remedy("the task that made it")
        return EvidenceStoreError(f"{problem}; {remedy}")
    return content
