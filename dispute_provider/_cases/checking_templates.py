"""Check templates without a connection: their syntax, the evidence and the facts that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from pkgutil import resolve_name
from typing import Any

from dispute_provider._cases.case_folders import TEMPLATES
from dispute_provider._cases.checked import Checked
from dispute_provider._cases.file_names import objection
from dispute_provider._cases.files import with_lines
from dispute_provider._cases.listing import Listed, list_folder
from dispute_provider._cases.templates import Template, is_template, read_template
from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.json_data import escape
from dispute_provider._documents.letter_writer import FaultyTextError, LetterWriter, Outline
from dispute_provider._evidence.case_errors import reading
from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.facts import NAMES
from dispute_provider._evidence.limits import Limits
from dispute_provider._evidence.mistakes import mistakes
from dispute_provider._registry import APIS
from dispute_provider.exceptions import InvalidCaseError, Violation

_OF_DISPUTE = "dispute"
_MARKS = ("{{", "{%", "{#")
_LETTER = "it is no template; a letter is checked with the templates that name it"
_DOCUMENTS = ("file", "exhibits")


def is_in_templates(path: str) -> bool:
    """Return whether a path is that of a file in a folder ``templates``."""
    file = PurePosixPath(path)
    return file.parent.name == TEMPLATES and bool(file.suffix)


def check_template(path: str, writer: LetterWriter) -> Checked:
    """Check one template; a letter is ignored."""
    name = PurePosixPath(path).name
    if not is_template(name):
        return Checked(path, ignored=_objection(name) or _LETTER)
    return _checked(path, path.rpartition("/")[0], writer)[0]


def check_templates(folder: str, writer: LetterWriter) -> list[Checked]:
    """Check the templates of a folder; none, if there is no such folder."""
    try:
        with reading(folder):
            entries = _files(folder)
    except InvalidCaseError as error:
        return [Checked(folder, tuple(map(str, error.violations)))]
    checked, read = [], []
    for each in entries:
        path = f"{folder}/{each.name}"
        if is_template(each.name):
            one, template = _checked(path, folder, writer)
            checked.append((one, template))
            read += [template] if template else []
        elif ignored := _objection(each.name):
            checked.append((Checked(path, ignored=ignored), None))
    return [_with_rivals(one, template, read) for one, template in checked]


def _files(folder: str) -> list[Listed]:
    try:
        return [each for each in list_folder(folder) if not each.is_folder]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _objection(name: str) -> str:
    """Return why a file that looks like a template is not read as one; empty for any other file."""
    looks_like_one = objection(name) or name.lower().endswith(".json")
    return "its name does not end in .yaml, or starts with a dot; rename it" if looks_like_one else ""


def _with_rivals(checked: Checked, template: Template | None, others: Iterable[Template]) -> Checked:
    """Return the result for a template, with a note of others that suit some dispute equally well."""
    rivals = [each.name for each in others if template and each is not template and _ties(each, template)]
    if not rivals:
        return checked
    names = " and ".join(rivals)
    note = f"note: {names} suits some disputes equally well; a case for one of these has to name its template"
    return Checked(checked.source, checked.problems, facts=(*checked.facts, note))


def _ties(one: Template, other: Template) -> bool:
    pairs = (
        (one.of.reasons, other.of.reasons),
        (one.of.network_codes, other.of.network_codes),
        (one.of.products, other.of.products),
    )
    same_api = one.of.provider == other.of.provider
    return same_api and all(bool({*a} & {*b}) if a or b else True for a, b in pairs)


def _checked(path: str, folder: str, writer: LetterWriter) -> tuple[Checked, Template | None]:
    try:
        template = read_template(folder, path)
        if template.of.provider not in APIS:
            remedy = f"must be one of: {', '.join(APIS)}"
            raise InvalidCaseError(path, [Violation("/provider", "is no API known here", remedy)])
        texts = _Texts(template, writer)
        wrong = [*texts.wrong, *_wrong_evidence(template, texts)]
        if wrong:
            raise InvalidCaseError(path, wrong)
    except InvalidCaseError as error:
        if error.case not in (path, shown(path)):
            return Checked(path, tuple(f"{error.case}: {each}" for each in error.violations)), None
        located = with_lines(InvalidCaseError(path, error.violations), [folder])
        in_order = sorted(located.violations, key=lambda each: each.line or 0)
        return Checked(path, tuple(map(str, in_order))), None
    return Checked(path, facts=tuple(_said(template, texts))), template


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of a template.

    :param name: the evidence that it is part of.
    """

    name: str
    outline: Outline


class _Texts:
    """The texts of a template, and its evidence with a sample in place of each.

    :ivar wrong: the faults of the texts.
    """

    def __init__(self, template: Template, writer: LetterWriter) -> None:
        self._template, self._writer = template, writer
        self.found: list[_Text] = []
        self.wrong: list[Violation] = []
        self.written: set[str] = set()
        reported = {name: [*NAMES, *resolve_name(path).payment_fact_names] for name, path in APIS.items()}
        self._known = tuple(reported[template.of.provider])
        # Letters for several APIs ask whether a fact is there.
        self._known_anywhere = tuple(name for names in reported.values() for name in names)
        self.sample = {
            name: self._sample(name, value, f"/evidence/{escape(name)}", is_path=False)
            for name, value in template.evidence.items()
        }

    def _sample(self, name: str, value: Any, pointer: str, *, is_path: bool) -> Any:
        if isinstance(value, Mapping):
            return {
                key: self._sample(name, each, f"{pointer}/{escape(key)}", is_path=key in _DOCUMENTS)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [
                self._sample(name, each, f"{pointer}/{index}", is_path=is_path)
                for index, each in enumerate(value)
            ]
        if not isinstance(value, str) or not any(each in value for each in _MARKS):
            return value
        self.written.add(pointer)
        try:
            self.found.append(_Text(name, self._writer.outline(value)))
        except FaultyTextError as error:
            problem = f"its text is faulty: {self._template.place(value, error.line)}{error.problem}"
            self.wrong.append(Violation(pointer, problem, error.remedy))
        else:
            self.wrong += self._unknown(pointer, self.found[-1].outline)
        return "sample.pdf" if is_path else "sample"

    def _unknown(self, pointer: str, outline: Outline) -> Iterator[Violation]:
        asked = [(fact, self._known) for fact in outline.needed]
        asked += [(fact, self._known_anywhere) for fact in outline.used]
        for fact, known_there in asked:
            group, _, name = fact.partition(".")
            name = name.partition(".")[0]
            if group == _OF_DISPUTE and name and name not in known_there:
                close = get_close_matches(name, self._known, n=1)
                known = ", ".join(self._known)
                remedy = f"did you mean dispute.{close[0]}?" if close else f"there are: {known}"
                yield Violation(pointer, f"the API reports no {fact}", remedy)


def _wrong_evidence(template: Template, texts: _Texts) -> list[Violation]:
    """Return what is wrong with evidence of a template, whatever its texts say."""
    from dispute_provider._contracts.validation import violations

    sample = texts.sample
    api = contract.load(template.of.provider)
    found = list(mistakes(api, sample, "/evidence"))
    explained = {each.pointer for each in found}
    for each in violations(api.evidence, sample):
        at = f"/evidence{each.pointer}"
        if at not in explained | texts.written and not each.problem.startswith("unknown: "):
            found.append(Violation(at, each.problem, each.remedy))
    return found


def _said(template: Template, texts: _Texts) -> Iterator[str]:
    of = template.of
    api = contract.load(of.provider)
    about = (("reasons", of.reasons), ("network codes", of.network_codes), ("products", of.products))
    named = [f"{what} {', '.join(given)}" for what, given in about if given]
    yield f"template: {template.name}, for {of.provider}: {'; '.join(named) or 'any dispute'}"
    yield from _unknown_reasons(api, of.reasons)
    for name in dict.fromkeys(text.name for text in texts.found):
        outlines = [text.outline for text in texts.found if text.name == name]
        needs = _of_cases(fact for each in outlines for fact in each.needed)
        uses = _of_cases(fact for each in outlines for fact in each.used)
        parts = (("needs", needs), ("may use", uses))
        if said := "; ".join(f"{what} {facts}" for what, facts in parts if facts):
            yield f"facts: {name} {said}"
    allowed = Limits.of(api).text
    for text in texts.found:
        least, most, limit = text.outline.least, text.outline.most, allowed.get(text.name)
        if limit and most:
            range_ = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            yield f"limits: {text.name} has {range_} of {limit:,} characters without its facts"
        if limit and least > limit:
            cure = "shorten it, or switch on prepare: [convert]"
            yield f"warning: {text.name} is longer than its field takes; {cure}"


def _of_cases(facts: Iterable[str]) -> str:
    """Return the facts that cases have to give; those of the dispute come from the API."""
    return ", ".join(each for each in dict.fromkeys(facts) if each.partition(".")[0] != _OF_DISPUTE)


def _unknown_reasons(api: Contract, reasons: Iterable[str]) -> Iterator[str]:
    table = api.document.get("x-completeness", {})
    known = list(table.get("codes", {}))
    if table.get("decides") != "reason":
        return
    for each in reasons:
        if each not in known:
            close = get_close_matches(each, known, n=1)
            meant = f"did you mean {close[0]}?" if close else f"known are: {', '.join(known)}"
            yield f"warning: {each} is no reason that {api.title} is known to give; {meant}"
