"""Pass cases between tasks as references to the evidence store, so that their texts are not in XCom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dispute_provider._cases.lines import CaseLine
from dispute_provider._evidence.snapshot import short_digest
from dispute_provider._state import evidence_store
from dispute_provider._state.evidence_store import EvidenceStoreError

_CASE, _SOURCE = "stored_case", "source"


def store_case(case: Mapping[str, Any], source: str) -> dict[str, str]:
    """Store a case, and return a reference to it.

    :param source: where it is from, for messages.
    :raises EvidenceStoreError: if the evidence store cannot be written.
    """
    return {_CASE: evidence_store.put(msgspec.json.encode(case, order="sorted")), _SOURCE: source}


def with_stored_cases(given: Iterable[Any], folder: str) -> Iterator[Any]:
    """Yield the items of a task, with the cases in place of their references.

    :param folder: the folder of their documents.
    """
    for item in given:
        yield stored_case(item, folder) if isinstance(item, Mapping) and _CASE in item else item


def stored_case(reference: Mapping[str, Any], folder: str) -> CaseLine:
    """Return a case of the evidence store, or the reason why it cannot be read.

    :param folder: the folder of its documents.
    """
    sha256, source = str(reference[_CASE]), str(reference.get(_SOURCE))
    try:
        content = evidence_store.get(sha256)
    except (EvidenceStoreError, ValueError) as error:
        return CaseLine(source, folder, EvidenceStoreError(f"a case from {source} cannot be read: {error}"))
    if content is None:
        problem = f"[dispute] evidence_store has no case {short_digest(sha256)} from {source}"
        remedy = evidence_store.remedy("the task that made it")
        return CaseLine(source, folder, EvidenceStoreError(f"{problem}; {remedy}"))
    return CaseLine(source, folder, content)
