"""Parse the fields of a review form that a reviewer filled in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispute_provider._evidence.record import CONCEDE, EDIT, HOLD, REJECT, SUBMIT

LATER = "Decide later"
HOLD_REASONS = (LATER, "Needs documents", "Needs a colleague")
LONGEST_NOTE = 2000
LONGEST_NAME = 100
LISTS = ("hold", "reject", "edit", "concede")
_SEPARATOR = " · "
_MISMATCH = "the answer's fields do not match the form"


@dataclass(frozen=True, slots=True)
class FormInput:
    """The fields that a reviewer filled in.

    :param holds: reason and assignee of each dispute that is held with its own; the others take
        ``hold_reason`` and ``hold_for``.
    """

    note: str
    hold_reason: str
    hold_for: str
    lists: Mapping[str, list[str]]
    holds: Mapping[str, tuple[str, str]]
    confirmed: str

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> FormInput | str:
        """Return the parsed fields, or why they are invalid.

        An entry of ``hold`` is a dispute's id, optionally followed by a reason and an assignee:
        ``du_1 · Needs documents · Ben``.
        """
        texts = {
            name: params.get(name) or "" for name in ("note", "hold_reason", "hold_for", "concede_confirm")
        }
        lists = {name: params.get(name) or [] for name in LISTS}
        if (
            not all(isinstance(text, str) for text in texts.values())
            or not all(isinstance(each, list) for each in lists.values())
            or not all(isinstance(item, str) for each in lists.values() for item in each)
            or len(texts["note"]) > LONGEST_NOTE
            or len(texts["hold_for"]) > LONGEST_NAME
            or texts["hold_reason"] not in ("", *HOLD_REASONS)
        ):
            return _MISMATCH
        holds: dict[str, tuple[str, str]] = {}
        for entry in lists[HOLD]:
            dispute, *own = entry.split(_SEPARATOR, 2)
            if not own:
                continue
            reason, assignee = own[0], own[1].strip() if len(own) > 1 else ""
            if reason not in HOLD_REASONS or len(assignee) > LONGEST_NAME or dispute in holds:
                return _MISMATCH
            holds[dispute] = reason, assignee
        return cls(
            texts["note"].strip(),
            texts["hold_reason"] or LATER,
            texts["hold_for"].strip(),
            lists | {HOLD: [entry.partition(_SEPARATOR)[0] for entry in lists[HOLD]]},
            holds,
            texts["concede_confirm"].strip(),
        )

    @property
    def has_hold_details(self) -> bool:
        """Whether a field that applies to all held disputes was changed from its default."""
        return self.hold_reason != LATER or bool(self.hold_for)

    def meaning(self, action: str, dispute: str) -> str:
        """Return a dispute's decision in words."""
        reason, assignee = self.holds.get(dispute, (self.hold_reason, self.hold_for))
        assigned = f", assigned to {assignee}" if assignee else ""
        return {
            SUBMIT: "approved",
            HOLD: f"held by the reviewer ({reason.lower()}{assigned})",
            EDIT: "held by the reviewer until the case is edited; the next sweep then opens a new review",
            REJECT: "rejected by the reviewer",
            CONCEDE: "concession approved",
        }[action]
