"""Make the review form, and decide what an answer to it means. Pure.

Every choice that sends something carries the digest of what it approves, because a form can outlive what it
was made from.
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
HOLD_OPTION = "Hold: decide later"
EDIT_OPTION = "Edit: the case is to be changed, then ask again"
REJECT_OPTION = "Reject: do not contest with this evidence"
NONE_OPTION = "Submit none of them"
LATER = "decide later"
HOLD_REASONS = (LATER, "needs documents", "needs somebody else")
_LONGEST_NOTE = 2000
_LONGEST_NAME = 100
_LISTS = ("hold", "reject", "edit", "concede")


@dataclass(frozen=True, slots=True)
class ReviewField:
    """A field of the form besides its options.

    :param schema: JSON Schema of its value; ``examples`` are what can be chosen of a list.
    """

    title: str
    description: str
    default: Any
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """A review form.

    :param subject: begins with what is due first, so that a list of forms reads as today's list.
    :param body: Markdown; customer text stands in fences only.
    :param options: what can be chosen, in order.
    :param fields: what can be filled in, by name, in order.
    """

    subject: str
    body: str
    options: tuple[str, ...]
    multiple: bool
    fields: Mapping[str, ReviewField] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one dispute.

    :param meaning: what was decided, without the reviewer's words.
    :param note: the reviewer's words.
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
    """One dispute in full, or a batch as a table with a choice.

    :param records: those to decide, at most :data:`LARGEST_REVIEW`.
    :param snapshots: the fresh readings they were made from, by dispute.
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
        "note": ReviewField("Note", "Why; it is kept with your answer.", "", _text(_LONGEST_NOTE)),
        "hold_reason": ReviewField(
            "Why it is held",
            "For what is held. What needs documents is put to review again as soon as its case changes.",
            LATER,
            {"type": ["null", "string"], "enum": [*HOLD_REASONS]},
        ),
        "hold_for": ReviewField(
            "Assignee", "For what is held; reminders name them.", "", _text(_LONGEST_NAME)
        ),
    }
    conceded = [concede_option(record) for record in records if _can_be_conceded(record)]
    if len(records) > 1:
        disputes = [record.dispute for record in records]
        fields["hold"] = ReviewField(
            "Hold",
            "Disputes to leave out of *all*. Anything you don't select is held.",
            [],
            _choice(disputes),
        )
        fields["reject"] = ReviewField(
            "Reject",
            "Disputes not to contest with this evidence.",
            [],
            _choice(disputes),
        )
        fields["edit"] = ReviewField(
            "Edit",
            "Disputes that are held, for their cases are to be changed; they are put to review again then.",
            [],
            _choice(disputes),
        )
        if conceded:
            description = "Disputes to give up, which cannot be undone. Confirm it in the next field."
            fields["concede"] = ReviewField("Concede", description, [], _choice(conceded))
    if conceded:
        fields["concede_confirm"] = ReviewField(
            "Confirm what you concede",
            "Only to concede: type the ids of the disputes that you give up once more, separated by spaces. "
            "It cannot be undone.",
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
    """What an answer means for each dispute, or why it means nothing.

    Nothing that the answer does not name clearly is submitted or conceded; what contradicts itself is void.
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
        return "the answer says why to hold, but holds nothing"
    return {
        dispute: Decision(action, given.meaning(action), given.note) for dispute, action in actions.items()
    }


@dataclass(frozen=True, slots=True)
class _FormInput:
    """The fields of an answer."""

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
            return "the answer's fields are not of the form's kind"
        return cls(
            texts["note"].strip(),
            texts["hold_reason"] or LATER,
            texts["hold_for"].strip(),
            lists,
            texts["concede_confirm"].strip(),
        )

    @property
    def holds(self) -> bool:
        """Whether a field about holding was changed from its default."""
        return self.hold_reason != LATER or bool(self.hold_for)

    def meaning(self, action: str) -> str:
        return {
            SUBMIT: "approved",
            HOLD: f"held by the reviewer, {self.hold_reason}{f', for {self.hold_for}' * bool(self.hold_for)}",
            EDIT: "held by the reviewer, the case is to be edited; it is staged and put to review again then",
            REJECT: "rejected by the reviewer",
            CONCEDE: "concede approved",
        }[action]


def _single_actions(record: Record, chosen: Sequence[str], given: _FormInput) -> dict[str, str] | str:
    if any(given.lists.values()):
        return "the answer names disputes in fields that this form does not have"
    options = {
        single_option(record): SUBMIT,
        HOLD_OPTION: HOLD,
        EDIT_OPTION: EDIT,
        REJECT_OPTION: REJECT,
        concede_option(record): CONCEDE,
    }
    if len(chosen) != 1 or chosen[0] not in options:
        return "the chosen option is not one of this form; it was made anew since"
    return {record.dispute: options[chosen[0]]}


def _batch_actions(
    records: Sequence[Record], chosen: Sequence[str], given: _FormInput
) -> dict[str, str] | str:
    labels = {submit_option(record): record.dispute for record in records}
    conceding = {concede_option(record): record.dispute for record in records}
    everything = all_option(records)
    disputes = [record.dispute for record in records]
    if unknown := [option for option in chosen if option not in (everything, NONE_OPTION, *labels)]:
        return f"{len(unknown)} of the chosen options are not those of this form; it was made anew since"
    for name, known in zip(_LISTS, (disputes, disputes, disputes, conceding), strict=True):
        if unknown := [item for item in given.lists[name] if item not in known]:
            return f"{len(unknown)} of the disputes in its field {name} are not in this review"
    if NONE_OPTION in chosen and len(set(chosen)) > 1:
        return "the answer says both none and some"
    named = {
        HOLD: set(given.lists["hold"]),
        REJECT: set(given.lists["reject"]),
        EDIT: set(given.lists["edit"]),
        CONCEDE: {conceding[label] for label in given.lists["concede"]},
    }
    others = set().union(*named.values())
    # What is named otherwise is left out of "all"; named by itself, it would be a contradiction.
    named[SUBMIT] = {labels[option] for option in chosen if option in labels}
    if everything in chosen:
        named[SUBMIT] |= set(disputes) - others
    actions: dict[str, str] = {}
    for action, of_it in named.items():
        for dispute in sorted(of_it):
            if dispute in actions:
                return f"the answer says both {actions[dispute]} and {action} of {dispute}"
            actions[dispute] = action
    return {dispute: actions.get(dispute, HOLD) for dispute in disputes}


def _unconfirmed(records: Sequence[Record], conceded: set[str], confirmed: str) -> str | None:
    """Why nothing may be conceded; None where it may, or where nothing is to be."""
    if inquiries := [r.dispute for r in records if r.dispute in conceded and not _can_be_conceded(r)]:
        return f"conceding does not settle an inquiry: {', '.join(inquiries)}"
    if set(confirmed.replace(",", " ").split()) == conceded:
        return None
    if not conceded:
        return "the answer confirms to concede what it does not choose to"
    return f"the answer concedes {', '.join(sorted(conceded))}, but does not confirm just that"


def _can_be_conceded(record: Record) -> bool:
    return record.stage != INQUIRY


def single_option(record: Record) -> str:
    """The button that approves the dispute of a review of its own, its digest in it."""
    return f"Submit · {record.money} · {short_digest(record.digest)}{review_form.unseen([record])}"


def submit_option(record: Record) -> str:
    """The label that approves one dispute of a batch, its digest in it."""
    label = (
        f"Submit {record.dispute} · {record.money} · due {record.due_text} · {short_digest(record.digest)}"
    )
    return label + review_form.unseen([record])


def all_option(records: Sequence[Record]) -> str:
    """The label that approves a whole batch, a digest over all digests in it."""
    together = sha256_of(sorted([record.dispute, record.digest] for record in records))
    label = f"Submit all {len(records)} · {totals(records)} · {short_digest(together)}"
    return label + review_form.unseen(records)


def concede_option(record: Record) -> str:
    """The label that gives one dispute up for good, its digest in it."""
    return f"Concede {record.dispute}: give up {record.money} for good · {short_digest(record.digest)}"


def held(record: Record, reason: str) -> Record:
    """Not approved, and why; nothing is sent."""
    return replace(record, approval=None).ended(State.HELD, reason)
