"""Decide whether a reviewer is a different person than those who prepared a case. Pure.

Only names that are known to stand for an Airflow user count: what a case says about itself is anybody's text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dispute_provider._evidence.record import Record
from dispute_provider._explain.markdown import one_line

# Whom the simple auth manager names where it takes everybody for an administrator.
ANONYMOUS = "Anonymous"
_REQUIRED = "four eyes are required"
_LONGEST_NAME = 100
# Scripts that one Japanese or Korean name mixes; Unicode Technical Standard 39, "highly restrictive".
_EAST_ASIAN = {
    "CJK": "EAST ASIAN",
    "HIRAGANA": "EAST ASIAN",
    "KATAKANA": "EAST ASIAN",
    "HANGUL": "EAST ASIAN",
}


def normalise(name: str) -> str:
    """Return a name as it is compared: NFKC, case folded, without white space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(folded.split())


def is_ambiguous(name: str) -> bool:
    """Return whether a name can pass for another one.

    That is one that is empty, mixes scripts or has invisible characters.
    """
    folded = normalise(name)
    scripts: set[str] = set()
    for character in folded:
        category = unicodedata.category(character)
        if category[0] == "C":
            return True
        if category[0] == "L":
            script = unicodedata.name(character, "UNNAMED").split()[0].partition("-")[0]
            scripts.add(_EAST_ASIAN.get(script, script))
    return not folded or len(scripts) > 1


def people_of(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return the Airflow users that each name stands for, all normalised.

    A name that is given with several users stands for all of them, and each user stands for itself.

    :param pairs: a name that cases use, and the id or name of an Airflow user.
    """
    found: dict[str, frozenset[str]] = {}
    for name, user in pairs:
        for key in (normalise(name), normalise(user)):
            found[key] = found.get(key, frozenset()) | {normalise(user)}
    return found


@dataclass(frozen=True, slots=True)
class FourEyes:
    """From an amount on, who prepared a case may not approve it or concede it.

    :param limits: by currency code in lower case, the least amount that requires four eyes, in minor units.
    :param people: see :func:`people_of`.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_required(self, record: Record) -> bool:
        """Return whether a dispute's amount requires four eyes."""
        limit = self.limits.get((record.currency or "").lower())
        return limit is not None and (record.amount or 0) >= limit

    def objection(
        self, record: Record, reviewer: Mapping[str, Any], triggered_by: str | None = None
    ) -> str | None:
        """Return why a reviewer's yes does not count; None if it does, or four eyes are not required.

        It counts where everybody who had a part in the case is a known Airflow user, and none of them is the
        reviewer: who prepared it, who triggered the run that staged it, and who triggered the review.

        :param reviewer: ``id`` and ``name`` of the Airflow user who answered.
        :param triggered_by: the name of the Airflow user who triggered the review's run.
        """
        if not self.is_required(record):
            return None
        answered = {normalise(str(reviewer.get(key) or "")) for key in ("id", "name")} - {""}
        if not answered or normalise(ANONYMOUS) in answered:
            return f"{_REQUIRED}, and nobody knows who answered"
        triggered = {normalise(name) for name in (record.triggered_by, triggered_by) if name}
        prepared = self._preparers(record.prepared_by, triggered)
        if isinstance(prepared, str):
            return prepared
        if unclear := sorted(filter(is_ambiguous, prepared | triggered | answered)):
            names = ", ".join(map(_shown, unclear))
            return f"{_REQUIRED}, and these user names can be mistaken for others: {names}"
        if answered & prepared:
            return f"{_REQUIRED}: who prepared the case may not approve it"
        if answered & triggered:
            return f"{_REQUIRED}: who triggered the run may not approve it"
        return None

    def _preparers(self, name: str | None, triggered: set[str]) -> set[str] | str:
        """Return the users that prepared a case, or why they are not known."""
        if not name or not normalise(name):
            return (
                f"{_REQUIRED}, and the case does not say who prepared it. To do: add prepared_by to the case"
            )
        key = normalise(name)
        if users := self.people.get(key):
            return set(users)
        # The trigger form names who filled it in; Airflow knows them.
        if key in triggered - {normalise(ANONYMOUS)}:
            return {key}
        return (
            f"{_REQUIRED}, and {_shown(name)}, who prepared the case, is not a known Airflow user. "
            "To do: name the user in [dispute] people"
        )


def _shown(name: str) -> str:
    return repr(one_line(name)[:_LONGEST_NAME])
