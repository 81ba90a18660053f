"""Stage evidence: write it to its dispute without submitting it, and check the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._apis.memory import DisputeMemory, NoMemory, foreign
from dispute_provider._contracts.evidence_fields import lists
from dispute_provider._evidence import fitting, merging, stages
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.completeness import Assessment, NamedEvidence, Verdict, assess, fee_refusal
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.merging import Merged, MergePolicy, Piece
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.replacing import Replacement, marks_of
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot, contents
from dispute_provider._explain.labels import label
from dispute_provider._ledger.chain import Chain, Claimant, Kind, Link
from dispute_provider._ledger.ledger import DisputeLedger, LinkClaim
from dispute_provider._workflow.failures import failed
from dispute_provider._workflow.refusals import cannot_be_answered
from dispute_provider._workflow.staging.first_reading import FirstReading
from dispute_provider._workflow.waiting import wait_for_chain
from dispute_provider.exceptions import AmbiguousError, ApiError, InvalidCaseError

# Staging can be repeated: it recognises evidence that has arrived, and writes the rest.
_STAGE_AGAIN = "clear the task; staging continues from what has arrived"


@dataclass(frozen=True, slots=True)
class Rules:
    """The DAG author's decisions about staging.

    :param merge: which value to use where the dispute already has another value in a field; it is kept by
        default.
    :param switch_to_manual: whether to switch a dispute to manual if the API would submit staged evidence
        automatically at the due date. If False, the default, such a dispute is refused, because its evidence
        could go out unapproved.
    :param allow_unknown_submission_method: whether to stage a dispute if the API does not report whether it
        submits automatically. If False, the default, such a dispute is refused for the same reason.
    :param require_verdict: the lowest verdict to stage; None, the default, stages any case.
    """

    merge: MergePolicy = MergePolicy.KEEP
    switch_to_manual: bool = False
    allow_unknown_submission_method: bool = False
    require_verdict: Verdict | None = None


async def stage(
    api: Api,
    case: Case,
    documents: Mapping[str, Document],
    record: Record,
    ledger: DisputeLedger,
    task: str,
    memory: DisputeMemory | None = None,
    rules: Rules | None = None,
    reading: FirstReading | None = None,
) -> Record:
    """Write a case's evidence to its dispute without submitting it, and check the result.

    :param ledger: the dispute's chain, which keeps other tasks from staging or submitting meanwhile.
    :param task: the name of the task in its run, the same for all its tries.
    :param memory: the memory of earlier tries and runs; none by default.
    :param rules: the DAG author's decisions; the defaults of :class:`Rules` by default.
    :param reading: an earlier reading, which is used if it still holds; None, the default, for none.
    :returns: the record, ended: ``staged``, ``refused`` or ``held``.
    :raises LedgerError: if the ledger cannot be read. Nothing was written then.
    """
    memory, rules = memory or NoMemory(), rules or Rules()
    claim: LinkClaim | None = None
    try:
        claimant = Claimant(Kind.STAGE, None, task, record.case_digest)
        chain = await wait_for_chain(api, ledger, claimant)
        if tidied := _tidied(chain, record.case_digest):
            await memory.forget_tries_up_to(tidied.number)
        elif chain.links:
            # Another task may have started to stage this dispute since this one was started.
            await memory.look_again()
        if reading and reading.still_holds(chain, ledger.clock()):
            before = reading.snapshot
        else:
            before = await api.read(case.dispute, case.account, details=True)
        record = record.seen(before)
        if end := cannot_be_answered(record, before):
            return end
        if misfit := stages.refusal(api.contract, case.names, before.dispute.stage):
            return record.ended(State.REFUSED, misfit)
        case, record = _part_for_its_stage(api, case, documents, before.dispute, record)
        network = before.dispute.network
        documents, left_out = fitting.drop_optional_over_limits(api.contract, case, documents, network)
        if left_out:
            record = replace(record, notes=(*record.notes, *left_out))
        pieces = merging.pieces_of(case, documents)
        unsafe = _automatic(before.dispute, rules)
        refusal = (
            api.check_case(case, before.dispute)
            or (unsafe and "{}. To do: {}".format(*unsafe))
            or fee_refusal(api.contract, before.dispute, pieces)
            or (await _claims(api, case, before.dispute, pieces))
        )
        if refusal:
            return record.ended(State.REFUSED, refusal)
        # Reading our marks may take a request, which a dispute without evidence does not need.
        ours = await memory.ours() if before.evidence else frozenset()
        pending = await _pending_replacement(api, before, memory)
        merged = merging.merge(
            pieces,
            before.evidence,
            ours.union(pending.marks) if pending else ours,
            rules.merge,
            single=api.holds_one_of_a_name,
            lists=lists(api.contract),
            until=before.dispute.due,
            foreign=await foreign(before, memory),
        )
        record = replace(
            record, differences=pending.restated(merged.differences) if pending else merged.differences
        )
        if conflicts := merged.of_kind("conflict"):
            reason = (
                f"someone else has filled in {', '.join(conflicts)} on the dispute, and the merge policy is "
                "fail. To do: compare both values, then stage again with merge policy keep or overwrite"
            )
            return record.ended(State.REFUSED, reason)
        _require_limits(api, case, merged, network)
        held: list[NamedEvidence] = [*merged.wanted, *merged.staying, *case.moved]
        assessment = assess(api.contract, before.dispute, case.product, held)
        record = _assessed(record, assessment, api.notes_on(before.dispute))
        if refusal := _too_weak(assessment, rules):
            return record.ended(State.REFUSED, refusal)
        if values := merging.not_written(pieces, merged):
            # A reviewer sees them beside the values that were kept.
            record = replace(record, not_written=memory.keep(values))
        claim = ledger.claim(chain, claimant, {}, None)
        memory.link = claim.place.link
        record = await _store_replacement(record, before, merged, pending, memory, claim)
        written = await api.under(claim).write(case, merged, before, memory)
        after = written.after or await api.read(case.dispute, case.account, details=True)
    except InvalidCaseError as error:
        return record.ended(State.REFUSED, str(error))
    except AmbiguousError as error:
        reason = f"staging may be incomplete: {error.describe(_STAGE_AGAIN)}"
        return replace(record.ended(State.HELD, reason, error.request_id), retry_after=0.0)
    except ApiError as error:
        if claim and not error.in_flight:
            await claim.end("failed", str(error), error.request_id, {})
        return failed(record, "not staged", error)
    found = merging.found(merged.wanted, after.evidence)
    there = {held.mark for _, parts in found for held in parts}
    memory.remember(frozenset(there - await foreign(before, memory)))
    pages = {document.sha256: document.pages for document in documents.values()}
    by_id = {held: pages.get(sha256) for held, sha256 in written.documents.items()}
    used, known_pages = fitting.usage_text(api.contract, after, by_id, network)
    notes = (*record.notes, *before.dispute.notes, *_notes(record, merged, found, after))
    record = replace(record, documents=written.documents, notes=notes, usage=used, pages=known_pages).seen(
        after
    )
    record = replace(record, staged_as=record.fingerprint)
    end = _staged_end(record, merged, after, rules)
    await claim.end(str(end.state), end.reason, end.request_id, {})
    return end


def _require_limits(api: Api, case: Case, merged: Merged, network: str | None) -> None:
    """Check the limits of the case's evidence together with the evidence that stays on the dispute.

    :raises InvalidCaseError: naming each limit that is exceeded.
    """
    if violations := fitting.over_limits(api.contract, merged, network):
        raise InvalidCaseError(case.dispute, violations)


def _staged_end(record: Record, merged: Merged, after: Snapshot, rules: Rules) -> Record:
    """Return the end of a record after its evidence was written, from a reading of the dispute."""
    if unsafe := _automatic(after.dispute, dataclasses.replace(rules, switch_to_manual=False)):
        # The dispute is no longer manual, so the staged evidence could go out unapproved.
        return record.ended(State.REFUSED, f"staged, but {unsafe[0]}. To do: check the dispute now")
    return record.ended(State.STAGED, _summary(merged, after))


def _tidied(chain: Chain, case_digest: str | None) -> Link | None:
    """Return the last staging's link, of any deployment, if it staged this case completely.

    Then no earlier, failed staging can have left evidence that looks like this case's.
    """
    stagings = [link for link in chain.links if link.end is None or link.end.by.kind is Kind.STAGE]
    end = stagings[-1].end if stagings else None
    return stagings[-1] if end and end.state == State.STAGED and end.by.digest == case_digest else None


def _part_for_its_stage(
    api: Api, case: Case, documents: Mapping[str, Document], dispute: Dispute, record: Record
) -> tuple[Case, Record]:
    """Return the part of a case that the dispute's stage accepts, and a record with a note about the rest.

    The record has the digest of this part only, so a change of the rest causes no new review.
    """
    part, others = stages.part_for(api.contract, case, dispute.stage)
    if not others:
        return case, record
    names = ", ".join(label(name, api.contract.api) for name in others)
    note = f"not sent, because it is for another stage: {names}"
    return part, replace(record, case_digest=part.digest(documents), notes=(*record.notes, note))


def _automatic(dispute: Dispute, rules: Rules) -> tuple[str, str] | None:
    """Return why staged evidence could go out unapproved, and what to do; None if it cannot."""
    if not dispute.automatic_known and not rules.allow_unknown_submission_method:
        return (
            "the API does not report whether it submits staged evidence automatically at the due date",
            "leave the connection's api_version blank, so that it does; or set "
            "allow_unknown_submission_method=True",
        )
    if not dispute.automatic or rules.switch_to_manual:
        return None
    return (
        f"the API will submit staged evidence automatically at the due date ({dispute.automatic})",
        "switch the dispute to manual, or set switch_to_manual=True",
    )


async def _claims(api: Api, case: Case, dispute: Dispute, pieces: Iterable[Piece]) -> str | None:
    """Return why the dispute does not qualify for the network programme in the case; None if it does."""
    structured = {part: value for piece in pieces for part, value in (piece.value or {}).items()}
    return await api.unqualified(dispute, structured, case.account) if structured else None


def _assessed(record: Record, assessment: Assessment, notes: Sequence[str]) -> Record:
    # What a template left out for lack of facts is already named; evidence without it is not complete.
    left_out = bool(record.missing) and assessment.verdict is Verdict.READY
    missing = (f"{label(name, record.provider)}: {why}" for name, why in assessment.missing)
    return replace(
        record,
        verdict=str(Verdict.WEAK if left_out else assessment.verdict),
        missing=(*record.missing, *missing),
        warnings=(*record.warnings, *assessment.warnings),
        notes=(*record.notes, *assessment.notes, *notes),
    )


def _too_weak(assessment: Assessment, rules: Rules) -> str | None:
    """Return why the evidence is below the required verdict; None if it is not."""
    order = [Verdict.READY, Verdict.WEAK, Verdict.MISSING, Verdict.UNKNOWN]
    least = rules.require_verdict
    if least is None or order.index(assessment.verdict) <= order.index(least):
        return None
    lacking = ", ".join(name for name, _ in assessment.missing) or "; ".join(assessment.notes)
    return f"its evidence is {assessment.verdict}, but require_verdict is {least}: {lacking}"


async def _pending_replacement(api: Api, before: Snapshot, memory: DisputeMemory) -> Replacement | None:
    """Return the replacement that a failed staging of this stage stored; None if there is none."""
    if not before.evidence or not api.holds_one_of_a_name:
        return None
    pending = await memory.replacement(marks_of(before.evidence))
    return pending if pending and pending.is_about(api.contract, before.dispute) else None


async def _store_replacement(
    record: Record,
    before: Snapshot,
    merged: Merged,
    pending: Replacement | None,
    memory: DisputeMemory,
    claim: LinkClaim,
) -> Record:
    """Store the evidence that will be replaced before the write, so that a later try still has it.

    The dispute is claimed first. Otherwise the note could replace that of a task whose write is in flight.

    :param pending: the replacement that a failed try stored; its own write is not restored.
    """
    automatic = before.dispute.automatic
    if pending and not automatic:
        automatic = pending.automatic_before(merged.differences)
    if not _overwritten(record) and not automatic:
        return record
    evidence: dict[str, Any] | None = contents(before.evidence)
    if evidence and pending:
        evidence = pending.evidence_before(evidence, memory.kept(pending.earlier), merged.differences)
    earlier = memory.keep(evidence) if evidence is not None else None
    await claim.acquire("stage")
    try:
        await memory.note(Replacement.of(before.dispute, automatic, earlier, record.differences, merged))
    except Exception:
        await claim.release()
        raise
    return replace(record, automatic=automatic, earlier=earlier)


def _overwritten(record: Record) -> list[str]:
    """Return the names of foreign evidence that the case replaces, sorted."""
    return sorted({each.name for each in record.differences if each.kind == "overwritten"})


def _notes(
    record: Record, merged: Merged, found: Iterable[tuple[Piece, list[Evidence]]], after: Snapshot
) -> list[str]:
    def named(names: Iterable[str]) -> str:
        return ", ".join(label(name, record.provider) for name in names)

    notes = []
    if kept := merged.of_kind("kept"):
        notes.append(f"kept the dispute's value, which differs from the case: {named(kept)}")
    if overwritten := _overwritten(record):
        notes.append(f"replaced a value that someone else had filled in: {named(overwritten)}")
    if differing := sorted({merging.label_of(piece) for piece, parts in found if not parts}):
        notes.append(f"the API's value differs from the case: {named(differing)}")
    marks = {held.mark for held in after.evidence} if merged.stale else ()
    if left := sorted({held.name for held in merged.stale if held.mark in marks}):
        notes.append(f"removed from the case, but the API did not clear it: {named(left)}")
    return notes


def _summary(merged: Merged, after: Snapshot) -> str:
    foreign = len(merged.of_kind("kept")) + len(merged.of_kind("foreign"))
    others = f", {foreign} of them not from the case" if foreign else ""
    return f"{len(after.evidence)} pieces of evidence staged{others}, not submitted"
