"""Say what a dispute is now whose submission or concession ended *unknown*."""

from __future__ import annotations

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import CONCEDE, Record, State, record_of
from dispute_provider._workflow.refusals import refuse_submission
from dispute_provider.exceptions import ApiError

_WAS_UNKNOWN = "it ended unknown before"


async def reread(api: Api, record: Record) -> Record:
    """Return a record that ended *unknown* as the dispute shows it now; unchanged if it cannot be read."""
    try:
        found = await api.read(record.dispute, record.account)
    except ApiError:
        return record
    if record.approval and record.approval.action == CONCEDE and api.is_conceded(found.dispute):
        reason = f"{_WAS_UNKNOWN}; now conceded, by this run or by somebody else: {found.dispute.status}"
        return record.ended(State.CONCEDED, reason, found.request_id)
    end = refuse_submission(record, found)
    is_over = found.dispute.closed or found.dispute.past_due()
    if end is None or (end.state != State.ALREADY_SUBMITTED and not is_over):
        return record.ended(State.UNKNOWN, f"{record.reason}; read again, it is open: {found.dispute.status}")
    return record.ended(end.state, f"{_WAS_UNKNOWN}; {end.reason}", found.request_id)


async def read_closed(api: Api, connection: str, dispute: str) -> Record:
    """Return what became of a dispute that is not open any more, and of which no record is left.

    :raises ApiError: if it cannot be read.
    """
    found = (await api.read(dispute)).dispute
    if found.submitted or found.submissions:
        state, what = State.ALREADY_SUBMITTED, f"it was answered: {found.status}"
    elif found.closed:
        state, what = State.REFUSED, f"it was not answered: {found.closed}"
    else:
        state, what = State.UNKNOWN, f"the API does not list it as open, and shows it as {found.status}"
    return record_of(found, connection, state, f"{_WAS_UNKNOWN}; {what}")
