"""Read case templates, and choose the one that suits a dispute.

A template is a YAML file in the folder ``templates`` of a case root: which disputes it is for, and the
evidence that it adds. Its texts are Jinja templates, written there or in a text file beside it. The templates
that this package ships are used where no case root has one that suits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, Literal

import msgspec

import dispute_provider
from dispute_provider._cases.case_folders import TEMPLATES
from dispute_provider._cases.files import open_case_file
from dispute_provider._cases.listing import list_folder
from dispute_provider._cases.text import as_text, located, parse_yaml
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_checks import template_violations
from dispute_provider._evidence.case_errors import reading, refused
from dispute_provider._evidence.case_size import LARGEST_CASE
from dispute_provider._evidence.completeness import longest_match
from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.snapshot import Dispute, sha256_of
from dispute_provider.exceptions import InvalidCaseError

SHIPPED = str(Path(dispute_provider.__file__).parent / TEMPLATES)
_SUFFIXES = (".yaml", ".yml")
_LETTER = "letter"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    provider: str
    evidence: dict[str, Any]
    reasons: tuple[str, ...] = ()
    network_codes: tuple[str, ...] = ()
    products: tuple[Literal["physical", "digital", "service"], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A template of a case.

    :param name: the name of its file, without the suffix.
    :param path: its file.
    :param of: the disputes that it is for.
    :param evidence: what it adds, by the API's names; its texts are Jinja templates.
    :param sha256: of its contents, with those of its letters.
    :param letters: of each text that is written from letters, their names and numbers of lines, by the text.
    """

    name: str
    path: str
    of: _File
    evidence: Mapping[str, Any]
    sha256: str
    letters: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict, repr=False)

    def place(self, text: str, line: int | None) -> str:
        """Return where a line of one of its texts stands, such as ``line 3 of rebuttal.txt: ``.

        It is empty for a text of one line, and if the line is not known.
        """
        if line is None:
            return ""
        for name, lines in self.letters.get(text, ()):
            if line <= lines:
                return f"line {line} of {name}: "
            line -= lines
        return f"line {line}: " if "\n" in text else ""

    def basis(self, case: Case) -> str:
        """Return the sha256 of the template and the facts of a case."""
        assert case.draft
        return sha256_of([self.sha256, case.draft.facts])

    def rank(self, dispute: Dispute, product: str | None) -> tuple[int, int, int] | None:
        """Return how closely it suits a dispute: the more it names of it, the higher; None if it does not."""
        of, code = self.of, longest_match(self.of.network_codes, dispute.network_code or "")
        if (
            of.provider != dispute.provider
            or (of.network_codes and code is None)
            or (of.reasons and dispute.reason not in of.reasons)
            or (of.products and product not in of.products)
        ):
            return None
        return len(code or ""), int(bool(of.reasons)), int(bool(of.products))


class Templates:
    """The templates of case roots and of this package, read when they are first needed; threads may share it.

    :param roots: the case roots.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots
        self._reading = Lock()

    @cached_property
    def _folders(self) -> list[tuple[str, dict[str, Template | InvalidCaseError]]]:
        folders = [*(f"{root.rstrip('/')}/{TEMPLATES}" for root in self._roots), SHIPPED]
        return [(folder, _read_folder(folder)) for folder in folders]

    def choose(self, case: Case, dispute: Dispute) -> Template:
        """Return the template of a case: the one that it names, or the one that suits its dispute best.

        The first folder that has one decides.

        :raises InvalidCaseError: if there is none, several suit equally well, or it cannot be read.
        """
        assert case.draft
        name = case.draft.template
        with self._reading:
            folders = self._folders
        for folder, found in folders:
            chosen = found.get(name) if name else _best(case, dispute, folder, found)
            if isinstance(chosen, InvalidCaseError):
                raise chosen
            if chosen:
                return chosen
        source = case.source or case.dispute
        if name:
            problem = f"there is no template {name}"
            raise refused(source, problem, f"put {name}.yaml into the folder {TEMPLATES} of a case root")
        about = (("reason", dispute.reason), ("code", dispute.network_code), ("product", case.product))
        known = ", ".join(f"{what} {value}" for what, value in about if value)
        raise refused(
            source,
            f"no template suits a {dispute.provider} dispute with {known}",
            "state the product in the case, name a template, or add one",
        )


def _best(
    case: Case, dispute: Dispute, folder: str, found: Mapping[str, Template | InvalidCaseError]
) -> Template | InvalidCaseError | None:
    ranked: dict[tuple[int, int, int], list[Template]] = {}
    for each in found.values():
        if isinstance(each, InvalidCaseError):
            # It may be the best, so no other is taken in its place.
            return each
        if rank := each.rank(dispute, case.product):
            ranked.setdefault(rank, []).append(each)
    best = ranked[max(ranked)] if ranked else []
    if len(best) > 1:
        names = " and ".join(each.name for each in best)
        problem = f"the templates {names} in {folder} suit its dispute equally well"
        return refused(case.source or case.dispute, problem, "name one of them in the case with template")
    return best[0] if best else None


def _read_folder(folder: str) -> dict[str, Template | InvalidCaseError]:
    """Return the templates of a folder by name, or why one cannot be read; empty if there is no folder."""
    try:
        with reading(folder):
            try:
                entries = list_folder(folder)
            except (FileNotFoundError, NotADirectoryError):
                return {}
    except InvalidCaseError as error:
        return {"": error}
    found: dict[str, Template | InvalidCaseError] = {}
    for each in entries:
        if each.is_folder or not is_template(each.name):
            continue
        file = PurePosixPath(each.name)
        try:
            found[file.stem] = read_template(folder, f"{folder}/{each.name}")
        except InvalidCaseError as error:
            found[file.stem] = error
    return found


def is_template(name: str) -> bool:
    """Return whether a file of a folder ``templates`` is a template, by its name."""
    return PurePosixPath(name).suffix.lower() in _SUFFIXES and not name.startswith(".")


def read_template(folder: str, path: str) -> Template:
    """Read a template with its letters.

    :param folder: its folder, in which its letters are.
    :raises InvalidCaseError: if it cannot be read; its texts are not looked at.
    """
    content = _read(path, folder)
    data = parse_yaml(content, path)
    if wrong := template_violations(data):
        raise located(InvalidCaseError(shown(path), wrong), content)
    file = msgspec.convert(data, _File)
    letters: dict[str, list[tuple[str, int]]] = {}
    evidence = {each: _with_letters(value, folder, path, letters) for each, value in file.evidence.items()}
    return Template(PurePosixPath(path).stem, path, file, evidence, sha256_of(evidence), letters)


def _with_letters(value: Any, folder: str, path: str, letters: dict[str, list[tuple[str, int]]]) -> Any:
    """Return evidence of a template with the contents of the letters that it names.

    :param letters: receives the letters of each text.
    """
    if isinstance(value, list):
        return [_with_letters(each, folder, path, letters) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {_LETTER}:
        return {name: _with_letters(each, folder, path, letters) for name, each in value.items()}
    given = value[_LETTER]
    names = given if isinstance(given, list) else [given]
    texts = [_read_letter(name, folder, path) for name in names]
    text = "\n".join(texts)
    letters[text] = [(name, each.count("\n") + 1) for name, each in zip(names, texts, strict=True)]
    return text


def _read_letter(name: Any, folder: str, path: str) -> str:
    if not isinstance(name, str) or "/" in name or "\\" in name:
        raise refused(path, "a letter is not the name of a file", "name a text file beside the template")
    letter = f"{folder}/{name}"
    return as_text(_read(letter, folder), letter)


def _read(path: str, folder: str) -> bytes:
    with open_case_file(path, [folder]) as opened, reading(path):
        content = opened.read(LARGEST_CASE + 1)
    if len(content) > LARGEST_CASE:
        raise refused(path, f"it has more than {LARGEST_CASE:,} bytes", "shorten it")
    return content
