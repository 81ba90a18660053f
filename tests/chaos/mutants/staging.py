"""Safeguards of staging. Each function knocks one out."""

from __future__ import annotations

from typing import Any

from tests.chaos.mutants.safeguard import Safeguard


def _nothing_of_others_protected() -> None:
    from dispute_provider._apis import moov as moov_api
    from dispute_provider._workflow.staging import write_evidence as staging

    original = moov_api.copies_among
    moov_api.copies_among = lambda items, pieces, foreign: original(items, pieces, frozenset())

    async def foreign(before: Any, memory: Any) -> frozenset[str]:
        return frozenset()

    staging.foreign = foreign


def _copies_left() -> None:
    from dispute_provider._apis import moov as moov_api

    moov_api.copies_among = lambda items, pieces, foreign: []


def _uploads_forgotten() -> None:
    from dispute_provider._state.staging import StagingMemory

    async def begin(self: StagingMemory, dispute: str, items: Any, link: int = 0, other: Any = None) -> None:
        pass

    async def marks(self: StagingMemory, dispute: str) -> frozenset[str]:
        return frozenset()

    StagingMemory.begin = begin  # type: ignore[method-assign]
    StagingMemory.marks = marks  # type: ignore[method-assign]


def _claims_unseen() -> None:
    from dispute_provider._cases.case_batch import CaseBatch

    CaseBatch.refusal = lambda self, case, place: None  # type: ignore[method-assign]


def _replacements_forgotten() -> None:
    from dispute_provider._state.staging import StagingMemory

    async def note(self: StagingMemory, dispute: str, replacement: Any) -> None:
        pass

    StagingMemory.note = note  # type: ignore[method-assign]


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


def _listed_disputes_written() -> None:
    """Have staging write to a dispute that it has only listed."""
    from dispute_provider._apis.stripe import StripeApi
    from tests.chaos.world.worker import here

    original = StripeApi.read

    async def read(self: StripeApi, dispute: str, account: Any = None, *, details: bool = False) -> Any:
        worker = here()
        is_staging = worker is not None and "/stage" in worker.name
        found = (await self.list_open()).snapshots.get(dispute) if is_staging else None
        return found or await original(self, dispute, account, details=details)

    StripeApi.read = read  # type: ignore[method-assign]


SAFEGUARDS: dict[str, Safeguard] = {
    "other people's uploads are not protected": Safeguard(
        _nothing_of_others_protected, "a colleague has uploaded the case's text twice"
    ),
    "copies of an upload are left": Safeguard(_copies_left, "uploads are carried out twice"),
    "uploads of broken tries are forgotten": Safeguard(
        _uploads_forgotten, "second copies cannot be deleted at first"
    ),
    "two cases of one task for a dispute are staged": Safeguard(_claims_unseen, "two cases of one task"),
    "what is replaced is not noted before the write": Safeguard(
        _replacements_forgotten, "a colleague's texts are replaced, unanswered"
    ),
    "an unknown submission method is taken for manual": Safeguard(
        _unknown_method_is_manual, "Stripe submits by itself"
    ),
    "an item of a list is enough for a write": Safeguard(_listed_disputes_written, "two runs at once"),
    "an odd field makes an answer unreadable": Safeguard(_oddities_fatal, "answers have odd fields"),
}
