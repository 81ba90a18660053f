"""Safeguards of staging. Each function knocks one out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _nothing_of_others_protected() -> None:
    from dispute_provider._apis import moov as moov_api
    from dispute_provider._workflow.staging import write_evidence as staging

    original = moov_api._copies
    moov_api._copies = lambda items, pieces, foreign: original(items, pieces, frozenset())
    staging.foreign = lambda before, memory: frozenset()


def _copies_left() -> None:
    from dispute_provider._apis import moov as moov_api

    moov_api._copies = lambda items, pieces, foreign: []


def _uploads_forgotten() -> None:
    from dispute_provider._state.staging import StagingMemory, StoredDisputeMemory

    def of(self: Any, dispute: str) -> StoredDisputeMemory:
        return StoredDisputeMemory(self, dispute, None)

    StagingMemory.of = of  # type: ignore[method-assign]
    StagingMemory.marks = lambda self, dispute: frozenset()  # type: ignore[method-assign]


def _claims_unseen() -> None:
    from dispute_provider._cases.case_batch import CaseBatch

    CaseBatch.refusal = lambda self, case, place: None  # type: ignore[method-assign]


def _replacements_forgotten() -> None:
    from dispute_provider._state.staging import StagingMemory

    StagingMemory.note = lambda self, dispute, replacement: None  # type: ignore[method-assign]


def _unknown_method_is_manual() -> None:
    from dispute_provider._workflow.staging import write_evidence as staging

    staging._automatic = lambda dispute, rules: None


def _oddities_fatal() -> None:
    from dispute_provider._contracts import reading
    from dispute_provider.exceptions import Violation

    original = reading.read

    def read(schema: Any, data: Any, *, is_json: bool) -> Any:
        found = original(schema, data, is_json=is_json)
        if found.warnings:
            return reading.Reading(None, [Violation("", "is odd", "")])
        return found

    reading.read = read


SAFEGUARDS: dict[str, Callable[[], None]] = {
    "other people's uploads are not protected": _nothing_of_others_protected,
    "copies of an upload are left": _copies_left,
    "uploads of broken tries are forgotten": _uploads_forgotten,
    "two cases of one task for a dispute are staged": _claims_unseen,
    "what is replaced is not noted before the write": _replacements_forgotten,
    "an unknown submission method is taken for manual": _unknown_method_is_manual,
    "an odd field makes an answer unreadable": _oddities_fatal,
}
