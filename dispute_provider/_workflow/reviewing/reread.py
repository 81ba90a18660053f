"""Read a dispute again whose submission or concession ended *unknown*."""

from __future__ import annotations

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import CONCEDE, Record, State, record_of
from dispute_provider._workflow.refusals import refuse_submission
from dispute_provider.exceptions import ApiError

_WAS_UNKNOWN = "it had ended unknown"


async def reread(api: Api, record: Record) -> Record:
    """Return a record that ended *unknown*, updated from the dispute; unchanged if it cannot be read."""
    try:
        found = await api.read(record.dispute, record.account)
    except ApiError:
        return record
    if record.approval and record.approval.action == CONCEDE and api.is_conceded(found.dispute):
        reason = f"{_WAS_UNKNOWN}; now conceded, by this run or by someone else: {found.dispute.status}"
        return record.ended(State.CONCEDED, reason, found.request_id)
    end = refuse_submission(record, found)
    is_over = found.dispute.closed or found.dispute.past_due()
    if end is None or (end.state != State.ALREADY_SUBMITTED and not is_over):
        return record.ended(
            State.UNKNOWN, f"{record.reason}; on a second read it is still open: {found.dispute.status}"
        )
    return record.ended(end.state, f"{_WAS_UNKNOWN}; {end.reason}", found.request_id)


async def read_closed(api: Api, connection: str, dispute: str) -> Record:
    """Return the outcome of a closed dispute that has no record left.

    :raises ApiError: if it cannot be read.
    """
    found = (await api.read(dispute)).dispute
    if found.submitted or found.submissions:
        state, what = State.ALREADY_SUBMITTED, f"evidence was submitted: {found.status}"
    elif found.closed:
        state, what = State.REFUSED, f"no evidence was submitted: {found.closed}"
    else:
        state, what = State.UNKNOWN, f"the API does not list it as open; its status is {found.status}"
    return record_of(found, connection, state, f"{_WAS_UNKNOWN}; {what}")
