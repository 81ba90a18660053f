"""The review: what a person is shown, what can be answered, and what an answer means. Pure.

Every choice carries the digest of what it approves, because a form can outlive what it was made from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispute_provider.evidence.money import format_amount
from dispute_provider.evidence.record import Record, State, by_due_date
from dispute_provider.evidence.snapshot import Evidence, Snapshot, sha256_of

LARGEST_REVIEW = 100
SUBMIT, HOLD, REJECT = "submit", "hold", "reject"
_SHOWN_DIGEST = 12
# Characters of Markdown below the table of a batch; a browser renders so much at once without stalling.
_LONGEST_DETAILS = 200_000
_SHORT = 120
_NEEDS_FENCE = re.compile(r"[`|\t\r\n]|  |\A | \Z")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True)
class Form:
    """A review form.

    :param subject: begins with what is due first, so that a list of forms reads as today's list.
    :param body: Markdown; customer text stands in fences only.
    :param options: what can be chosen, in order.
    :param rejectable: what can be named in the ``reject`` field of a batch, in order.
    """

    subject: str
    body: str
    options: tuple[str, ...]
    multiple: bool
    rejectable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one dispute."""

    action: str
    reason: str


def form(records: Sequence[Record], snapshots: Mapping[str, Snapshot]) -> Form:
    """One dispute in full, or a batch as a table with a choice.

    :param records: those to decide, at most :data:`LARGEST_REVIEW`.
    :param snapshots: the fresh readings they were made from, by dispute.
    """
    records = by_due_date(list(records))
    if len(records) == 1:
        return _single(records[0], snapshots[records[0].dispute])
    first = records[0]
    providers = " and ".join(sorted({record.provider for record in records}))
    return Form(
        subject=f"{first.due_text} · {len(records)} {providers} disputes · {_totals(records)}",
        body=_batch_body(records, snapshots),
        options=(all_option(records), NONE_OPTION, *map(submit_option, records)),
        multiple=True,
        rejectable=tuple(record.dispute for record in records),
    )


def decide(
    records: Sequence[Record], chosen: Sequence[str], params: Mapping[str, Any]
) -> dict[str, Decision] | str:
    """What an answer means for each dispute, or why it means nothing.

    Nothing that the answer does not name clearly is approved.
    """
    note = params.get("note") or ""
    rejected = params.get("reject") or []
    if not isinstance(note, str) or not isinstance(rejected, list) or len(note) > 2000:
        return "the answer's fields are not of the form's kind"
    said = f": {note}" if note.strip() else ""
    if len(records) == 1:
        return _decide_single(records[0], chosen, rejected, said)

    labels = {submit_option(record): record.dispute for record in records}
    everything = all_option(records)
    known = {everything, NONE_OPTION, *labels}
    disputes = {record.dispute for record in records}
    if unknown := [option for option in chosen if option not in known]:
        return f"{len(unknown)} of the chosen options are not those of this form; it was made anew since"
    if unknown := [dispute for dispute in rejected if dispute not in disputes]:
        return f"{len(unknown)} of the rejected disputes are not in this review"
    if NONE_OPTION in chosen and len(set(chosen)) > 1:
        return "the answer says both none and some"
    approved = disputes if everything in chosen else {labels[option] for option in chosen if option in labels}
    if everything in chosen:
        approved = approved - set(rejected)
    if both := approved & set(rejected):
        return f"the answer both submits and rejects {', '.join(sorted(both))}"
    return {
        dispute: Decision(SUBMIT, "approved" + said)
        if dispute in approved
        else Decision(REJECT, "rejected by the reviewer" + said)
        if dispute in rejected
        else Decision(HOLD, "not chosen by the reviewer" + said)
        for dispute in disputes
    }


def _decide_single(
    record: Record, chosen: Sequence[str], rejected: Sequence[str], said: str
) -> dict[str, Decision] | str:
    if list(chosen) == [single_option(record)] and not rejected:
        return {record.dispute: Decision(SUBMIT, "approved" + said)}
    if list(chosen) == [HOLD_OPTION]:
        return {record.dispute: Decision(HOLD, "held by the reviewer" + said)}
    if list(chosen) == [REJECT_OPTION]:
        return {record.dispute: Decision(REJECT, "rejected by the reviewer" + said)}
    return "the chosen option is not one of this form; it was made anew since"


HOLD_OPTION = "Hold: decide later"
REJECT_OPTION = "Reject: do not contest with this evidence"
NONE_OPTION = "Submit none of them"


def single_option(record: Record) -> str:
    """The button that approves the dispute of a review of its own, its digest in it."""
    return f"Submit · {record.money} · {(record.digest or '')[:_SHOWN_DIGEST]}"


def submit_option(record: Record) -> str:
    """The label that approves one dispute of a batch, its digest in it."""
    digest = (record.digest or "")[:_SHOWN_DIGEST]
    return f"Submit {record.dispute} · {record.money} · due {record.due_text} · {digest}"


def all_option(records: Sequence[Record]) -> str:
    """The label that approves a whole batch, a digest over all digests in it."""
    together = sha256_of(sorted([record.dispute, record.digest] for record in records))
    return f"Submit all {len(records)} · {_totals(records)} · {together[:_SHOWN_DIGEST]}"


def held(record: Record, reason: str) -> Record:
    """Not approved, and why; nothing is sent."""
    return replace(record, approval=None).ended(State.HELD, reason)


def _totals(records: Sequence[Record]) -> str:
    totals: Counter[str] = Counter()
    for record in records:
        if record.amount is not None and record.currency is not None:
            totals[record.currency] += record.amount
    return " + ".join(format_amount(amount, currency) for currency, amount in sorted(totals.items()))


def _single(record: Record, snapshot: Snapshot) -> Form:
    return Form(
        subject=f"{record.due_text} · {record.money} · {one_line(record.dispute_reason)} · {record.dispute}",
        body="\n\n".join(
            [
                f"**Submit this evidence to the bank?** It can be sent once; {_by_when(record)}",
                _facts(record, snapshot),
                *(f"> {plain(note)}" for note in record.notes),
                "### What will be sent",
                *_evidence(record, snapshot),
                f"Digest of all this: `{record.digest}`",
            ]
        ),
        options=(single_option(record), HOLD_OPTION, REJECT_OPTION),
        multiple=False,
    )


def _by_when(record: Record) -> str:
    return f"without an answer nothing is sent, and the dispute is lost after **{record.due_text}**."


def _facts(record: Record, snapshot: Snapshot) -> str:
    dispute = snapshot.dispute
    contacted = {True: "yes", False: "no", None: "not said"}[record.customer_contacted]
    rows = {
        "Dispute": f"[{plain(record.dispute)}]({record.url})" if record.url else plain(record.dispute),
        "Amount": record.money,
        "Reason": plain(record.dispute_reason),
        "Network code": plain(record.network_code or "–"),
        "Network": plain(dispute.network or "–"),
        "Stage": plain(record.stage),
        "Due": record.due_text,
        "Earlier submissions": str(record.submissions),
        "Account": plain(dispute.merchant or record.account or "the connection's own"),
        "Mode": {True: "**live**", False: "test", None: "–"}[dispute.live],
        "Prepared by": plain(record.prepared_by or "not said"),
        "Customer contacted first": contacted,
    }
    return _table(rows.items())


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _evidence(record: Record, snapshot: Snapshot) -> list[str]:
    """Documents and short texts as a table, longer texts in fences below it."""
    rows: list[tuple[str, str]] = []
    fences: list[str] = []
    for entry in snapshot.evidence:
        text = entry.text if entry.text is not None else _outline(entry.value)
        if entry.id is not None:
            rows.append((plain(entry.name), _document(entry, record.documents.get(entry.id))))
        elif _is_short(text):
            rows.append((plain(entry.name), f"`{_visible(text)}`"))
        else:
            fences.append(f"**{plain(entry.name)}** · {len(text):,} characters\n\n{fenced(text)}")
    return [_table(rows), *fences] if rows else fences


def _document(entry: Evidence, known: str | None) -> str:
    """Its facts; its digest where its name does not hold it."""
    name = entry.filename or entry.id
    facts = [
        plain(name),
        f"{entry.size:,} bytes" if entry.size is not None else None,
        plain(entry.content_type) if entry.content_type else None,
    ]
    if known is None:
        facts.append("not uploaded by this case")
    elif known[:_SHOWN_DIGEST] not in (name or ""):
        facts.append(f"sha256 `{known[:_SHOWN_DIGEST]}`")
    return "document: " + " · ".join(fact for fact in facts if fact)


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


def _batch_body(records: Sequence[Record], snapshots: Mapping[str, Snapshot]) -> str:
    columns = ["Due (UTC)", "Amount", "Reason", "Code", "Dispute", "Evidence", "Digest"]
    columns += ["Notes"] if any(record.notes for record in records) else []
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|"
    rows = "\n".join(_row(record, snapshots[record.dispute], len(columns)) for record in records)
    return "\n\n".join(
        [
            f"**Which of these {len(records)} are to be submitted to the bank?** Each can be sent once. "
            "What is not chosen is held: nothing is sent for it, and it is lost after its due time. "
            "Choose under **Options** at the end of this page.",
            f"{head}\n{rows}",
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
                f"### {plain(record.dispute)} · {record.money} · {plain(record.stage)}",
                _preparation(record),
                *_evidence(record, snapshots[record.dispute]),
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


def _row(record: Record, snapshot: Snapshot, columns: int) -> str:
    documents = sum(entry.id is not None for entry in snapshot.evidence)
    pieces = [
        f"{count} {kind}{'' if count == 1 else 's'}"
        for count, kind in ((len(snapshot.evidence) - documents, "text"), (documents, "document"))
        if count
    ]
    cells = [
        _unbroken(record.due_text.removesuffix(" UTC")),
        _unbroken(record.money),
        plain(record.dispute_reason),
        plain(record.network_code or "–"),
        f"[{plain(record.dispute)}]({record.url})" if record.url else plain(record.dispute),
        _unbroken(", ".join(pieces)),
        f"`{(record.digest or '')[:_SHOWN_DIGEST]}`",
        "; ".join(map(plain, record.notes)),
    ]
    return "| " + " | ".join(cells[:columns]) + " |"


def _unbroken(text: str) -> str:
    """Text that a narrow column does not break: dates and amounts are compared down the column."""
    return text.replace(" ", "\u00a0").replace("-", "\u2011")


def one_line(text: str | None) -> str:
    """Text on one line, nothing in it invisible."""
    return _visible((text or "–").replace("\n", " "))


def plain(text: str | None) -> str:
    """One line that Markdown takes for nothing but text."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&:@/])", r"\\\1", one_line(text))


def fenced(text: str) -> str:
    """Text in a fence that it cannot close, its invisible characters made visible."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{_visible(text)}\n{fence}"


def _visible(text: str) -> str:
    """Control, zero-width and direction characters by their code points: a reader must see them."""
    return _INVISIBLE.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text.replace("\r\n", "\n"))
