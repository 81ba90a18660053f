"""Giving a dispute up, and taking back what was staged: what a review can decide besides submitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider.evidence.record import Record, State
from dispute_provider.evidence.snapshot import Snapshot
from dispute_provider.exceptions import AmbiguousError, ApiError
from dispute_provider.hooks.api import Api, Steps
from dispute_provider.hooks.protocol import failed, read_back, refuse_submission

_WRITTEN = ("added", "overwritten", "renewed")


def concede(api: Api, record: Record, *, resumed: bool = False) -> Steps[Record]:
    """Give a dispute up for good, as a person has decided: read, compare, one call, read back.

    :param resumed: an earlier try of the same task may have done it.
    """
    try:
        found = yield from api.read(record.dispute, record.account)
    except ApiError as error:
        return failed(record, "not conceded", error)
    if resumed and api.is_conceded(found.dispute):
        return record.ended(State.CONCEDED, "an earlier try of this task conceded it", found.request_id)
    if found.dispute.stage == "inquiry":
        reason = "conceding an inquiry does not settle it: answer it, or refund the payment in full"
        return record.ended(State.REFUSED, reason)
    if end := refuse_submission(record, found):
        return end
    request_id: str | None = None
    problem: ApiError | None = None
    try:
        answer = yield from api.concession(record)
        request_id = answer.request_id
    except ApiError as error:
        problem, request_id = error, error.request_id
    refused = problem is not None and not isinstance(problem, AmbiguousError)
    # What was refused needs one reading, to see whether it is so all the same.
    after, unread = yield from read_back(api, record, lambda found: refused or api.is_conceded(found))
    if after and api.is_conceded(after.dispute):
        return record.ended(State.CONCEDED, "conceded, confirmed by reading back", request_id)
    if after and problem:
        return failed(record, "not conceded", problem)
    facts = " | ".join(str(error) for error in (problem, unread) if error) or "it was accepted"
    reason = f"conceded perhaps, but the dispute does not show it ({facts}); look at the dispute"
    return record.ended(State.UNKNOWN, reason, request_id)


def take_back(api: Api, record: Record, earlier: Mapping[str, Any] | None) -> Steps[Record]:
    """Put the evidence back that a dispute held before it was staged, and how it was to be submitted.

    For a rejected dispute that its API would have answered by itself: what was rejected must not go out then.

    :param earlier: the evidence as it was, by name; None where it is not known any more.
    """
    written = sorted({each.name.split(".")[0] for each in record.differences if each.kind in _WRITTEN})
    unknown = [each.name for each in record.differences if each.kind == "overwritten" and earlier is None]
    evidence = {name: (earlier or {}).get(name, "") for name in written if name not in unknown}
    try:
        found = yield from api.read(record.dispute, record.account)
        # What a broken try has put back needs no more than its last step.
        is_back = bool(evidence) and all(_is_back(name, value, found) for name, value in evidence.items())
        if found.digest({}) != record.staged_as and not is_back:
            changed = "its evidence was left as it is: it has changed since it was staged; look at it"
            return replace(record, reason=f"{record.reason}; {changed}")
        if evidence and not is_back:
            yield from api.restore(record, evidence, automatic=None)
            found = yield from api.read(record.dispute, record.account)
        left = [*unknown, *(name for name in evidence if not _is_back(name, evidence[name], found))]
        if not left:
            yield from api.restore(record, {}, automatic=record.automatic)
    except ApiError as error:
        return replace(left_as_it_is(record, error), request_id=error.request_id)
    if left:
        said = f"the API did not clear {', '.join(left)}; the dispute stays on manual, so nothing sends it"
    else:
        said = "its earlier evidence was put back"
    return replace(record, reason=f"{record.reason}; {said}")


def left_as_it_is(record: Record, error: Exception) -> Record:
    """Return a rejected record whose dispute keeps what was staged, and why."""
    said = f"its evidence could not be put back ({error}); it stays at the API, and nothing sends it"
    return replace(record, reason=f"{record.reason}; {said}")


def _is_back(name: str, value: Any, found: Snapshot) -> bool:
    held = next((each for each in found.evidence if each.name == name), None)
    if held is None:
        return not value
    return bool(value == held.content)
