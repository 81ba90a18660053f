"""People: colleagues in the Dashboard, issuers, reviewers, and somebody who edits XComs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dispute_provider.sandbox import _setup as setup
from dispute_provider.sandbox._objects.stripe import ANSWERABLE, StripeDispute
from dispute_provider.sandbox._state import World
from tests.chaos.airflow import moment
from tests.chaos.clock import now
from tests.chaos.transcript import Opening, Shown, Transcript

FIRST = "There before all others."
REVIEWER = {"id": "7", "name": "ana"}
_DAY = 86_400.0


def is_a_colleagues(text: str) -> bool:
    """Whether a text was written by somebody who is not us."""
    return text == FIRST or text.endswith(" of a colleague")


@dataclass
class Outside:
    """Everybody who touches the disputes and is not us."""

    world: World
    transcript: Transcript
    dice: random.Random
    staging: Counter[str] = field(default_factory=Counter)
    """How many runs are just staging a dispute."""
    unclean: set[str] = field(default_factory=set)
    """The disputes whose last staging came to no good end."""
    _notes: int = 0

    def disturb(self, dispute: str, acts: dict[str, int]) -> bool:
        """One act upon a dispute, drawn by weight; whether it could be done to it now."""
        (act,) = self.dice.choices(list(acts), list(acts.values()))
        done = _ACTS[act](self, dispute)
        if done:
            self.transcript.disturbed.append((now(), dispute, act))
        return done

    def is_open(self, dispute: str) -> bool:
        found = setup.find(self.world, dispute)
        return found.status in (*ANSWERABLE, "response-needed")

    def reopen(self, dispute: str, **fields: Any) -> None:
        """The issuer opens the next stage, or the same again."""
        self._edit(dispute, reopen=True, **fields)
        opening = Opening(now(), len(setup.find(self.world, dispute).submissions))
        self.transcript.openings.setdefault(dispute, []).append(opening)
        self._new_due(dispute)

    def _edit(self, dispute: str, **fields: Any) -> None:
        found = setup.find(self.world, dispute)
        before = set() if isinstance(found, StripeDispute) else set(found.evidence)
        setup.edit(self.world, dispute, fields)
        if not isinstance(found, StripeDispute):
            self.transcript.foreign |= set(found.evidence) - before

    def _new_due(self, dispute: str) -> None:
        found = setup.find(self.world, dispute)
        due = found.due_by if isinstance(found, StripeDispute) else found.respond_by
        self.transcript.dues.setdefault(dispute, []).append((float(due or 0), now()))

    def _note(self) -> str:
        self._notes += 1
        return f"note {self._notes} of a colleague"

    def write_text(self, dispute: str) -> bool:
        if not self.is_open(dispute):
            return False
        found = setup.find(self.world, dispute)
        if isinstance(found, StripeDispute):
            # Often over what we had written there ourselves.
            name = self.dice.choice(["customer_name", "uncategorized_text", "refund_policy_disclosure"])
        else:
            name = self.dice.choice(["cover-letter", "other"])
        self._edit(dispute, evidence={name: self._note()})
        return True

    def add_file(self, dispute: str) -> bool:
        if not self.is_open(dispute):
            return False
        found = setup.find(self.world, dispute)
        name = (
            self.dice.choice(["receipt", "customer_signature"])
            if isinstance(found, StripeDispute)
            else "receipt"
        )
        self._edit(dispute, evidence={name: {"filename": f"{self._note().replace(' ', '-')}.pdf"}})
        return True

    def remove(self, dispute: str) -> bool:
        found = setup.find(self.world, dispute)
        if not self.is_open(dispute):
            return False
        if isinstance(found, StripeDispute):
            names = sorted(name for name, value in found.evidence.items() if value)
            if len(names) > 1:
                self._edit(dispute, evidence={self.dice.choice(names): None})
        elif len(found.evidence) > 1:
            self._edit(dispute, remove=[self.dice.choice(sorted(found.evidence))])
        return True

    def copy(self, dispute: str) -> bool:
        """A colleague puts the very same texts there that stand there already."""
        found = setup.find(self.world, dispute)
        if (
            isinstance(found, StripeDispute)
            or not self.is_open(dispute)
            or self.staging[dispute]
            or dispute in self.unclean
        ):
            # Of two equal texts that arrive during a staging, nobody can tell whose is whose.
            return False
        texts = [item for item in found.evidence.values() if item.text is not None]
        if texts:
            item = self.dice.choice(texts)
            self._edit(dispute, evidence={item.type: item.text})
        return True

    def submit(self, dispute: str) -> bool:
        if (
            not self.is_open(dispute)
            or not setup.describe(self.world, setup.find(self.world, dispute))["evidence"]
        ):
            return False
        found = setup.find(self.world, dispute)
        if self.dice.random() < 0.5:
            self.write_text(dispute)
        self._edit(dispute, submit=True)
        if isinstance(found, StripeDispute):
            found.stage_submitted = True
        return True

    def close(self, dispute: str) -> bool:
        found = setup.find(self.world, dispute)
        stripe = isinstance(found, StripeDispute)
        self._edit(
            dispute, status=self.dice.choice(["won", "lost"] if stripe else ["accepted", "closed", "lost"])
        )
        return True

    def open_again(self, dispute: str) -> bool:
        """Only what was answered or decided is opened again; an open inquiry can become a chargeback."""
        found = setup.find(self.world, dispute)
        inquiry = (
            found.status.startswith("warning")
            if isinstance(found, StripeDispute)
            else found.phase == "inquiry"
        )
        if self.is_open(dispute) and not inquiry:
            return False
        # Whether the date of the earlier submission stays, Moov's documents do not say.
        forget = not isinstance(found, StripeDispute) and self.dice.random() < 0.5
        self.reopen(dispute, **({"submittedOn": None} if forget else {}))
        return True

    def move_due(self, dispute: str) -> bool:
        if not self.is_open(dispute):
            return False
        self._edit(dispute, due_in=self.dice.choice([60.0, 3 * 3600.0, 5 * _DAY, 20 * _DAY]))
        self._new_due(dispute)
        return True


_ACTS: dict[str, Callable[[Outside, str], bool]] = {
    "text": Outside.write_text,
    "file": Outside.add_file,
    "remove": Outside.remove,
    "copy": Outside.copy,
    "submit": Outside.submit,
    "close": Outside.close,
    "reopen": Outside.open_again,
    "due": Outside.move_due,
}
BETWEEN_TASKS = {"text": 5, "file": 3, "remove": 3, "copy": 3, "submit": 2, "close": 1, "reopen": 1, "due": 1}
IN_THE_GAP = {"text": 6, "file": 4, "remove": 3, "submit": 2, "reopen": 1, "close": 1}
AFTERWARDS = {"reopen": 6, "close": 1, "submit": 1}


@dataclass(frozen=True)
class ShownForm:
    """A form as its reviewer has it before them: what can be chosen, and what was read to make it.

    :param conceding: the labels that give a dispute up.
    """

    options: list[str]
    multiple: bool
    shown: dict[str, Shown]
    conceding: list[str] = field(default_factory=list)

    @property
    def disputes(self) -> list[str]:
        return list(self.shown)


@dataclass
class Reply:
    """What a reviewer answers, and what they meant by it.

    :param after: seconds until they do.
    :param approved: the disputes that a named person said yes to, in an answer that is no contradiction.
    :param conceded: the disputes that a named person gave up, and said so twice.
    :param rejected: the disputes that a named person rejected.
    """

    after: float
    chosen: list[str]
    approved: list[str] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    user: dict[str, str] | None = field(default_factory=lambda: dict(REVIEWER))
    conceded: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def event(self) -> dict[str, Any]:
        """As Airflow resumes a task with it."""
        return {
            "chosen_options": self.chosen,
            "params_input": self.params,
            "responded_at": moment(),
            "responded_by_user": self.user,
            "timedout": False,
        }


TIMED_OUT = {"error": "The response timeout has passed without a response.", "error_type": "timeout"}


def review(form: ShownForm, dice: random.Random, slowest: float | None) -> Reply:
    """A reviewer's answer to a form.

    :param slowest: seconds; None for one who may think for days.
    """
    after = dice.uniform(5, slowest) if slowest else dice.choice([20.0, 3000.0, 40_000.0, 12 * _DAY])
    mood = dice.random()
    yes = _yes(form, form.disputes)
    if mood < 0.74:
        return Reply(
            after, yes, list(form.disputes), {"note": "", "reject": []} if dice.random() < 0.5 else {}
        )
    if mood < 0.82:
        return _some(form, dice, after)
    if mood < 0.84:
        return Reply(after, ["Submit none" if form.multiple else "Hold for later"])
    if mood < 0.87:
        return _giving_up(form, dice, after)
    if mood < 0.91:
        return (
            Reply(after, yes, params={"note": "", "reject": form.disputes}, rejected=form.disputes)
            if form.multiple
            else _no(form, after)
        )
    if mood < 0.94:
        return Reply(after, yes, user={"id": "Anonymous", "name": "Anonymous"})
    if mood < 0.96:
        return Reply(after, yes, user=None)
    if mood < 0.98:
        return Reply(after, [*yes, "Submit none" if form.multiple else "Hold for later"])
    return Reply(after, [option.replace("· ", "· 9", 1) for option in yes], params={"note": 7})


def _no(form: ShownForm, after: float) -> Reply:
    return Reply(after, ["Reject this evidence"], rejected=list(form.disputes))


def _giving_up(form: ShownForm, dice: random.Random, after: float) -> Reply:
    """One is conceded, or would be had it been said a second time, and of the right dispute; else edited."""
    if not form.conceding:
        return _editing(form, after)
    label = dice.choice(form.conceding)
    (dispute,) = (dispute for dispute in form.disputes if label.startswith(f"Concede {dispute}:"))
    said = dice.choice([dispute, dispute, dispute, "", "yes", f"{dispute} and another"])
    params = {"concede": [label] if form.multiple else [], "concede_confirm": said}
    chosen = ["Submit none"] if form.multiple else [label]
    return Reply(after, chosen, params=params, conceded=[dispute] if said == dispute else [])


def _editing(form: ShownForm, after: float) -> Reply:
    if form.multiple:
        return Reply(after, ["Submit none"], params={"edit": form.disputes[:1]})
    return Reply(after, [option for option in form.options if option.startswith("Edit")])


def _some(form: ShownForm, dice: random.Random, after: float) -> Reply:
    if not form.multiple:
        return _no(form, after)
    some = sorted(dice.sample(form.disputes, dice.randint(1, len(form.disputes))))
    rest = [dispute for dispute in form.disputes if dispute not in some]
    return Reply(after, _yes(form, some), some, {"note": "why", "reject": rest[:1]}, rejected=rest[:1])


def _yes(form: ShownForm, disputes: list[str]) -> list[str]:
    """The options that approve these."""
    if not form.multiple:
        return [option for option in form.options if option.startswith("Submit ·")]
    if len(disputes) == len(form.disputes):
        return [option for option in form.options if option.startswith("Submit all ")]
    return [o for o in form.options if any(o.startswith(f"Submit {dispute} ") for dispute in disputes)]


def tamper(
    records: list[dict[str, Any]], stolen: Mapping[str, Sequence[dict[str, Any]]], dice: random.Random
) -> None:
    """Edit the XCom between review and submission: more goes out than was approved, or is taken back.

    :param stolen: records that were approved before, by dispute.
    """
    everything = [record for records in stolen.values() for record in records]
    act = dice.choice(["promote", "steal", "seen", "concede", "reject"])
    for record in records:
        approval = record.get("approval")
        if act == "reject":
            # What was rejected is put back as it was, at an API that would have sent it by itself.
            written = [
                {"name": "customer_name", "kind": "added"},
                {"name": "uncategorized_text", "kind": "added"},
            ]
            record.update(state="rejected", automatic="smart_disputes", differences=written, earlier=None)
            continue
        if act == "seen" and approval:
            # As if it had been given on no earlier end, or on another one.
            record["ledger_end"] = None if record.get("ledger_end") else "0" * 64
        elif act == "concede" and approval:
            record.update(state="approved", approval={**approval, "action": "concede"})
        elif record["state"] in ("held", "rejected"):
            forged: dict[str, Any] = {
                "action": "submit",
                "responder": "ana (7)",
                "responded_at": moment().isoformat(),
            }
            if act == "steal" and (earlier := stolen.get(record["dispute"])):
                # One that was given to the same dispute, and taken back since.
                record.update(dice.choice(earlier))
                continue
            if act == "steal" and everything:
                forged = dice.choice(everything)["approval"]
            elif approval:
                forged = {**approval, "action": "submit"}
            record.update(state="approved", reason="approved", approval=forged, signature="0" * 64)
