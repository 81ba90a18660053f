"""Colleagues in the Dashboard, and issuers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dispute_provider.sandbox import _setup as setup
from dispute_provider.sandbox._objects.stripe import ANSWERABLE, StripeDispute
from dispute_provider.sandbox._state import World
from tests.chaos.transcript import Opening, Transcript
from tests.chaos.world.clock import now

FIRST = "There before all others."
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

    def write_twice(self, dispute: str, text: str) -> None:
        """A colleague uploads a text to Moov twice."""
        for _ in range(2):
            self._edit(dispute, evidence={"cover-letter": text})

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
