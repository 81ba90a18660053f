"""Concede a dispute, or take back what was staged: what a review can decide besides submitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider.apis.api import Api
from dispute_provider.evidence.record import WRITTEN, Record, State
from dispute_provider.evidence.snapshot import Snapshot, contents
from dispute_provider.exceptions import ApiError
from dispute_provider.workflow.final_call import send_and_look
from dispute_provider.workflow.submit import not_shown, refuse_submission, unread


async def concede(api: Api, record: Record, *, resumed: bool = False, settle: float = 0.0) -> Record:
    """Give a dispute up for good, as a person has decided: read, compare, one call, read back.

    :param resumed: an earlier try of the same task may have done it.
    :param settle: seconds until an earlier send, of this task or another, has arrived or never will.
    """
    try:
        found, end = await _look(api, record, resumed)
        if settle and not (end and end.state == State.CONCEDED):
            await api.wait(settle)
            found, end = await _look(api, record, resumed)
    except ApiError as error:
        return unread(record, "not conceded", error, resumed)
    if end:
        return end
    outcome = await send_and_look(
        api,
        lambda: api.read(record.dispute, record.account),
        found,
        lambda _: api.concession(record),
        lambda _, after: api.is_conceded(after.dispute),
        lambda found: refuse_submission(record, found),
    )
    sent, request_id = outcome.sent, outcome.sent.request_id
    if outcome.after:
        after = f" after: {sent.problem.message}" if sent.problem else ""
        return record.ended(State.CONCEDED, f"conceded, confirmed by reading back{after}", request_id)
    return outcome.end or not_shown(api, record, outcome, "not conceded")


async def _look(api: Api, record: Record, resumed: bool) -> tuple[Snapshot, Record | None]:
    """A fresh reading, and the end of a dispute that is not to be conceded; None if it is."""
    found = await api.read(record.dispute, record.account)
    if resumed and api.is_conceded(found.dispute):
        reason = "an earlier try of this task conceded it"
        return found, record.ended(State.CONCEDED, reason, found.request_id)
    if found.dispute.stage == "inquiry":
        reason = "conceding an inquiry does not settle it: answer it, or refund the payment in full"
        return found, record.ended(State.REFUSED, reason)
    return found, refuse_submission(record, found)


async def take_back(api: Api, record: Record, earlier: Mapping[str, Any] | None) -> Record:
    """Put the evidence back that a dispute held before it was staged, and how it was to be submitted.

    For a rejected dispute that its API would have answered by itself: what was rejected must not go out then.

    :param earlier: the evidence as it was, by name; None where it is not known any more.
    """
    written = sorted({each.name.split(".")[0] for each in record.differences if each.kind in WRITTEN})
    unknown = [each.name for each in record.differences if each.kind == "overwritten" and earlier is None]
    evidence = {name: (earlier or {}).get(name, "") for name in written if name not in unknown}
    try:
        found = await api.read(record.dispute, record.account)
        # What a broken try has put back needs no more than its last step.
        is_back = bool(evidence) and all(_is_back(name, value, found) for name, value in evidence.items())
        if found.digest({}) != record.staged_as and not is_back:
            changed = "its evidence was left as it is: it has changed since it was staged; look at it"
            return replace(record, reason=f"{record.reason}; {changed}")
        if evidence and not is_back:
            await api.restore(record, evidence, automatic=None)
            found = await api.read(record.dispute, record.account)
        left = [*unknown, *(name for name in evidence if not _is_back(name, evidence[name], found))]
        if not left:
            await api.restore(record, {}, automatic=record.automatic)
    except ApiError as error:
        return replace(left_as_it_is(record, error), request_id=error.request_id)
    if left:
        outcome = f"the API did not clear {', '.join(left)}; the dispute stays on manual, so nothing sends it"
    else:
        outcome = "its earlier evidence was put back"
    return replace(record, reason=f"{record.reason}; {outcome}")


def left_as_it_is(record: Record, error: Exception) -> Record:
    """Return a rejected record whose dispute keeps what was staged, and why."""
    outcome = f"its evidence could not be put back ({error}); it stays at the API, and nothing sends it"
    return replace(record, reason=f"{record.reason}; {outcome}")


def _is_back(name: str, value: Any, found: Snapshot) -> bool:
    held = contents(found.evidence).get(name)
    return not value if held is None else bool(value == held)
