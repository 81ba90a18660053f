"""Write texts from templates, in child processes that see no documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispute_provider._documents.messages import WRITE
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


class LetterWriter(Renderer):
    """Writes texts in child processes of its own. See :class:`Renderer`."""

    def __init__(self) -> None:
        super().__init__(SECONDS)

    def write(self, source: str, facts: Mapping[str, Any]) -> Letter:
        """Return a text; the same template and facts give the same text.

        :param source: the template, in Jinja's syntax.
        :param facts: JSON values by name.
        :raises UnfitFactError: if a fact is not written as the template needs it.
        :raises RenderingError: if the template is faulty, or exceeds the limits of time, memory or length.
        """
        question = json.dumps([source, facts]).encode()
        stopped = RenderingError(_STOPPED[0].format(self._seconds), _STOPPED[1])
        try:
            answer = self._ask(WRITE, question)
        except RenderingError:
            raise stopped from None
        try:
            found = json.loads(answer)
            if problem := found.get("problem"):
                raise RenderingError(str(problem), "correct it")
            if unfit := found.get("fact"):
                raise UnfitFactError(*map(str, unfit))
            text = str(found["text"])
            used, missing = (tuple(map(str, found[name])) for name in ("used", "missing"))
        except (ValueError, TypeError, LookupError):
            raise stopped from None
        return Letter("" if missing else text, used, missing)
