"""Complete a case with the texts that its template writes from facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dispute_provider import _config as config
from dispute_provider._cases.files import with_lines
from dispute_provider._cases.templates import Template
from dispute_provider._documents.letter_writer import FaultyTextError, LetterWriter, UnfitFactError
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_errors import refused
from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.snapshot import short_digest
from dispute_provider.exceptions import InvalidCaseError, Violation


@dataclass(frozen=True, slots=True)
class Completed:
    """A case with the evidence of its template.

    :param case: without the evidence that lacks facts.
    :param note: the template and the facts that it used, for the reviewer.
    :param missing: for each piece of evidence that lacks facts, its name and the names of the facts.
    """

    case: Case
    note: str
    missing: tuple[tuple[str, tuple[str, ...]], ...]


class _Absent:
    """Takes the place of evidence that a template does not add."""


_ABSENT = _Absent()


def complete(case: Case, template: Template, facts: Mapping[str, Any], writer: LetterWriter) -> Completed:
    """Write the texts of a template, and add them to a case that has no evidence of their names.

    :param facts: all facts, those of the API among them.
    :raises InvalidCaseError: if the template is faulty, a fact is not written as it needs it, or what it adds
        breaks a limit of the API.
    """
    assert case.draft
    own = case.draft.evidence
    texts = _Texts(case, template, facts, writer)
    added = {name: texts.of(name, value) for name, value in template.evidence.items() if name not in own}
    evidence = {name: value for name, value in added.items() if value is not _ABSENT}
    try:
        completed = case.completed(evidence, template.basis(case), config.prepare)
    except InvalidCaseError as error:
        raise _of_template(error, template, evidence) from None
    used = ", ".join(texts.used) or "none"
    note = f"template {template.name} ({short_digest(template.sha256)}) used the facts: {used}"
    missing = tuple((name, tuple(lacking)) for name, lacking in texts.missing.items())
    return Completed(completed, note, missing)


class _Texts:
    """The texts of one template, and the facts that they used and lack."""

    def __init__(
        self, case: Case, template: Template, facts: Mapping[str, Any], writer: LetterWriter
    ) -> None:
        self._case, self._template, self._facts, self._writer = case, template, facts, writer
        self.used: dict[str, None] = {}
        self.missing: dict[str, dict[str, None]] = {}

    def of(self, name: str, value: Any) -> Any:
        """Return a value of the template with its texts written; ``_ABSENT`` if it is empty or lacks facts.

        :param name: the evidence that it is part of.
        """
        if isinstance(value, str):
            return self._text(name, value)
        if isinstance(value, list):
            items = [each for item in value if (each := self.of(name, item)) is not _ABSENT]
            return items or _ABSENT
        if isinstance(value, dict):
            members = {member: self.of(name, each) for member, each in value.items()}
            # A document without its path, or an object without one of its texts, is not what was meant.
            return _ABSENT if _ABSENT in members.values() else members
        return value

    def _text(self, name: str, source: str) -> Any:
        try:
            letter = self._writer.write(source, self._facts)
        except UnfitFactError as unfit:
            problem = f"{unfit.problem} (template {self._template.name})"
            violation = Violation(f"/facts/{unfit.fact.replace('.', '/')}", problem, unfit.remedy)
            refusal = InvalidCaseError(self._case.source or self._case.dispute, [violation])
            raise with_lines(refusal, config.case_roots()) from None
        except FaultyTextError as error:
            problem = f"its text for {name}: {self._template.place(source, error.line)}{error.problem}"
            raise refused(self._template.path, problem, error.remedy) from None
        self.used |= dict.fromkeys(letter.used)
        if letter.missing:
            self.missing.setdefault(name, {}).update(dict.fromkeys(letter.missing))
        return letter.text or _ABSENT


def _of_template(
    error: InvalidCaseError, template: Template, evidence: Mapping[str, Any]
) -> InvalidCaseError:
    """Return an error about a completed case, with the template named where it wrote the evidence."""
    prefixes = tuple(f"/evidence/{name}" for name in evidence)
    violations = [
        replace(each, problem=f"as the template {shown(template.name)} writes it, it {each.problem}")
        if each.pointer.startswith(prefixes)
        else each
        for each in error.violations
    ]
    return InvalidCaseError(template.path, violations)
