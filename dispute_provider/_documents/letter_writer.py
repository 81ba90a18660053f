"""Write texts from templates, in child processes that see no documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispute_provider._documents.messages import OUTLINE, WRITE
from dispute_provider._documents.renderer import Renderer, RenderingError

SECONDS = 5.0
"""Wall-clock time limit for one text; by far the most take some milliseconds."""
_STOPPED = "it needs more than {:g} seconds or 1 GiB of memory", "simplify it"


@dataclass(frozen=True, slots=True)
class Letter:
    """A text that was written from a template.

    :param text: empty if facts are missing.
    :param used: the names of the facts that it used.
    :param missing: the names of the facts that it needs and that are missing.
    """

    text: str = field(repr=False)
    used: tuple[str, ...]
    missing: tuple[str, ...]


class UnfitFactError(Exception):
    """A fact of a case that its template cannot use as it is written.

    :param fact: its name, such as ``order.date``.
    :param problem: how it is written, without what it says.
    :param remedy: how to write it.
    """

    def __init__(self, fact: str, problem: str, remedy: str) -> None:
        super().__init__(f"{fact} {problem}; {remedy}")
        self.fact, self.problem, self.remedy = fact, problem, remedy


@dataclass(frozen=True, slots=True)
class Outline:
    """What a text needs, whatever the facts are.

    :param needed: the names of the facts without which it is not written.
    :param used: the names of the other facts that it may use.
    :param least: the characters that it writes in any case, without its facts.
    :param most: those that it can write, without its facts.
    """

    needed: tuple[str, ...]
    used: tuple[str, ...]
    least: int
    most: int


class FaultyTextError(RenderingError):
    """A text of a template that is faulty, or exceeds the limits of time, memory or length.

    :param line: the line in the text; None, the default, if it is not known.
    """

    def __init__(self, problem: str, remedy: str, line: int | None = None) -> None:
        super().__init__(problem, remedy)
        self.line = line


class LetterWriter(Renderer):
    """Writes texts in child processes of its own. See :class:`Renderer`."""

    def __init__(self) -> None:
        super().__init__(SECONDS)

    def write(self, source: str, facts: Mapping[str, Any]) -> Letter:
        """Return a text; the same template and facts give the same text.

        :param source: the template, in Jinja's syntax.
        :param facts: JSON values by name.
        :raises UnfitFactError: if a fact is not written as the template needs it.
        :raises FaultyTextError: if the template is faulty, or exceeds the limits of time, memory or length.
        """
        found = self._found(WRITE, [source, facts])
        try:
            if unfit := found.get("fact"):
                raise UnfitFactError(*map(str, unfit))
            text = str(found["text"])
            used, missing = (tuple(map(str, found[name])) for name in ("used", "missing"))
        except (TypeError, LookupError):
            raise self._stopped() from None
        return Letter("" if missing else text, used, missing)

    def outline(self, source: str) -> Outline:
        """Return what a text needs, without writing it.

        :param source: the template, in Jinja's syntax.
        :raises FaultyTextError: if it is faulty, or exceeds the limits of time or memory.
        """
        found = self._found(OUTLINE, source)
        try:
            needed, used = (tuple(map(str, found[name])) for name in ("needed", "used"))
            return Outline(needed, used, int(found["least"]), int(found["most"]))
        except (TypeError, ValueError, LookupError):
            raise self._stopped() from None

    def _found(self, what: bytes, question: Any) -> Mapping[str, Any]:
        """Return what the child answers.

        :raises FaultyTextError: if it found a fault, or broke off.
        """
        try:
            found = json.loads(self._ask(what, json.dumps(question).encode()))
            problem, line = found.get("problem"), found.get("line")
        except (RenderingError, ValueError, AttributeError):
            raise self._stopped() from None
        if problem:
            remedy = str(found.get("remedy", "correct it"))
            raise FaultyTextError(str(problem), remedy, line if isinstance(line, int) else None)
        return found  # type: ignore[no-any-return]  # of JSON

    def _stopped(self) -> FaultyTextError:
        return FaultyTextError(_STOPPED[0].format(self._seconds), _STOPPED[1])
