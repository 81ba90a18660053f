"""Stage evidence: put it on its dispute without submitting it, and read it back."""

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
from dispute_provider._evidence.completeness import Assessment, Verdict, assess, fee_refusal
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
from dispute_provider._workflow.turns import free_chain
from dispute_provider.exceptions import AmbiguousError, ApiError, InvalidCaseError

# Staging is repeatable: what did arrive is recognised, what did not is written again.
_STAGE_AGAIN = "clear the task; staging recognises what has arrived, and writes the rest"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the author of a DAG has decided about staging.

    :param merge: whose evidence stands where a colleague or the API has filled in a field otherwise.
    :param switch_to_manual: whether a dispute that the API would answer by itself at its due date may be
        switched to manual; it is refused otherwise, for what is staged there goes out unapproved.
    :param allow_unknown_submission_method: whether to stage where the API does not say if it would answer by
        itself; it is refused otherwise, for the same reason.
    :param require_verdict: the least verdict that is staged; None stages whatever the verdict.
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
) -> Record:
    """Put a case's evidence on its dispute without submitting it, and read it back.

    :param ledger: the dispute's chain: while one task writes, no other stages or submits.
    :param task: names the task of a run, the same for all its tries.
    :param memory: what is remembered of earlier tries and runs.
    :raises LedgerError: if the ledger cannot be read: nothing was written.
    """
    memory, rules = memory or NoMemory(), rules or Rules()
    claim: LinkClaim | None = None
    try:
        claimant = Claimant(Kind.STAGE, None, task, record.case_digest)
        chain = await free_chain(api, ledger, claimant)
        if tidied := _tidied(chain, record.case_digest):
            memory.forget_tries_before(tidied.number)
        elif chain.links:
            # Another task may have begun to stage it since this one was started.
            memory.look_again()
        before = await api.read(case.dispute, case.account, details=True)
        record = record.seen(before)
        if end := cannot_be_answered(record, before):
            return end
        if misfit := stages.refusal(api.contract, case, before.dispute.stage):
            return record.ended(State.REFUSED, misfit)
        case, record = _part_for_its_stage(api, case, documents, before.dispute, record)
        network = before.dispute.network
        documents, left_out = fitting.drop_optional_over_limits(api.contract, case, documents, network)
        if left_out:
            record = replace(record, notes=(*record.notes, *left_out))
        pieces = merging.pieces_of(case, documents)
        refusal = (
            api.check_case(case, before.dispute)
            or _automatic(before.dispute, rules)
            or fee_refusal(api.contract, before.dispute, pieces)
            or (await _claims(api, case, before.dispute, pieces))
        )
        if refusal:
            return record.ended(State.REFUSED, refusal)
        # It may have to be looked up; on a dispute that holds nothing, nothing is ours.
        ours = memory.ours if before.evidence else frozenset()
        noted = _noted(api, before, memory)
        merged = merging.merge(
            pieces,
            before.evidence,
            ours.union(noted.marks) if noted else ours,
            rules.merge,
            single=api.holds_one_of_a_name,
            lists=lists(api.contract),
            until=before.dispute.due,
        )
        record = replace(
            record, differences=noted.restated(merged.differences) if noted else merged.differences
        )
        if conflicts := merged.of_kind("conflict"):
            reason = f"somebody else has filled in {', '.join(conflicts)}, and the DAG says to fail then"
            return record.ended(State.REFUSED, reason)
        _require_limits(api, case, merged, network)
        assessment = assess(api.contract, before.dispute, case.product, [*merged.wanted, *merged.staying])
        record = _assessed(record, assessment, api.notes_on(before.dispute))
        if refusal := _too_weak(assessment, rules):
            return record.ended(State.REFUSED, refusal)
        record = _keep_what_is_replaced(record, before, merged, noted, memory)
        claim = ledger.claim(chain, claimant, {}, None)
        memory.link = claim.place.link
        uploaded = await api.under(claim).write(case, merged, before, memory)
        after = await api.read(case.dispute, case.account, details=True)
    except InvalidCaseError as error:
        return record.ended(State.REFUSED, str(error))
    except AmbiguousError as error:
        reason = f"not known to be staged: {error.describe(_STAGE_AGAIN)}"
        return replace(record.ended(State.HELD, reason, error.request_id), retry_after=0.0)
    except ApiError as error:
        if claim and not error.in_flight:
            await claim.end("failed", str(error), error.request_id, {})
        return failed(record, "not staged", error)
    found = merging.found(merged.wanted, after.evidence)
    memory.remember(frozenset(held.mark for _, parts in found for held in parts) - foreign(before, memory))
    pages = {document.sha256: document.pages for document in documents.values()}
    by_id = {held: pages.get(sha256) for held, sha256 in uploaded.items()}
    used, known_pages = fitting.usage_text(api.contract, after, by_id, network)
    notes = (*record.notes, *before.dispute.notes, *_notes(record, merged, found, after))
    record = replace(record, documents=uploaded, notes=notes, usage=used, pages=known_pages).seen(after)
    record = replace(record, staged_as=record.fingerprint)
    end = _staged_end(record, merged, after, rules)
    await claim.end(str(end.state), end.reason, end.request_id, {})
    return end


def _require_limits(api: Api, case: Case, merged: Merged, network: str | None) -> None:
    """Raise the limits that the evidence exceeds together with what stays on the dispute."""
    if violations := fitting.over_limits(api.contract, merged, network):
        raise InvalidCaseError(case.dispute, violations)


def _staged_end(record: Record, merged: Merged, after: Snapshot, rules: Rules) -> Record:
    """Return the end of a record whose evidence was written, by what the dispute shows then."""
    if unsafe := _automatic(after.dispute, dataclasses.replace(rules, switch_to_manual=False)):
        # The switch did not hold: what is staged would go out unapproved.
        return record.ended(State.REFUSED, f"staged, but {unsafe}; look at it now")
    return record.ended(State.STAGED, _summary(merged, after))


def _tidied(chain: Chain, case_digest: str | None) -> Link | None:
    """Return the link of the last staging, of any deployment, if it was of this case and ended well.

    Then a staging that had broken before has left nothing that would be taken for this case's.
    """
    stagings = [link for link in chain.links if link.end is None or link.end.by.kind is Kind.STAGE]
    end = stagings[-1].end if stagings else None
    return stagings[-1] if end and end.state == State.STAGED and end.by.digest == case_digest else None


def _part_for_its_stage(
    api: Api, case: Case, documents: Mapping[str, Document], dispute: Dispute, record: Record
) -> tuple[Case, Record]:
    """Return the part of a case that the dispute's stage takes, and a record that names the rest.

    The record's digest is that part's: a change of the rest asks for no new review.
    """
    part, others = stages.part_for(api.contract, case, dispute.stage)
    if not others:
        return case, record
    note = f"in the case for another stage, and not sent at this one: {', '.join(others)}"
    return part, replace(record, case_digest=part.digest(documents), notes=(*record.notes, note))


def _automatic(dispute: Dispute, rules: Rules) -> str | None:
    """Return why staged evidence could go out unapproved at the due date; None if it cannot."""
    if not dispute.automatic_known and not rules.allow_unknown_submission_method:
        return (
            "the API does not say whether it submits what is staged by itself at the due date; "
            "to do: leave the connection's api_version blank, so that it says so; or allow it by name with "
            "allow_unknown_submission_method=True"
        )
    if not dispute.automatic or rules.switch_to_manual:
        return None
    return (
        f"the API itself submits what is staged there at the due date ({dispute.automatic}); "
        "to do: switch the dispute to manual, or have the DAG do so with switch_to_manual=True"
    )


async def _claims(api: Api, case: Case, dispute: Dispute, pieces: Iterable[Piece]) -> str | None:
    """Why a case may not claim what it claims of a network's programme; None if it may."""
    structured = {part: value for piece in pieces for part, value in (piece.value or {}).items()}
    return await api.unqualified(dispute, structured, case.account) if structured else None


def _assessed(record: Record, assessment: Assessment, notes: Sequence[str]) -> Record:
    return replace(
        record,
        verdict=str(assessment.verdict),
        missing=tuple(f"{label(name, record.provider)}: {why}" for name, why in assessment.missing),
        warnings=(*record.warnings, *assessment.warnings),
        notes=(*record.notes, *assessment.notes, *notes),
    )


def _too_weak(assessment: Assessment, rules: Rules) -> str | None:
    """Why the DAG's author does not want this staged; None if it may be."""
    order = [Verdict.READY, Verdict.WEAK, Verdict.MISSING, Verdict.UNKNOWN]
    least = rules.require_verdict
    if least is None or order.index(assessment.verdict) <= order.index(least):
        return None
    lacking = ", ".join(name for name, _ in assessment.missing) or "; ".join(assessment.notes)
    return f"its evidence is {assessment.verdict}, and the DAG asks for {least}: {lacking}"


def _noted(api: Api, before: Snapshot, memory: DisputeMemory) -> Replacement | None:
    """Return what an earlier staging has noted of this stage; None where nothing can be replaced."""
    if not before.evidence or not api.holds_one_of_a_name:
        return None
    noted = memory.replacement(marks_of(before.evidence))
    return noted if noted and noted.is_about(before.dispute) else None


def _keep_what_is_replaced(
    record: Record, before: Snapshot, merged: Merged, noted: Replacement | None, memory: DisputeMemory
) -> Record:
    """Keep what the case's evidence replaces, and note it before the write, so that a broken try finds it.

    :param noted: what such a try has left: its own write is nothing that was there before.
    """
    automatic = before.dispute.automatic
    if noted and not automatic:
        automatic = noted.automatic_before(merged.differences)
    overwritten = _overwritten(record)
    if not overwritten and not automatic:
        return record
    evidence: dict[str, Any] | None = contents(before.evidence)
    if evidence and noted:
        evidence = noted.evidence_before(evidence, memory.kept(noted.earlier), merged.differences)
    earlier = memory.keep(evidence) if evidence is not None else None
    if overwritten and not earlier:
        note = "what a colleague had written is kept nowhere: [dispute] evidence_store names no place for it"
        record = replace(record, notes=(*record.notes, note))
    memory.note(Replacement.of(before.dispute, automatic, earlier, record.differences, merged))
    return replace(record, automatic=automatic, earlier=earlier)


def _overwritten(record: Record) -> list[str]:
    """Return the names of the evidence of somebody else that the case's replaces, sorted."""
    return sorted({each.name for each in record.differences if each.kind == "overwritten"})


def _notes(
    record: Record, merged: Merged, found: Iterable[tuple[Piece, list[Evidence]]], after: Snapshot
) -> list[str]:
    notes = []
    if kept := merged.of_kind("kept"):
        notes.append(f"kept as it was on the dispute, other than in the case: {', '.join(kept)}")
    if overwritten := _overwritten(record):
        notes.append(f"the case's in place of what somebody else had filled in: {', '.join(overwritten)}")
    if differing := sorted({piece.label for piece, parts in found if not parts}):
        notes.append(f"the API holds {', '.join(differing)} otherwise than the case has it")
    marks = {held.mark for held in after.evidence} if merged.stale else ()
    if left := sorted({held.name for held in merged.stale if held.mark in marks}):
        notes.append(f"no longer in the case, but the API does not clear it: {', '.join(left)}")
    return notes


def _summary(merged: Merged, after: Snapshot) -> str:
    foreign = len(merged.of_kind("kept")) + len(merged.of_kind("theirs"))
    beside = f", of which {foreign} not from the case" if foreign else ""
    return f"{len(after.evidence)} pieces of evidence staged{beside}, not submitted"
