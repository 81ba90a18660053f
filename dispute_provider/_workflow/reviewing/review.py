"""Build the review form and interpret its answers. Pure.

Each option that sends something includes the digest of what it approves, because the evidence can change
while the form is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from dispute_provider._evidence.record import CONCEDE, EDIT, HOLD, REJECT, SUBMIT, Record, State, by_due_date
from dispute_provider._evidence.snapshot import Snapshot, sha256_of, short_digest
from dispute_provider._workflow.reviewing import markdown as review_form
from dispute_provider._workflow.reviewing.ending import Ending
from dispute_provider._workflow.reviewing.markdown import INQUIRY, totals

LARGEST_REVIEW = 100
HOLD_OPTION = "Hold for later"
EDIT_OPTION = "Edit the case and review again"
REJECT_OPTION = "Reject this evidence"
NONE_OPTION = "Submit none"
LATER = "Decide later"
HOLD_REASONS = (LATER, "Needs documents", "Needs a colleague")
_LONGEST_NOTE = 2000
_LONGEST_NAME = 100
_LISTS = ("hold", "reject", "edit", "concede")


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

    :param subject: starts with the earliest due date, so that a list of forms sorts by urgency.
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
    records: Sequence[Record], snapshots: Mapping[str, Snapshot], ending: Ending | None = None
) -> ReviewForm:
    """Return the form: one dispute in full, or a batch as a table.

    :param records: the disputes to decide, at most :data:`LARGEST_REVIEW`.
    :param snapshots: the readings that the records were made from, by dispute.
    """
    ending = ending or Ending()
    records = by_due_date(list(records))
    if len(records) == 1:
        record = records[0]
        return ReviewForm(
            subject=review_form.single_subject(record),
            body=review_form.single_body(record, snapshots[record.dispute], ending),
            options=(
                single_option(record),
                HOLD_OPTION,
                EDIT_OPTION,
                REJECT_OPTION,
                *([concede_option(record)] if _can_be_conceded(record) else []),
            ),
            multiple=False,
            fields=_fields(records),
        )
    return ReviewForm(
        subject=review_form.batch_subject(records),
        body=review_form.batch_body(records, snapshots, ending),
        options=(all_option(records), NONE_OPTION, *map(submit_option, records)),
        multiple=True,
        fields=_fields(records),
    )


def _fields(records: Sequence[Record]) -> dict[str, ReviewField]:
    fields = {
        "note": ReviewField("Note", "Optional. Stored with your answer.", "", _text(_LONGEST_NOTE)),
        "hold_reason": ReviewField(
            "Hold reason",
            "For held disputes. A dispute returns to review as soon as its case changes.",
            LATER,
            {"type": ["null", "string"], "enum": [*HOLD_REASONS]},
        ),
        "hold_for": ReviewField(
            "Assignee", "For held disputes. Reminders name the assignee.", "", _text(_LONGEST_NAME)
        ),
    }
    conceded = [concede_option(record) for record in records if _can_be_conceded(record)]
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
    given = _FormInput.parse(params)
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
    if given.holds and HOLD not in actions.values():
        return "the answer has a hold reason or an assignee, but holds no dispute"
    return {
        dispute: Decision(action, given.meaning(action), given.note) for dispute, action in actions.items()
    }


@dataclass(frozen=True, slots=True)
class _FormInput:
    """The fields that a reviewer filled in."""

    note: str
    hold_reason: str
    hold_for: str
    lists: Mapping[str, list[str]]
    confirmed: str

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> _FormInput | str:
        texts = {
            name: params.get(name) or "" for name in ("note", "hold_reason", "hold_for", "concede_confirm")
        }
        lists = {name: params.get(name) or [] for name in _LISTS}
        if (
            not all(isinstance(text, str) for text in texts.values())
            or not all(isinstance(each, list) for each in lists.values())
            or not all(isinstance(item, str) for each in lists.values() for item in each)
            or len(texts["note"]) > _LONGEST_NOTE
            or len(texts["hold_for"]) > _LONGEST_NAME
            or texts["hold_reason"] not in ("", *HOLD_REASONS)
        ):
            return "the answer's fields do not match the form"
        return cls(
            texts["note"].strip(),
            texts["hold_reason"] or LATER,
            texts["hold_for"].strip(),
            lists,
            texts["concede_confirm"].strip(),
        )

    @property
    def holds(self) -> bool:
        """Whether a field for held disputes was changed from its default."""
        return self.hold_reason != LATER or bool(self.hold_for)

    def meaning(self, action: str) -> str:
        assignee = f", assigned to {self.hold_for}" if self.hold_for else ""
        return {
            SUBMIT: "approved",
            HOLD: f"held by the reviewer ({self.hold_reason.lower()}{assignee})",
            EDIT: "held by the reviewer until the case is edited; the next sweep then opens a new review",
            REJECT: "rejected by the reviewer",
            CONCEDE: "concession approved",
        }[action]


def _single_actions(record: Record, chosen: Sequence[str], given: _FormInput) -> dict[str, str] | str:
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
    records: Sequence[Record], chosen: Sequence[str], given: _FormInput
) -> dict[str, str] | str:
    labels = {submit_option(record): record.dispute for record in records}
    conceding = {concede_option(record): record.dispute for record in records}
    everything = all_option(records)
    disputes = [record.dispute for record in records]
    if unknown := [option for option in chosen if option not in (everything, NONE_OPTION, *labels)]:
        return f"{len(unknown)} chosen options are not in this form; it has changed since it was opened"
    for name, known in zip(_LISTS, (disputes, disputes, disputes, conceding), strict=True):
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
    if inquiries := [r.dispute for r in records if r.dispute in conceded and not _can_be_conceded(r)]:
        return f"an inquiry cannot be conceded: {', '.join(inquiries)}"
    if set(confirmed.replace(",", " ").split()) == conceded:
        return None
    if not conceded:
        return "the answer confirms a concession, but concedes no dispute"
    return f"the answer concedes {', '.join(sorted(conceded))}, but the confirmation does not match"


def _can_be_conceded(record: Record) -> bool:
    return record.stage != INQUIRY


def single_option(record: Record) -> str:
    """Return the option that submits the only dispute of a review, with its digest."""
    return f"Submit · {record.money} · {short_digest(record.digest)}{review_form.no_preview([record])}"


def submit_option(record: Record) -> str:
    """Return the option that submits one dispute of a batch, with its digest."""
    label = (
        f"Submit {record.dispute} · {record.money} · due {record.due_text} · {short_digest(record.digest)}"
    )
    return label + review_form.no_preview([record])


def all_option(records: Sequence[Record]) -> str:
    """Return the option that submits a whole batch, with a digest over all digests."""
    together = sha256_of(sorted([record.dispute, record.digest] for record in records))
    label = f"Submit all {len(records)} · {totals(records)} · {short_digest(together)}"
    return label + review_form.no_preview(records)


def concede_option(record: Record) -> str:
    """Return the option that concedes one dispute, with its digest."""
    return f"Concede {record.dispute} · give up {record.money} permanently · {short_digest(record.digest)}"


def held(record: Record, reason: str) -> Record:
    """Return a record as held without approval, with the reason."""
    return replace(record, approval=None).ended(State.HELD, reason)
