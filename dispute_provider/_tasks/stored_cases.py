"""Pass cases between tasks as references to the evidence store, so that their texts are not in XCom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
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
# The start of JSON or YAML. No path that a sweep finds starts so.
_TEXT_OF_CASE = re.compile(r"\s*(?:[{\[]|---\s|\w+:\s)")
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


def read_items(given: Iterable[Any], folder: str) -> Iterator[Any]:
    """Yield the items of a task: cases in place of references and of JSON, and the paths of path objects.

    :param folder: the folder of the documents of cases that are in no file.
    """
    for number, item in enumerate(given, 1):
        if isinstance(item, Mapping) and (_CASE in item or _REFUSED in item):
            yield stored_case(item, folder)
        elif isinstance(item, str) and _TEXT_OF_CASE.match(item):
            yield _case_in_text(item, f"item {number} of the list", folder)
        else:
            yield str(item) if _is_path(item) else item


def _case_in_text(text: str, source: str, folder: str) -> CaseLine:
    """Return a case that is given as JSON; YAML is refused. Messages would show it if it were a path."""
    if text.lstrip()[0] in "{[":
        return CaseLine(source, folder, text.encode(errors="replace"))
    refused = Violation("", "is the text of a case", "return the case as a dict, or the path of its file")
    return CaseLine(source, folder, InvalidCaseError(source, [refused]))


def _is_path(item: Any) -> bool:
    if item is None or isinstance(item, str | Mapping):
        return False
    from airflow.sdk import ObjectStoragePath

    return isinstance(item, PurePath | ObjectStoragePath)


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
