"""Put back the evidence that a dispute had before staging, after a reviewer rejected the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._evidence.record import WRITTEN, Record
from dispute_provider._evidence.snapshot import Snapshot, contents
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.ledger_ends import claimant_of
from dispute_provider._workflow.waiting import wait_for_chain
from dispute_provider.exceptions import ApiError


async def put_back(
    api: Api, record: Record, earlier: Mapping[str, Any] | None, ledger: DisputeLedger, task: str
) -> Record:
    """Put back the evidence that a dispute had before staging, and its submission method.

    This is for rejected disputes that the API would submit automatically: rejected evidence must not go out.

    :param earlier: the evidence before staging, by name; None if there is no copy.
    :param ledger: the dispute's chain.
    :param task: the name of the task in its run, the same for all its tries.
    :raises LedgerError: if the ledger cannot be used.
    """
    written = sorted({each.name.split(".")[0] for each in record.differences if each.kind in WRITTEN})
    unknown = [each.name for each in record.differences if each.kind == "overwritten" and earlier is None]
    evidence = {name: (earlier or {}).get(name, "") for name in written if name not in unknown}
    claimant = claimant_of(record, Kind.PUT_BACK, task)
    try:
        claim = ledger.claim(await wait_for_chain(api, ledger, claimant), claimant, {}, None)
        writing = api.under(claim)
        found = await api.read(record.dispute, record.account)
        # If a failed try has already put the evidence back, only the last step remains.
        is_back = bool(evidence) and all(_is_back(name, value, found) for name, value in evidence.items())
        if found.digest({}) != record.staged_as and not is_back:
            changed = (
                "its evidence was not put back, because it has changed since it was staged; check the dispute"
            )
            return replace(record, reason=f"{record.reason}; {changed}")
        if evidence and not is_back:
            await writing.restore(record, evidence, automatic=None)
            found = await api.read(record.dispute, record.account)
        left = [*unknown, *(name for name in evidence if not _is_back(name, evidence[name], found))]
        if not left:
            await writing.restore(record, {}, automatic=record.automatic)
    except ApiError as error:
        return replace(not_put_back(record, error), request_id=error.request_id)
    if left:
        outcome = f"the API did not clear {', '.join(left)}; the dispute stays on manual, so nothing sends it"
    else:
        outcome = "its earlier evidence was put back"
    await claim.end("put back", outcome, None, {})
    return replace(record, reason=f"{record.reason}; {outcome}")


def not_put_back(record: Record, error: Exception) -> Record:
    """Return a rejected record whose dispute keeps the staged evidence, with the reason."""
    outcome = f"its evidence could not be put back ({error}); it stays at the API, and nothing sends it"
    return replace(record, reason=f"{record.reason}; {outcome}")


def _is_back(name: str, value: Any, found: Snapshot) -> bool:
    held = contents(found.evidence).get(name)
    return not value if held is None else bool(value == held)
