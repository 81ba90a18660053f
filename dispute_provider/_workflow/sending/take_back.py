"""Put the evidence back that a dispute held before a case was staged, after a reviewer rejected it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import WRITTEN, Record
from dispute_provider._evidence.snapshot import Snapshot, contents
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.in_ledger import claimant_of
from dispute_provider._workflow.turns import free_chain
from dispute_provider.exceptions import ApiError


async def take_back(
    api: Api, record: Record, earlier: Mapping[str, Any] | None, ledger: DisputeLedger, task: str
) -> Record:
    """Put the evidence back that a dispute held before it was staged, and how it was to be submitted.

    For a rejected dispute that its API would have answered by itself: what was rejected must not go out then.

    :param earlier: the evidence as it was, by name; None where it is not known any more.
    :param ledger: the dispute's chain.
    :param task: names the task of a run, the same for all its tries.
    :raises LedgerError: if the ledger cannot be used.
    """
    written = sorted({each.name.split(".")[0] for each in record.differences if each.kind in WRITTEN})
    unknown = [each.name for each in record.differences if each.kind == "overwritten" and earlier is None]
    evidence = {name: (earlier or {}).get(name, "") for name in written if name not in unknown}
    claimant = claimant_of(record, Kind.PUT_BACK, task)
    try:
        claim = ledger.claim(await free_chain(api, ledger, claimant), claimant, {}, None)
        writing = api.under(claim)
        found = await api.read(record.dispute, record.account)
        # What a broken try has put back needs no more than its last step.
        is_back = bool(evidence) and all(_is_back(name, value, found) for name, value in evidence.items())
        if found.digest({}) != record.staged_as and not is_back:
            changed = "its evidence was left as it is: it has changed since it was staged; look at it"
            return replace(record, reason=f"{record.reason}; {changed}")
        if evidence and not is_back:
            await writing.restore(record, evidence, automatic=None)
            found = await api.read(record.dispute, record.account)
        left = [*unknown, *(name for name in evidence if not _is_back(name, evidence[name], found))]
        if not left:
            await writing.restore(record, {}, automatic=record.automatic)
    except ApiError as error:
        return replace(left_as_it_is(record, error), request_id=error.request_id)
    if left:
        outcome = f"the API did not clear {', '.join(left)}; the dispute stays on manual, so nothing sends it"
    else:
        outcome = "its earlier evidence was put back"
    await claim.end("put back", outcome, None, {})
    return replace(record, reason=f"{record.reason}; {outcome}")


def left_as_it_is(record: Record, error: Exception) -> Record:
    """Return a rejected record whose dispute keeps what was staged, and why."""
    outcome = f"its evidence could not be put back ({error}); it stays at the API, and nothing sends it"
    return replace(record, reason=f"{record.reason}; {outcome}")


def _is_back(name: str, value: Any, found: Snapshot) -> bool:
    held = contents(found.evidence).get(name)
    return not value if held is None else bool(value == held)
