"""Build the review form and interpret its answers. Pure.

Each option that sends something includes the digest of what it approves, because the evidence can change
while the form is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from dispute_provider._evidence.record import CONCEDE, EDIT, HOLD, REJECT, SUBMIT, Record, State, by_due_date
from dispute_provider._evidence.snapshot import Snapshot, sha256_of, short_digest
from dispute_provider._workflow.reviewing import markdown as review_form
from dispute_provider._workflow.reviewing.ending import Ending
from dispute_provider._workflow.reviewing.form_input import (
    HOLD_REASONS,
    LATER,
    LISTS,
    LONGEST_NAME,
    LONGEST_NOTE,
    FormInput,
)
from dispute_provider._workflow.reviewing.markdown import INQUIRY
from dispute_provider._workflow.reviewing.subjects import batch_subject, no_preview, single_subject, totals

LARGEST_REVIEW = 100
HOLD_OPTION = "Hold for later"
EDIT_OPTION = "Edit the case and review again"
REJECT_OPTION = "Reject this evidence"
NONE_OPTION = "Submit none"


@dataclass(frozen=True, slots=True)
class ReviewField:
    """A field of the form, other than its options.

    :param schema: JSON Schema of the value; ``examples`` lists the choices of a multiple choice.
    """

    title: str
    description: str
    default: Any
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """A review form.

    :param subject: starts with the earliest due date.
    :param body: Markdown; customer text appears only in code fences.
    :param options: the choices, in order.
    :param multiple: whether more than one option can be chosen.
    :param fields: the other fields, by name, in order.
    """

    subject: str
    body: str
    options: tuple[str, ...]
    multiple: bool
    fields: Mapping[str, ReviewField] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's decision about one dispute.

    :param action: ``submit``, ``hold``, ``edit``, ``reject`` or ``concede``.
    :param meaning: the decision in words.
    :param note: the reviewer's note.
    """

    action: str
    meaning: str
    note: str = ""

    @property
    def reason(self) -> str:
        return f"{self.meaning}: {self.note}" if self.note else self.meaning


def form(
    records: Sequence[Record],
    snapshots: Mapping[str, Snapshot],
    ending: Ending | None = None,
    now: datetime | None = None,
) -> ReviewForm:
    """Return the form: one dispute in full, or a batch as a table.

    :param records: the disputes to decide, at most :data:`LARGEST_REVIEW`.
    :param snapshots: the readings that the records were made from, by dispute.
    :param ending: when the review ends; None, the default, for one without an end.
    :param now: when the review opens; its subject then writes *today* for that day. Default: None.
    """
    ending = ending or Ending()
    records = by_due_date(list(records))
    if len(records) == 1:
        record = records[0]
        return ReviewForm(
            subject=single_subject(record, now),
            body=review_form.single_body(record, snapshots[record.dispute], ending),
            options=(
                single_option(record),
                HOLD_OPTION,
                EDIT_OPTION,
                REJECT_OPTION,
                *([concede_option(record)] if can_be_conceded(record) else []),
            ),
            multiple=False,
            fields=_fields(records),
        )
    return ReviewForm(
        subject=batch_subject(records, now),
        body=review_form.batch_body(records, snapshots, ending),
        options=(all_option(records), NONE_OPTION, *map(submit_option, records)),
        multiple=True,
        fields=_fields(records),
    )


def _fields(records: Sequence[Record]) -> dict[str, ReviewField]:
    fields = {
        "note": ReviewField("Note", "Optional. Stored with your answer.", "", _text(LONGEST_NOTE)),
        "hold_reason": ReviewField(
            "Hold reason",
            "For held disputes. A dispute returns to review as soon as its case changes.",
            LATER,
            {"type": ["null", "string"], "enum": [*HOLD_REASONS]},
        ),
        "hold_for": ReviewField(
            "Assignee", "For held disputes. Reminders name the assignee.", "", _text(LONGEST_NAME)
        ),
    }
    conceded = [concede_option(record) for record in records if can_be_conceded(record)]
    if len(records) > 1:
        disputes = [record.dispute for record in records]
        fields["hold"] = ReviewField(
            "Hold",
            "Disputes to hold when you choose “Submit all”. Disputes that you don't select are held too.",
            [],
            _choice(disputes),
        )
        fields["reject"] = ReviewField(
            "Reject",
            "Disputes whose evidence you reject. Nothing is sent for them.",
            [],
            _choice(disputes),
        )
        fields["edit"] = ReviewField(
            "Edit",
            "Disputes whose cases need changes. They are held, and return to review when their cases change.",
            [],
            _choice(disputes),
        )
        if conceded:
            description = "Disputes to concede. This cannot be undone. Confirm them in the next field."
            fields["concede"] = ReviewField("Concede", description, [], _choice(conceded))
    if conceded:
        fields["concede_confirm"] = ReviewField(
            "Confirm concession",
            "Required to concede. Type the IDs of the disputes to concede again, separated by spaces. "
            "This cannot be undone.",
            "",
            _text(None),
        )
    return fields


def _text(longest: int | None) -> dict[str, Any]:
    return {"type": ["null", "string"], **({"maxLength": longest} if longest else {})}


def _choice(values: Sequence[str]) -> dict[str, Any]:
    return {"type": ["null", "array"], "items": {"type": "string"}, "examples": list(values)}


def decide(
    records: Sequence[Record], chosen: Sequence[str], params: Mapping[str, Any]
) -> dict[str, Decision] | str:
    """Return the decision about each dispute, or why the answer is invalid.

    Only disputes that the answer names clearly are submitted or conceded; a contradictory answer is invalid.
    """
    given = FormInput.parse(params)
    if isinstance(given, str):
        return given
    actions = (
        _single_actions(records[0], chosen, given)
        if len(records) == 1
        else _batch_actions(records, chosen, given)
    )
    if isinstance(actions, str):
        return actions
    conceded = {dispute for dispute, action in actions.items() if action == CONCEDE}
    if problem := _unconfirmed(records, conceded, given.confirmed):
        return problem
    if given.has_hold_details and HOLD not in actions.values():
        return "the answer has a hold reason or an assignee, but holds no dispute"
    return {
        dispute: Decision(action, given.meaning(action, dispute), given.note)
        for dispute, action in actions.items()
    }


def _single_actions(record: Record, chosen: Sequence[str], given: FormInput) -> dict[str, str] | str:
    if any(given.lists.values()):
        return "the answer lists disputes in fields that this form does not have"
    options = {
        single_option(record): SUBMIT,
        HOLD_OPTION: HOLD,
        EDIT_OPTION: EDIT,
        REJECT_OPTION: REJECT,
        concede_option(record): CONCEDE,
    }
    if len(chosen) != 1 or chosen[0] not in options:
        return (
            "the chosen option is not in this form; the evidence may have changed since the form was opened"
        )
    return {record.dispute: options[chosen[0]]}


def _batch_actions(
    records: Sequence[Record], chosen: Sequence[str], given: FormInput
) -> dict[str, str] | str:
    labels = {submit_option(record): record.dispute for record in records}
    conceding = {concede_option(record): record.dispute for record in records}
    everything = all_option(records)
    disputes = [record.dispute for record in records]
    if unknown := [option for option in chosen if option not in (everything, NONE_OPTION, *labels)]:
        return f"{len(unknown)} chosen options are not in this form; it has changed since it was opened"
    for name, known in zip(LISTS, (disputes, disputes, disputes, conceding), strict=True):
        if unknown := [item for item in given.lists[name] if item not in known]:
            return f"{len(unknown)} disputes in field {name} are not in this review"
    if NONE_OPTION in chosen and len(set(chosen)) > 1:
        return "the answer selects both none and some of the disputes"
    named = {
        HOLD: set(given.lists["hold"]),
        REJECT: set(given.lists["reject"]),
        EDIT: set(given.lists["edit"]),
        CONCEDE: {conceding[label] for label in given.lists["concede"]},
    }
    others = set().union(*named.values())
    # "Submit all" leaves out the disputes of the other fields; selecting one of those is a contradiction.
    named[SUBMIT] = {labels[option] for option in chosen if option in labels}
    if everything in chosen:
        named[SUBMIT] |= set(disputes) - others
    actions: dict[str, str] = {}
    for action, selected in named.items():
        for dispute in sorted(selected):
            if dispute in actions:
                return f"the answer selects both {actions[dispute]} and {action} for {dispute}"
            actions[dispute] = action
    return {dispute: actions.get(dispute, HOLD) for dispute in disputes}


def _unconfirmed(records: Sequence[Record], conceded: set[str], confirmed: str) -> str | None:
    """Return why the concessions are invalid; None if they are valid, or if there are none."""
    if inquiries := [r.dispute for r in records if r.dispute in conceded and not can_be_conceded(r)]:
        return f"an inquiry cannot be conceded: {', '.join(inquiries)}"
    if set(confirmed.replace(",", " ").split()) == conceded:
        return None
    if not conceded:
        return "the answer confirms a concession, but concedes no dispute"
    return f"the answer concedes {', '.join(sorted(conceded))}, but the confirmation does not match"


def can_be_conceded(record: Record) -> bool:
    """Return whether conceding settles the dispute; it does not settle an inquiry."""
    return record.stage != INQUIRY


def single_option(record: Record) -> str:
    """Return the option that submits the only dispute of a review, with its digest."""
    return f"Submit · {record.money} · {short_digest(record.digest)}{no_preview([record])}"


def submit_option(record: Record) -> str:
    """Return the option that submits one dispute of a batch, with its digest."""
    label = (
        f"Submit {record.dispute} · {record.money} · due {record.due_text} · {short_digest(record.digest)}"
    )
    return label + no_preview([record])


def all_option(records: Sequence[Record]) -> str:
    """Return the option that submits a whole batch, with a digest over all digests."""
    together = sha256_of(sorted([record.dispute, record.digest] for record in records))
    label = f"Submit all {len(records)} · {totals(records)} · {short_digest(together)}"
    return label + no_preview(records)


def concede_option(record: Record) -> str:
    """Return the option that concedes one dispute, with its digest."""
    return f"Concede {record.dispute} · give up {record.money} permanently · {short_digest(record.digest)}"


def held(record: Record, reason: str) -> Record:
    """Return a record as held without approval, with the reason."""
    return replace(record, approval=None).ended(State.HELD, reason)
