"""Check that a reviewer is not one of the people who prepared a case. Pure.

Only names that are mapped to Airflow users count: the names in a case are free text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dispute_provider._evidence.record import Record
from dispute_provider._explain.markdown import one_line

# The user that the simple auth manager reports when every visitor is an administrator.
ANONYMOUS = "Anonymous"
_REQUIRED = "four eyes are required"
_LONGEST_NAME = 100
# Scripts that a Japanese or Korean name may mix; Unicode Technical Standard 39, "highly restrictive".
_EAST_ASIAN = {
    "CJK": "EAST ASIAN",
    "HIRAGANA": "EAST ASIAN",
    "KATAKANA": "EAST ASIAN",
    "HANGUL": "EAST ASIAN",
}


def normalise(name: str) -> str:
    """Return a name for comparison: NFKC, case folded, without white space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(folded.split())


def is_ambiguous(name: str) -> bool:
    """Return whether a name is empty, mixes scripts or has invisible characters, so that it can mislead."""
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
    """Return the Airflow users that each name refers to, normalised.

    A name with several users refers to all of them. Each user name also refers to itself.

    :param pairs: a name as cases use it, and the id or name of an Airflow user.
    """
    found: dict[str, frozenset[str]] = {}
    for name, user in pairs:
        for key in (normalise(name), normalise(user)):
            found[key] = found.get(key, frozenset()) | {normalise(user)}
    return found


@dataclass(frozen=True, slots=True)
class FourEyes:
    """The rule that, from an amount on, the preparer of a case may not approve or concede it.

    :param limits: by lower-case currency code, the smallest amount that requires four eyes, in minor units.
    :param people: see :func:`people_of`.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def limit(self, record: Record) -> int | None:
        """Return the smallest amount in a dispute's currency that requires four eyes; None if none does."""
        return self.limits.get((record.currency or "").lower())

    def is_required(self, record: Record) -> bool:
        """Return whether a dispute's amount requires four eyes."""
        limit = self.limit(record)
        return limit is not None and (record.amount or 0) >= limit

    def objection(
        self, record: Record, reviewer: Mapping[str, Any], triggered_by: str | None = None
    ) -> str | None:
        """Return why a reviewer may not approve; None if they may, or if four eyes are not required.

        Everyone involved in the case must be a known Airflow user other than the reviewer: the preparer, the
        user who triggered the run that staged it, and the user who triggered the review.

        :param reviewer: ``id`` and ``name`` of the Airflow user who answered.
        :param triggered_by: name of the Airflow user who triggered the review's run.
        """
        if not self.is_required(record):
            return None
        answered = {normalise(str(reviewer.get(key) or "")) for key in ("id", "name")} - {""}
        if not answered or normalise(ANONYMOUS) in answered:
            return f"{_REQUIRED}, and the reviewer is not known"
        triggered = {normalise(name) for name in (record.triggered_by, triggered_by) if name}
        prepared = self._preparers(record.prepared_by, triggered)
        if isinstance(prepared, str):
            return prepared
        if unclear := sorted(filter(is_ambiguous, prepared | triggered | answered)):
            names = ", ".join(map(_shown, unclear))
            return f"{_REQUIRED}, and these user names can be mistaken for others: {names}"
        if answered & prepared:
            return f"{_REQUIRED}: the preparer of the case may not approve it"
        if answered & triggered:
            return f"{_REQUIRED}: the user who triggered the run may not approve it"
        return None

    def _preparers(self, name: str | None, triggered: set[str]) -> set[str] | str:
        """Return the users who prepared a case, or why they are unknown."""
        if not name or not normalise(name):
            return f"{_REQUIRED}, and the case names no preparer. To do: add prepared_by to the case"
        key = normalise(name)
        if users := self.people.get(key):
            return set(users)
        # Airflow knows the user who filled in the trigger form.
        if key in triggered - {normalise(ANONYMOUS)}:
            return {key}
        return (
            f"{_REQUIRED}, and {_shown(name)}, the preparer of the case, is not a known Airflow user. "
            "To do: add the user to [dispute] people"
        )


def _shown(name: str) -> str:
    return repr(one_line(name)[:_LONGEST_NAME])
