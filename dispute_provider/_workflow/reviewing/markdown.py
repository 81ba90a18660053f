"""Render the review form as Markdown; customer text appears only in code fences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dispute_provider._contracts import contract
from dispute_provider._contracts.lengths import text_length
from dispute_provider._evidence.limits import Limits
from dispute_provider._evidence.record import Difference, Record
from dispute_provider._evidence.snapshot import Evidence, Snapshot, short_digest
from dispute_provider._explain.labels import capital, label
from dispute_provider._explain.markdown import (
    facts,
    fenced,
    plain,
    table,
    unbroken,
    visible,
)
from dispute_provider._explain.money import format_amount
from dispute_provider._explain.outline import outline
from dispute_provider._workflow.reviewing.ending import Ending
from dispute_provider._workflow.reviewing.subjects import reason_of, totals

INQUIRY = "inquiry"
# Characters of Markdown below the table of a batch: more of them would stall the browser.
_LONGEST_DETAILS = 200_000
_SHORT = 120
_NEEDS_FENCE = re.compile(r"[`|\t\r\n]|  |\A | \Z")
# What staging did to a piece of evidence; bold if the piece is not simply the case's.
_KINDS = {
    "added": "added from the case",
    "same": "already on the dispute, same as the case",
    "kept": "**existing evidence kept; the case has different evidence**",
    "overwritten": "**existing evidence overwritten**",
    "renewed": "updated from an earlier version of the case",
    "removed": "removed; it was from an earlier version of the case",
    "foreign": "**existing evidence, not from the case**",
}
_CONTACTED = {True: "Yes", False: "**No**", None: "Not specified"}
# Labels of the verdicts, for reviewers.
VERDICTS = {"ready": "Ready", "weak": "Weak", "missing": "Incomplete", "unknown": "Not assessed"}
_DOCUMENTS = (
    "Open **Disputes** in the navigation to see the documents exactly as they will be sent. It keeps your "
    "choices while you look. The **Evidence** tab of this task shows the documents too."
)


def single_body(record: Record, snapshot: Snapshot, ending: Ending) -> str:
    """Return the form of one dispute, with all its evidence."""
    documents = any(entry.id is not None for entry in snapshot.evidence)
    return "\n\n".join(
        [
            *(f"**{plain(warning)}**" for warning in record.warnings),
            "**Submit this evidence to the bank?** Evidence can be submitted only once. "
            f"{ending.text} {_lost(record, ending)}",
            *_inquiry(record),
            *_verdict(record),
            facts(_facts(record, snapshot, ending).items()),
            *(f"> {plain(note)}" for note in record.notes),
            "### Evidence to submit",
            *([_DOCUMENTS] if documents else []),
            *_evidence(record, snapshot),
            *([plain(record.usage)] if record.usage else []),
            *_differences(record),
            f"Evidence digest: `{record.digest}`",
        ]
    )


def _lost(record: Record, ending: Ending) -> str:
    if record.due_at is None:
        return "The API gives no due date."
    return f"The dispute is lost if no evidence is submitted by **{ending.time(record.due_at)}**."


def _inquiry(record: Record) -> list[str]:
    if record.stage != INQUIRY:
        return []
    refund = " A full refund does."
    settles = contract.load(record.provider).document.get("x-refund-settles-inquiry")
    return [
        "**This is an inquiry. Answer it early:** it can become a chargeback before its due date. "
        f"Conceding does not settle an inquiry.{refund if settles else ''}"
    ]


def _verdict(record: Record) -> list[str]:
    if record.verdict is None:
        return []
    missing = "".join(f"\n- {plain(_advice(record, each))}" for each in record.missing)
    verdict = f"Evidence verdict: **{plain(VERDICTS.get(record.verdict, record.verdict))}**."
    return [f"{verdict} Missing evidence that would help:\n{missing}" if missing else verdict]


def _facts(record: Record, snapshot: Snapshot, ending: Ending) -> dict[str, str]:
    dispute = snapshot.dispute
    return {
        "Dispute": _link(record),
        "Amount": _amounts(record),
        "Reason": plain(reason_of(record) or "–"),
        "Network reason code": " · ".join(
            plain(each) for each in (record.network_code or "–", dispute.network_description) if each
        ),
        "Network": plain(_label(record, dispute.network)),
        "Stage": plain(_label(record, record.stage)),
        "Due by": ending.time(record.due_at) if record.due_at else record.due_text,
        "Previous submissions": str(record.submissions),
        "Account": plain(dispute.merchant or record.account or "Connection's account"),
        "Mode": {True: "**Live**", False: "Test", None: "–"}[dispute.live],
        "Prepared by": plain(record.prepared_by or "Not specified"),
        "Customer contacted": _contacted(record),
    }


def _link(record: Record) -> str:
    return f"[{plain(record.dispute)}]({record.url})" if record.url else plain(record.dispute)


def _amounts(record: Record) -> str:
    """Return the disputed amount, with the amounts charged and refunded if they are known."""
    if record.charged is None or record.currency is None:
        return capital(record.money)
    charged = format_amount(record.charged, record.currency)
    refunded = format_amount(record.refunded or 0, record.currency)
    return f"{record.money} disputed · {charged} charged · {refunded} refunded"


def _contacted(record: Record) -> str:
    contacted = _CONTACTED[record.customer_contacted]
    guide = contract.load(record.provider).document.get("externalDocs")
    return f"{contacted} · [{plain(guide['description'])}]({guide['url']})" if guide else contacted


def _differences(record: Record) -> list[str]:
    """Return a table of what staging changed; nothing if all evidence is simply the case's."""
    if all(difference.kind in ("added", "same") for difference in record.differences):
        return []
    rows = [
        [
            plain(_label(record, each.name)),
            _KINDS.get(each.kind, plain(each.kind)),
            _digest(each.case),
            _digest(each.held),
        ]
        for each in record.differences
    ]
    return ["### Changes made by staging", table(["Evidence", "Change", "Case", "Dispute before"], rows)]


def _digest(start: str | None) -> str:
    return f"`{start}`" if start else "–"


def _evidence(record: Record, snapshot: Snapshot) -> list[str]:
    """Return documents and short texts as a table, and longer texts in fences below it."""
    rows: list[tuple[str, str]] = []
    fences: list[str] = []
    for entry in snapshot.evidence:
        name = plain(_label(record, entry.name))
        text = entry.text if entry.text is not None else outline(entry.value, record.provider)
        mark = _mark(record, entry)
        after = f" · {mark}" if mark else ""
        if entry.id is not None:
            rows.append((name, _document(entry, record.documents.get(entry.id)) + after))
        elif _is_short(text):
            rows.append((name, f"`{visible(text)}`{after}"))
        else:
            length = _length(record.provider, entry, text)
            fences.append(f"**{name}** · {length}{after}\n\n{fenced(text)}")
    return [facts(rows), *fences] if rows else fences


def _length(provider: str, entry: Evidence, text: str) -> str:
    """Return ``1,204 of 20,000 characters``; for structured evidence, the length of its outline."""
    units = f"{text_length(text):,}"
    most = Limits.of(contract.load(provider)).text.get(entry.name) if entry.text is not None else None
    return f"{units} of {most:,} characters" if most else f"{units} characters"


def _mark(record: Record, entry: Evidence) -> str:
    """Return where a piece comes from and what it replaced; empty if it is simply the case's."""
    if not record.differences:
        return ""
    parts = entry.value or {}
    known = record.documents.get(entry.id or "")
    digests = {short_digest(digest) for digest in (entry.sha256, known) if digest}
    kinds = [
        (each.name.removeprefix(f"{entry.name}."), each.kind)
        for each in record.differences
        if (each.name == entry.name and _expected(each) & digests)
        or any(each.name == f"{entry.name}.{part}" for part in parts)
    ]
    if not kinds:
        return "**changed since staging**"
    # Evidence that is simply the case's needs no mark.
    kinds = [(name, kind) for name, kind in kinds if kind != "added"]
    marks = [
        (f"{plain(_label(record, name))} " if parts else "") + _KINDS.get(kind, plain(kind))
        for name, kind in kinds
    ]
    return " · ".join(dict.fromkeys(marks))


def _expected(difference: Difference) -> set[str | None]:
    """Return the digests that the dispute has held since staging."""
    if difference.kind == "same":
        return {difference.case, difference.held}
    return {difference.held if difference.kind in ("kept", "foreign") else difference.case}


def _document(entry: Evidence, known: str | None) -> str:
    """Return a document's name, size and type, and its digest unless its name contains it."""
    name = entry.filename or entry.id
    marks = [
        plain(name),
        f"{entry.size:,} bytes" if entry.size is not None else None,
        plain(entry.content_type) if entry.content_type else None,
    ]
    if known is None:
        marks.append("not uploaded by this case")
    elif short_digest(known) not in (name or ""):
        marks.append(f"sha256 `{short_digest(known)}`")
    return "document: " + " · ".join(fact for fact in marks if fact)


def _is_short(text: str) -> bool:
    """Return whether a text can be shown verbatim in backticks, which take less room than a fence."""
    return 0 < len(text) <= _SHORT and not _NEEDS_FENCE.search(text)


def _label(record: Record, name: str | None) -> str:
    return label(name, record.provider) if name else "–"


def _advice(record: Record, text: str) -> str:
    """Return what is missing, ``receipt: shows what was bought``, with the label of the evidence."""
    name, colon, why = text.partition(": ")
    return f"{_label(record, name)}{colon}{why}" if colon else text


def batch_body(records: Sequence[Record], snapshots: Mapping[str, Snapshot], ending: Ending) -> str:
    """Return the form of a batch: a table of the disputes, and their evidence below it.

    :param records: soonest deadline first.
    """
    columns = {
        "Due by (UTC)": [unbroken(record.due_text.removesuffix(" UTC")) for record in records],
        "Amount": [unbroken(capital(record.money)) for record in records],
        "Verdict": [plain(VERDICTS.get(r.verdict, r.verdict)) if r.verdict else "" for r in records],
        "Reason": [plain(reason_of(record) or "–") for record in records],
        "Network code": [plain(record.network_code or "–") for record in records],
        "Dispute": [_link(record) for record in records],
        "Evidence": [_counts(snapshots[record.dispute]) for record in records],
        "Digest": [f"`{short_digest(record.digest)}`" for record in records],
        "Notes": ["; ".join(map(plain, record.notes)) for record in records],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    warned = [(plain(r.dispute), plain(warning)) for r in records for warning in r.warnings]
    return "\n\n".join(
        [
            *(f"**{dispute}: {warning}**" for dispute, warning in warned),
            f"**Select which of these {len(records)} disputes to submit to the bank.** Evidence can be "
            "submitted only once. Disputes that you don't select are held: nothing is sent for them, and "
            "they are lost after their due dates. "
            f"{ending.text} Select under **Options** at the end of this page.",
            *([ending.first] if ending.sooner else []),
            table(shown, zip(*shown.values(), strict=True)),
            f"Total: {totals(records)}",
            *([_DOCUMENTS] if any(e.id for r in records for e in snapshots[r.dispute].evidence) else []),
            *_details(records, snapshots),
        ]
    )


def _details(records: Sequence[Record], snapshots: Mapping[str, Snapshot]) -> list[str]:
    """Return the evidence of each dispute, up to the length that a browser can render."""
    sections: list[str] = []
    left = _LONGEST_DETAILS
    for record in records:
        section = "\n\n".join(
            [
                f"### {plain(record.dispute)} · {_amounts(record)} · {plain(_label(record, record.stage))}",
                _preparation(record),
                *_inquiry(record),
                *_verdict(record),
                *_evidence(record, snapshots[record.dispute]),
                *([plain(record.usage)] if record.usage else []),
                *_differences(record),
            ]
        )
        left -= len(section)
        if left < 0:
            sections.append(
                "The other evidence is too long for this form. Read it in the **Evidence** tab of this task."
            )
            break
        sections.append(section)
    return sections


def _preparation(record: Record) -> str:
    contacted = _CONTACTED[record.customer_contacted]
    return f"Prepared by: {plain(record.prepared_by or 'Not specified')} · Customer contacted: {contacted}"


def _counts(snapshot: Snapshot) -> str:
    documents = sum(entry.id is not None for entry in snapshot.evidence)
    counts = ((len(snapshot.evidence) - documents, "text"), (documents, "document"))
    pieces = [f"{count} {kind}{'' if count == 1 else 's'}" for count, kind in counts if count]
    return unbroken(", ".join(pieces))
