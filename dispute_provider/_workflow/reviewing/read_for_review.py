"""Read a staged dispute for its reviewer, with every document that a submission would send."""

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
    api: Api, record: Record, keep: Callable[[bytes], object], ledger: DisputeLedger
) -> tuple[Record, Snapshot | None]:
    """Return a staged dispute's record and snapshot, read from the API.

    Without a snapshot, the record's reason states why it cannot be reviewed.

    :param keep: stores a foreign document for the reviewer, as the evidence store does. The digest covers it.
    :param ledger: the dispute's chain; an approval covers only what its review has seen there.
    :raises LedgerError: if the ledger cannot be read.
    """
    end = (await ledger.read()).final_end
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
        note = f"a previous submission or concession at this stage ended {end.state}: {end.reason}"
        fresh = replace(fresh, last_end=end.state, notes=(*fresh.notes, note))
    if fresh.digest != record.digest:
        fresh = replace(fresh, notes=(*fresh.notes, "the evidence at the API has changed since staging"))
    if automatic := snapshot.dispute.automatic:
        note = f"the API submits staged evidence automatically at the due date, approved or not ({automatic})"
        fresh = replace(fresh, notes=(*fresh.notes, note))
    return await _with_foreign_documents(api, fresh, snapshot, keep), snapshot


def _moved(api: Api, record: Record, stage: str) -> str | None:
    """Return why evidence staged at one stage cannot be sent at the current one; None if it can."""
    if record.stage is None or stages.takes_the_same(api.contract, record.stage, stage):
        return None
    return (
        f"it was staged for the {record.stage}, and {stages.taken(api.contract, stage)}. "
        "To do: stage a case that has the evidence for this stage"
    )


async def _with_foreign_documents(
    api: Api, record: Record, snapshot: Snapshot, keep: Callable[[bytes], object]
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
            notes.append(f"a document from outside this case cannot be shown ({held.name}): {error}")
            continue
        documents[held.id] = hashlib.sha256(content).hexdigest()
    return replace(record, documents=documents, notes=tuple(notes)).seen(snapshot)
