"""Draw the review form as Markdown: all that bears on the answer, the customer's words in fences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._contracts.lengths import text_length
from dispute_provider._evidence.limits import Limits
from dispute_provider._evidence.record import Difference, Record
from dispute_provider._evidence.snapshot import Evidence, Snapshot, short_digest
from dispute_provider._explain.markdown import facts, fenced, one_line, plain, table, unbroken, visible
from dispute_provider._explain.money import format_amount
from dispute_provider._workflow.reviewing.ending import Ending

INQUIRY = "inquiry"
# Characters of Markdown below the table of a batch; a browser renders so much at once without stalling.
_LONGEST_DETAILS = 200_000
_SHORT = 120
# Documents that a label names.
_MOST_NAMES = 3
_NEEDS_FENCE = re.compile(r"[`|\t\r\n]|  |\A | \Z")
# What staging did to a piece; in bold what is not simply the case's.
_KINDS = {
    "added": "added by the case",
    "same": "was there already, as in the case",
    "kept": "**kept: somebody else's, the case has another**",
    "overwritten": "**overwritten: somebody else had another here**",
    "renewed": "replaces an earlier version of the case",
    "removed": "removed: of an earlier version of the case",
    "theirs": "**somebody else's, beside the case's**",
}
_DOCUMENTS = "Documents open under the tab **Evidence** of this task, exactly as they go out."


def totals(records: Sequence[Record]) -> str:
    """The amounts added up per currency: ``5,000 JPY + 12.00 USD``."""
    sums: Counter[str] = Counter()
    for record in records:
        if record.amount is not None and record.currency is not None:
            sums[record.currency] += record.amount
    return " + ".join(format_amount(amount, currency) for currency, amount in sorted(sums.items()))


def single_subject(record: Record) -> str:
    facts = (record.due_text, record.money, one_line(record.dispute_reason), record.dispute)
    return " · ".join(facts) + unseen([record])


def unseen(records: Sequence[Record]) -> str:
    """Return the end of a label that approves documents nobody can see, with their names; else nothing."""
    names = [name for record in records for name in record.undrawn]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f" · UNSEEN: {', '.join(names[:_MOST_NAMES])}{more}" if names else ""


def single_body(record: Record, snapshot: Snapshot, ending: Ending) -> str:
    """One dispute in full."""
    documents = any(entry.id is not None for entry in snapshot.evidence)
    return "\n\n".join(
        [
            *(f"**{plain(warning)}**" for warning in record.warnings),
            "**Submit this evidence to the bank?** It can be sent once. "
            f"{ending.text} {_lost(record, ending)}",
            *_inquiry(record),
            *_verdict(record),
            facts(_facts(record, snapshot, ending).items()),
            *(f"> {plain(note)}" for note in record.notes),
            "### What will be sent",
            *([_DOCUMENTS] if documents else []),
            *_evidence(record, snapshot),
            *([plain(record.usage)] if record.usage else []),
            *_differences(record),
            f"Digest of all this: `{record.digest}`",
        ]
    )


def _lost(record: Record, ending: Ending) -> str:
    if record.due_at is None:
        return "The API names no due date."
    return f"Unanswered, the dispute is lost after **{ending.time(record.due_at)}**."


def _inquiry(record: Record) -> list[str]:
    if record.stage != INQUIRY:
        return []
    refund = " A full refund does."
    settles = contract.load(record.provider).document.get("x-refund-settles-inquiry")
    return [
        "**This is an inquiry: answer it early.** It can become a chargeback before its due date. "
        f"Conceding does not settle it.{refund if settles else ''}"
    ]


def _verdict(record: Record) -> list[str]:
    if record.verdict is None:
        return []
    missing = "".join(f"\n- {plain(each)}" for each in record.missing)
    said = f"Evidence for this reason: **{plain(record.verdict)}**"
    return [f"{said}; not there, and worth having:\n{missing}" if missing else said]


def _facts(record: Record, snapshot: Snapshot, ending: Ending) -> dict[str, str]:
    dispute = snapshot.dispute
    return {
        "Dispute": _link(record),
        "Amount": _amounts(record),
        "Reason": plain(record.dispute_reason),
        "Network code": " · ".join(
            plain(each) for each in (record.network_code or "–", dispute.network_description) if each
        ),
        "Network": plain(dispute.network or "–"),
        "Stage": plain(record.stage),
        "Due": ending.time(record.due_at) if record.due_at else record.due_text,
        "Earlier submissions": str(record.submissions),
        "Account": plain(dispute.merchant or record.account or "the connection's own"),
        "Mode": {True: "**live**", False: "test", None: "–"}[dispute.live],
        "Prepared by": plain(record.prepared_by or "not said"),
        "Customer contacted first": _contacted(record),
    }


def _link(record: Record) -> str:
    return f"[{plain(record.dispute)}]({record.url})" if record.url else plain(record.dispute)


def _amounts(record: Record) -> str:
    """What is disputed, beside what was charged and what of it was paid back."""
    if record.charged is None or record.currency is None:
        return record.money
    charged = format_amount(record.charged, record.currency)
    refunded = format_amount(record.refunded or 0, record.currency)
    return f"{record.money} disputed · {charged} charged · {refunded} refunded"


def _contacted(record: Record) -> str:
    said = {True: "yes", False: "**no**", None: "not said"}[record.customer_contacted]
    guide = contract.load(record.provider).document.get("externalDocs")
    return f"{said} · [{plain(guide['description'])}]({guide['url']})" if guide else said


def _differences(record: Record) -> list[str]:
    """What staging did, field by field; where all is simply the case's, its pieces say so already."""
    if all(difference.kind in ("added", "same") for difference in record.differences):
        return []
    rows = [
        [plain(each.name), _KINDS.get(each.kind, plain(each.kind)), _digest(each.case), _digest(each.held)]
        for each in record.differences
    ]
    return ["### What staging did", table(["Evidence", "", "The case", "The dispute before"], rows)]


def _digest(start: str | None) -> str:
    return f"`{start}`" if start else "–"


def _evidence(record: Record, snapshot: Snapshot) -> list[str]:
    """Documents and short texts as a table, longer texts in fences below it."""
    rows: list[tuple[str, str]] = []
    fences: list[str] = []
    for entry in snapshot.evidence:
        text = entry.text if entry.text is not None else _outline(entry.value)
        mark = _mark(record, entry)
        after = f" · {mark}" if mark else ""
        if entry.id is not None:
            rows.append((plain(entry.name), _document(entry, record.documents.get(entry.id)) + after))
        elif _is_short(text):
            rows.append((plain(entry.name), f"`{visible(text)}`{after}"))
        else:
            length = _length(record.provider, entry, text)
            fences.append(f"**{plain(entry.name)}** · {length}{after}\n\n{fenced(text)}")
    return [facts(rows), *fences] if rows else fences


def _length(provider: str, entry: Evidence, text: str) -> str:
    """``1,204 of 20,000 characters``; of a structure, what its outline has."""
    units = f"{text_length(text):,}"
    most = Limits.of(contract.load(provider)).text.get(entry.name) if entry.text is not None else None
    return f"{units} of {most:,} characters" if most else f"{units} characters"


def _mark(record: Record, entry: Evidence) -> str:
    """Whose a piece is, and what it replaced; nothing where staging did not say."""
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
        return "**not as it was when it was staged**"
    marks = [(f"{plain(name)} " if parts else "") + _KINDS.get(kind, plain(kind)) for name, kind in kinds]
    return " · ".join(dict.fromkeys(marks))


def _expected(difference: Difference) -> set[str | None]:
    """What the dispute has held since it was staged."""
    if difference.kind == "same":
        return {difference.case, difference.held}
    return {difference.held if difference.kind in ("kept", "theirs") else difference.case}


def _document(entry: Evidence, known: str | None) -> str:
    """Its facts; its digest where its name does not hold it."""
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
    """Whether it stays as it is between two backticks in a table; a fence takes more room on the page."""
    return 0 < len(text) <= _SHORT and not _NEEDS_FENCE.search(text)


def _outline(value: Any, indent: str = "") -> str:
    if isinstance(value, Mapping):
        return "\n".join(
            f"{indent}{name}:\n{_outline(item, indent + '  ')}"
            if isinstance(item, Mapping | list)
            else f"{indent}{name}: {item}"
            for name, item in value.items()
        )
    if isinstance(value, list):
        return "\n".join(
            f"{indent}- {index + 1}\n{_outline(item, indent + '  ')}" for index, item in enumerate(value)
        )
    return f"{indent}{value}"


def batch_subject(records: Sequence[Record]) -> str:
    """:param records: soonest deadline first."""
    providers = " and ".join(sorted({record.provider for record in records}))
    return f"{records[0].due_text} · {len(records)} {providers} disputes · {totals(records)}{unseen(records)}"


def batch_body(records: Sequence[Record], snapshots: Mapping[str, Snapshot], ending: Ending) -> str:
    """Several as a table, their texts below it.

    :param records: soonest deadline first.
    """
    columns = {
        "Due (UTC)": [unbroken(record.due_text.removesuffix(" UTC")) for record in records],
        "Amount": [unbroken(record.money) for record in records],
        "Verdict": [plain(record.verdict) if record.verdict else "" for record in records],
        "Reason": [plain(record.dispute_reason) for record in records],
        "Code": [plain(record.network_code or "–") for record in records],
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
            f"**Which of these {len(records)} are to be submitted to the bank?** Each can be sent once. "
            "Anything you don't select is held: nothing is sent for it, and it is lost after its due time. "
            f"{ending.text} Choose under **Options** at the end of this page.",
            *([ending.first] if ending.sooner else []),
            table(shown, zip(*shown.values(), strict=True)),
            f"Together: {totals(records)}",
            *([_DOCUMENTS] if any(e.id for r in records for e in snapshots[r.dispute].evidence) else []),
            *_details(records, snapshots),
        ]
    )


def _details(records: Sequence[Record], snapshots: Mapping[str, Snapshot]) -> list[str]:
    """Every text of the batch below its table, as long as a form can bear it."""
    sections: list[str] = []
    left = _LONGEST_DETAILS
    for record in records:
        section = "\n\n".join(
            [
                f"### {plain(record.dispute)} · {_amounts(record)} · {plain(record.stage)}",
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
                "The other texts are too long for this form: read them on the disputes' own pages."
            )
            break
        sections.append(section)
    return sections


def _preparation(record: Record) -> str:
    contacted = {True: "contacted first", False: "not contacted", None: "nobody said whether contacted"}
    return f"Prepared by {plain(record.prepared_by)} · customer: {contacted[record.customer_contacted]}"


def _counts(snapshot: Snapshot) -> str:
    documents = sum(entry.id is not None for entry in snapshot.evidence)
    counts = ((len(snapshot.evidence) - documents, "text"), (documents, "document"))
    pieces = [f"{count} {kind}{'' if count == 1 else 's'}" for count, kind in counts if count]
    return unbroken(", ".join(pieces))
