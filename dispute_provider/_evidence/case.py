"""Read and check a case: one dispute's evidence as its owner keeps it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import PurePosixPath
from typing import Any, cast

import msgspec

from dispute_provider._contracts import contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, groups
from dispute_provider._contracts.json_data import holds_json
from dispute_provider._evidence.case_size import TOO_DEEP, excess
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.snapshot import sha256_of
from dispute_provider._registry import APIS
from dispute_provider.exceptions import InvalidCaseError, Violation

_A_CASE = "write one case, with provider, dispute and evidence"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One of several files that are joined into one document.

    :param path: relative to the case's folder.
    :param caption: its name in the contents and below its pages.
    """

    path: str
    caption: str


@dataclass(frozen=True, slots=True)
class FileReference:
    """A document in the case's folder, or one that is joined from several.

    :param path: relative to the case's folder; for a joined one, a name that no file of the case has.
    :param optional: whether the case can be staged without it.
    :param exhibits: what it is joined from, in their order; empty, the default, for a file.
    """

    path: str
    optional: bool = False
    exhibits: tuple[Exhibit, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Return the paths of the files that have to be read for it."""
        return tuple(each.path for each in self.exhibits) if self.exhibits else (self.path,)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One piece of evidence under the API's name for it: text, a document or a structured object.

    :param name: the API's name of the field; for a nested field its path, such as
        ``appeal/card/reason_for_filing``.
    :param written: whether a template added it; False, the default, if its owner did.
    """

    name: str
    value: str | FileReference | Mapping[str, Any]
    written: bool = False

    def __repr__(self) -> str:
        """Omit the value: customer text must not be logged."""
        return f"Entry({self.name!r})"


@dataclass(frozen=True, slots=True)
class Draft:
    """A case that a template completes.

    :param template: the name of the template; None for the one that suits the dispute best.
    :param given: the case as its owner gives it.
    """

    template: str | None
    given: Mapping[str, Any] = field(repr=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.given.get("facts", {})
        return facts

    @property
    def evidence(self) -> Mapping[str, Any]:
        evidence: Mapping[str, Any] = self.given["evidence"]
        return evidence


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute's evidence.

    :param provider: the name of the API, such as ``stripe``.
    :param dispute: the API's id of the dispute.
    :param evidence: the fields and documents, by the API's own names.
    :param account: the account that the dispute belongs to, for an API that has accounts; None for the
        connection's account.
    :param prepared_by: the person who prepared the evidence.
    :param customer_contacted: whether the customer was contacted first; None if the case does not state it.
    :param product: ``physical``, ``digital`` or ``service``; None if the case does not state it.
    :param metadata: keys and values that are written to the dispute, if the API takes any.
    :param prepare: the steps by which its documents may be prepared: ``clean``, ``convert``, ``shrink``.
    :param draft: what a template completes; None, the default, for a case without a template.
    :param basis: sha256 of the template and the facts, once the template is known; None without a template.
    :param folder: the folder of its documents; None for a case that was not read from a file.
    :param source: the file it was read from; None for a case that was not read from a file.
    :param has_long_texts: whether it has texts that have to become documents, which it switched on.
    :param texts: the texts that became documents, by the paths of those; empty by default.
    """

    provider: str
    dispute: str
    evidence: tuple[Entry, ...] = field(repr=False)
    account: str | None = None
    prepared_by: str | None = None
    customer_contacted: bool | None = None
    product: str | None = None
    metadata: Mapping[str, str] | None = field(default=None, repr=False)
    prepare: tuple[str, ...] = ()
    draft: Draft | None = None
    basis: str | None = None
    folder: str | None = None
    source: str | None = None
    has_long_texts: bool = False
    texts: Mapping[str, Entry] = field(default_factory=dict, repr=False)

    @property
    def moved(self) -> tuple[Entry, ...]:
        """Return the texts that became documents of another field."""
        return tuple(
            text for entry in self.evidence for text in self._texts_of(entry) if text.name != entry.name
        )

    def _texts_of(self, entry: Entry) -> list[Entry]:
        paths = entry.value.files if isinstance(entry.value, FileReference) else ()
        return [self.texts[path] for path in paths if path in self.texts]

    @property
    def files(self) -> tuple[FileReference, ...]:
        return tuple(entry.value for entry in self.evidence if isinstance(entry.value, FileReference))

    def digest(self, documents: Mapping[str, Document]) -> str:
        """Return the sha256 of the case with its documents, which changes with any of them.

        What a template adds counts as the template and the facts, so that the digest is known before.

        :param documents: by the paths that the case names; a path without a document is hashed as absent.
        """
        entries = [
            [entry.name, documents[entry.value.path].sha256 if entry.value.path in documents else None]
            if isinstance(entry.value, FileReference)
            else [entry.name, entry.value]
            # A text counts as it was given, whatever document it became.
            for given in self.evidence
            for entry in self._texts_of(given) or [given]
            if not entry.written
        ]
        basis = [self.basis] if self.basis else []
        return sha256_of([self.provider, self.dispute, self.account, entries, self.metadata, *basis])

    @classmethod
    def parse(
        cls,
        data: Any,
        *,
        folder: str | None = None,
        source: str | None = None,
        always: Callable[[], Collection[str]] = tuple,
    ) -> Case:
        """Check the data of a file, a row or a form, and return it as a case.

        :param source: its name in errors; by default, its dispute.
        :param always: returns the steps of preparing that are switched on for every case; by default, none.
        :raises InvalidCaseError: with every violation of the case schema and of the API's limits, or with the
            size limit that it exceeds. No other exception is raised.
        """
        with reading(source or name_of(data)):
            return cls._parse(data, folder, source, always)

    @classmethod
    def _parse(
        cls, data: Any, folder: str | None, source: str | None, always: Callable[[], Collection[str]]
    ) -> Case:
        name = source or name_of(data)
        if too_much := excess(data):
            raise InvalidCaseError(shown(name), [too_much])
        data = _in_plain_types(data)
        found = _case_violations(data)
        draft = None
        if isinstance(data, Mapping) and data.keys() & {"template", "facts"}:
            data = {"evidence": {}, **data}
            draft = Draft(data.get("template"), data)
        entries: tuple[Entry, ...] = ()
        has_long_texts = False
        # What is said about the rest of a case must not hide what is wrong with its evidence.
        unsound = {each.pointer for each in found} & {"/provider", "/evidence"}
        if isinstance(data, Mapping) and {"provider", "evidence"} <= data.keys() and not unsound:
            entries = _with_names(tuple(_entries(data["evidence"], _groups(data["provider"]))))
            about_evidence = _evidence_violations(data, entries)
            if about_evidence:
                about_evidence, has_long_texts = _without_lengths(data, entries, about_evidence, always)
            found += about_evidence
        if found:
            raise InvalidCaseError(shown(name), found)
        return cls(
            provider=data["provider"],
            dispute=dispute_id(data["dispute"]),
            evidence=entries,
            account=data.get("account"),
            prepared_by=data.get("prepared_by"),
            customer_contacted=data.get("customer_contacted"),
            product=data.get("product"),
            metadata=data.get("metadata"),
            prepare=tuple(data.get("prepare", ())),
            draft=draft,
            folder=folder,
            source=source,
            has_long_texts=has_long_texts,
        )

    def completed(
        self, evidence: Mapping[str, Any], basis: str, always: Callable[[], Collection[str]] = tuple
    ) -> Case:
        """Return the case with the evidence of a template, checked like any other.

        :param evidence: what the template adds, by the API's names; the case's own evidence has precedence.
        :param basis: sha256 of the template and the facts.
        :param always: see :meth:`parse`.
        :raises InvalidCaseError: with every violation.
        """
        assert self.draft
        own = self.draft.evidence
        case = Case.parse(
            {**self.draft.given, "evidence": {**evidence, **own}},
            folder=self.folder,
            source=self.source,
            always=always,
        )
        entries = [
            Entry(entry.name, entry.value, entry.name.partition(SEPARATOR)[0] not in own)
            for entry in case.evidence
        ]
        return replace(case, evidence=tuple(entries), basis=basis)


def refused(source: str, problem: str, remedy: str) -> InvalidCaseError:
    """Return an error that refuses a case as a whole, for one reason."""
    return InvalidCaseError(shown(source), [Violation("", problem, remedy)])


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn any exception while a case is read into a refusal, so that the rest of its batch goes on.

    File systems and parsers raise exceptions of many types. Their messages are dropped, because they may
    quote the case.

    :param source: the case's name in the error.
    :raises InvalidCaseError: in place of any other exception.
    """
    try:
        yield
    except InvalidCaseError:
        raise
    except RecursionError:
        raise refused(source, *TOO_DEEP) from None
    except OSError as error:
        raise refused(source, *unreadable(error)) from None
    except Exception as error:
        problem = f"it cannot be read: {type(error).__name__}"
        raise refused(source, problem, "check its path and its contents") from None


def unreadable(error: OSError) -> tuple[str, str]:
    """Return why a file cannot be read, and what to do about it."""
    match error:
        case FileNotFoundError():
            why, remedy = "there is no such file or folder", "check its path, and where a link leads"
        case NotADirectoryError():
            why, remedy = "a part of its path is a file and no folder", "check its path"
        case IsADirectoryError():
            why, remedy = "it is a folder", "put a file there"
        case PermissionError():
            why, remedy = "permission is denied", "give the workers permission to read it"
        case _:
            why, remedy = type(error).__name__, "check the path and the permissions"
    return f"it cannot be read: {why}", remedy


def dispute_id(given: str) -> str:
    """Return a dispute's id as its API spells it: a UUID in lower case (RFC 9562), any other id unchanged."""
    return given.lower() if _UUID.fullmatch(given) else given


def name_of(data: Any) -> str:
    """Return the name of an unchecked case for errors: its dispute, if it has one."""
    named = data.get("dispute") if isinstance(data, Mapping) else None
    return named if isinstance(named, str) and named else "without a dispute id"


def _in_plain_types(data: Any) -> Any:
    """Return a case in JSON's own types, because the encoder refuses subclasses of str and the like."""
    try:
        return data if holds_json(data) else json.loads(json.dumps(data))
    except (TypeError, ValueError, RecursionError):
        # The schema reports the wrong type with its pointer.
        return data


def _case_violations(data: Any) -> list[Violation]:
    """Return what is wrong with a case, apart from its evidence."""
    from dispute_provider._contracts.validation import violations
    from dispute_provider._evidence.mistakes import mistakes_in_facts

    schema = contract.read_schema("case.schema.json")
    if not isinstance(data, Mapping):
        kind = {type(None): "empty", str: "a text", list: "a list"}.get(type(data), "a single value")
        return [Violation("", f"is {kind}", _A_CASE)]
    usual = list(mistakes_in_facts(schema, data))
    explained = {each.pointer for each in usual}
    return usual + [
        each
        for each in violations(schema, data)
        if each.pointer not in explained and not (each.pointer == "" and each.problem.startswith("unknown: "))
    ]


def _evidence_violations(data: Mapping[str, Any], entries: Iterable[Entry]) -> list[Violation]:
    """Return what is wrong with the evidence of a case that is otherwise valid."""
    from dispute_provider._contracts.validation import violations
    from dispute_provider._evidence.mistakes import mistakes

    try:
        api = contract.load(data["provider"])
    except FileNotFoundError:
        return [Violation("/provider", "is no API known here", f"must be one of: {', '.join(APIS)}")]
    usual = list(mistakes(api, data["evidence"], "/evidence"))
    explained = {each.pointer for each in usual}
    found = usual + [
        replace(each, pointer=f"/evidence{each.pointer}")
        for each in violations(api.evidence, data["evidence"])
        if f"/evidence{each.pointer}" not in explained
        and not (each.pointer == "" and each.problem.startswith("unknown: "))
    ]
    if data.get("account") and "x-case-account" not in api.document:
        found.append(Violation("/account", f"is not used: {api.title} has no accounts", "remove it"))
    return found + [
        Violation(
            f"/evidence/{entry.name}",
            "is a path outside the case's folder",
            "name a file in the case's folder",
        )
        for entry in entries
        if isinstance(entry.value, FileReference)
        and any(isinstance(path, str) and _leads_outside(path) for path in entry.value.files)
    ]


def _without_lengths(
    data: Mapping[str, Any],
    entries: tuple[Entry, ...],
    found: list[Violation],
    always: Callable[[], Collection[str]],
) -> tuple[list[Violation], bool]:
    """Return what is wrong besides texts that will become documents, and whether there are any of these.

    If that is not switched on, what is said about their length names the switch.
    """
    from dispute_provider._evidence.long_texts import CURE, find, shortened

    try:
        long = find(contract.load(data["provider"]), [(each.name, each.value) for each in entries])
    except FileNotFoundError:
        return found, False
    if not long:
        return found, False
    texts = {str(entries[each.place].value) for each in long}
    short = {**data, "evidence": shortened(data["evidence"], texts)}
    others = _evidence_violations(short, entries)
    given = data.get("prepare")
    if "convert" in {*(given if isinstance(given, list) else ()), *always()}:
        return others, True
    return [
        each if each in others else replace(each, remedy=f"{each.remedy}, {CURE}") for each in found
    ], False


def _leads_outside(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/") or "://" in path or "\\" in path


def _groups(provider: str) -> frozenset[str]:
    """Return the names of an API's nested evidence fields; empty for an unknown API."""
    try:
        return groups(contract.load(provider))
    except FileNotFoundError:
        return frozenset()


def _entries(evidence: Mapping[str, Any], groups: frozenset[str], group: str = "") -> Iterator[Entry]:
    for member, given in evidence.items():
        name = f"{group}{member}"
        if name in groups and isinstance(given, Mapping):
            yield from _entries(given, groups, f"{name}{SEPARATOR}")
            continue
        for value in given if isinstance(given, list) else [given]:
            # The usual case first, because the check for a mapping is slow.
            if not isinstance(value, str) and isinstance(value, Mapping) and "file" in value:
                yield Entry(name, FileReference(value["file"], value.get("optional", False)))
            elif not isinstance(value, str) and isinstance(value, Mapping) and "exhibits" in value:
                exhibits = tuple(_exhibits(value["exhibits"]))
                yield Entry(name, FileReference("", value.get("optional", False), exhibits))
            else:
                yield Entry(name, cast("str | Mapping[str, Any]", value))


def _exhibits(given: Any) -> Iterator[Exhibit]:
    """Yield the exhibits of a joined document; nothing of what the schema refuses."""
    for each in given if isinstance(given, list) else ():
        path = each.get("file") if isinstance(each, Mapping) else each
        if isinstance(path, str):
            named = each.get("caption") if isinstance(each, Mapping) else None
            yield Exhibit(path, named if isinstance(named, str) else PurePosixPath(path).name)


def _with_names(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the entries with a name for each joined document, which no other document of the case has."""
    paths = [path for each in entries if isinstance(each.value, FileReference) for path in each.value.files]
    taken = {path for path in paths if isinstance(path, str)}
    named = []
    for entry in entries:
        if isinstance(entry.value, FileReference) and entry.value.exhibits:
            field_name = entry.name.rpartition(SEPARATOR)[2]
            names = (f"{field_name} exhibits{f' {n}' if n > 1 else ''}.pdf" for n in count(1))
            path = next(name for name in names if name not in taken)
            taken.add(path)
            entry = Entry(entry.name, replace(entry.value, path=path))
        named.append(entry)
    return tuple(named)
