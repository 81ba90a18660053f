"""Carry out a rejection: put back replaced evidence, and write the receipt to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import Record
from dispute_provider._ledger.chain import Claimant, Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.ledger_ends import claimant_of
from dispute_provider._workflow.sending.put_back import put_back
from dispute_provider._workflow.waiting import wait_for_chain
from dispute_provider.exceptions import ApiError, TryAgainError


async def reject(
    api: Api, record: Record, earlier: Mapping[str, Any] | None, ledger: DisputeLedger, task: str
) -> tuple[Record, Record]:
    """Return a rejected record and its receipt, which is also written to the ledger.

    A rejection sends nothing, so a failing ledger does not undo it; the record gets a note instead.

    :param earlier: the evidence that staging replaced, by name; None if there is no copy.
    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :raises LedgerError: if the evidence has to be put back and the ledger cannot be used.
    """
    end = await put_back(api, record, earlier, ledger, task) if record.automatic else record
    receipt = receipt_of(record, end)
    try:
        await _note(api, receipt, ledger, claimant_of(record, Kind.REJECT, task))
    except (ApiError, TryAgainError) as error:
        end = not_in_ledger(end, error)
    return end, receipt


def receipt_of(record: Record, end: Record) -> Record:
    """Return the receipt of a rejection, without the reviewer's comment.

    :param record: the record after the review.
    :param end: the same record, whose reason also reports what happened to the evidence.
    """
    return replace(end, reason=f"rejected{end.reason.removeprefix(record.reason)}")


def not_in_ledger(end: Record, error: Exception) -> Record:
    """Return a rejected record with a note that its rejection is not in the ledger."""
    return replace(end, notes=(*end.notes, f"its rejection is not in the ledger: {error}"))


async def _note(api: Api, receipt: Record, ledger: DisputeLedger, claimant: Claimant) -> None:
    """Write a link that has only an end: a rejection needs no claim, because it sends nothing."""
    while True:
        chain = await wait_for_chain(api, ledger, claimant)
        if chain.end_of(claimant):
            return
        place = chain.place(claimant.stage)
        state, reason = str(receipt.state), receipt.reason
        if await ledger.end(
            place.link, place.entry, claimant, state, reason, is_settled=True, record=receipt.to_dict()
        ):
            return
