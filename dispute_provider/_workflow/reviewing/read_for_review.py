"""Read a staged dispute as it is now, with every document that would go out, for its reviewer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence import stages
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.refusals import cannot_be_answered
from dispute_provider.exceptions import ApiError, TryAgainError


async def read_for_review(
    api: Api, record: Record, keep: Callable[[bytes], str | None] | None, ledger: DisputeLedger
) -> tuple[Record, Snapshot | None]:
    """Read a staged dispute anew; without a snapshot, the record says why it cannot be decided.

    :param keep: keeps a document for the reviewer to see, as the evidence store does; None where nothing is
        kept. With it, documents that somebody else uploaded are read along, and the digest holds theirs too.
    :param ledger: the dispute's chain: an approval is good for what it has seen of it.
    :raises LedgerError: if the ledger cannot be read.
    """
    end = (await ledger.look()).final_end
    try:
        snapshot = await api.read(record.dispute, record.account, details=True)
    except ApiError as error:
        return record.ended(State.HELD, f"not reviewed: {error}", error.request_id), None
    fresh = replace(record.seen(snapshot), ledger_end=end.hash if end else None, last_end=None)
    if refusal := cannot_be_answered(fresh, snapshot):
        return refusal, None
    if moved := _moved(api, record, snapshot.dispute.stage):
        return fresh.ended(State.REFUSED, moved), None
    if end and end.by.stage == fresh.stage:
        note = f"an earlier submission or concession of this stage ended {end.state}: {end.reason}"
        fresh = replace(fresh, last_end=end.state, notes=(*fresh.notes, note))
    if fresh.digest != record.digest:
        fresh = replace(fresh, notes=(*fresh.notes, "what the API holds has changed since it was staged"))
    if automatic := snapshot.dispute.automatic:
        note = f"the API itself submits what is staged there at the due date, approved or not ({automatic})"
        fresh = replace(fresh, notes=(*fresh.notes, note))
    if keep:
        fresh = await _with_others(api, fresh, snapshot, keep)
    return fresh, snapshot


def _moved(api: Api, record: Record, stage: str) -> str | None:
    """Return why evidence that was staged at one stage cannot be sent at the present one; None if it can."""
    if record.stage is None or stages.takes_the_same(api.contract, record.stage, stage):
        return None
    return (
        f"it was staged for the {record.stage}, and {stages.taken(api.contract, stage)}. "
        "To do: stage it again, with a case that has what this stage takes"
    )


async def _with_others(
    api: Api, record: Record, snapshot: Snapshot, keep: Callable[[bytes], str | None]
) -> Record:
    documents = dict(record.documents)
    notes = list(record.notes)
    for held in snapshot.evidence:
        if held.id is None or held.id in documents:
            continue
        try:
            content = await api.fetch(record.dispute, held, record.account)
            keep(content)
        except (ApiError, TryAgainError) as error:
            notes.append(f"a document that somebody else uploaded cannot be shown ({held.name}): {error}")
            continue
        documents[held.id] = hashlib.sha256(content).hexdigest()
    return replace(record, documents=documents, notes=tuple(notes)).seen(snapshot)
