"""Carry out a rejection: put back what staging replaced, and note it in the ledger with its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import Record
from dispute_provider._ledger.chain import Claimant, Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.in_ledger import claimant_of
from dispute_provider._workflow.sending.take_back import take_back
from dispute_provider._workflow.turns import free_chain
from dispute_provider.exceptions import ApiError, TryAgainError


async def reject(
    api: Api, record: Record, earlier: Mapping[str, Any] | None, ledger: DisputeLedger, task: str
) -> tuple[Record, Record]:
    """Return a rejected record, and its receipt, which stands in the ledger.

    A rejection sends nothing, so a ledger that fails does not undo it: the record's notes say so.

    :param earlier: the evidence that staging replaced, by name; None where it is not known any more.
    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :raises LedgerError: if the evidence has to be put back and the ledger cannot be used.
    """
    end = await take_back(api, record, earlier, ledger, task) if record.automatic else record
    receipt = receipt_of(record, end)
    try:
        await _note(api, receipt, ledger, claimant_of(record, Kind.REJECT, task))
    except (ApiError, TryAgainError) as error:
        end = not_in_ledger(end, error)
    return end, receipt


def receipt_of(record: Record, end: Record) -> Record:
    """Return the receipt of a rejection: without the words of the reviewer, which no receipt contains.

    :param record: as the review left it.
    :param end: the same, with what became of its evidence added to the reason.
    """
    return replace(end, reason=f"rejected{end.reason.removeprefix(record.reason)}")


def not_in_ledger(end: Record, error: Exception) -> Record:
    """Return a rejected record whose notes say that the ledger does not have its rejection."""
    return replace(end, notes=(*end.notes, f"its rejection is not in the ledger: {error}"))


async def _note(api: Api, receipt: Record, ledger: DisputeLedger, claimant: Claimant) -> None:
    """Write a link that is an end and nothing else: a rejection claims nothing, because it sends nothing."""
    while True:
        chain = await free_chain(api, ledger, claimant)
        if chain.end_of(claimant):
            return
        place = chain.place(claimant.stage)
        state, reason = str(receipt.state), receipt.reason
        if await ledger.end(
            place.link, place.take, claimant, state, reason, is_settled=True, record=receipt.to_dict()
        ):
            return
