"""Turn the texts of a case that are longer than its API takes into documents. Pure. Nothing is cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, fields, lists
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import Entry, Exhibit, FileReference
from dispute_provider._evidence.long_texts import EITHER, LongText, find
from dispute_provider._explain.labels import label
from dispute_provider.exceptions import InvalidCaseError, Violation


def in_documents(api: Contract, case: Case) -> tuple[Case, list[str]]:
    """Return a case with documents in place of the texts that are too long, and a note on each of those.

    :raises InvalidCaseError: if the field for it takes one document only, and the case has one already.
    """
    long = find(api, [(each.name, each.value) for each in case.evidence])
    paths = {path for each in case.files for path in each.files}
    held = {entry.name for entry in case.evidence if isinstance(entry.value, FileReference)}
    if taken := [each for each in long if each.field in held and not _takes_several(api, each.field)]:
        raise InvalidCaseError(case.dispute, [_taken(case.evidence[each.place], each) for each in taken])
    texts: dict[str, Entry] = {}
    groups: dict[object, list[LongText]] = {}
    for each in long:
        alone = _takes_several(api, each.field)
        groups.setdefault(each.place if alone else each.field, []).append(each)
    made: dict[int, Entry] = {}
    for group in groups.values():
        named = []
        for each in group:
            entry = case.evidence[each.place]
            path = _name(entry, paths)
            paths.add(path)
            texts[path] = entry
            named.append(Exhibit(path, label(entry.name, api.api)))
        made[group[0].place] = _document(group[0].field, named, [texts[each.path] for each in named], paths)
    gone = {each.place for each in long} - made.keys()
    evidence = [made.get(place, entry) for place, entry in enumerate(case.evidence) if place not in gone]
    notes = [
        f"{case.evidence[each.place].name} {each.problem}, so it is sent as a document in {each.field}"
        for each in long
    ]
    return dataclasses.replace(case, evidence=tuple(evidence), texts=texts), notes


def _takes_several(api: Contract, field: str) -> bool:
    """Return whether a field takes any number of documents."""
    return field in lists(api) or fields(api)[field].get("x-kind") == EITHER


def _taken(entry: Entry, long: LongText) -> Violation:
    return Violation(
        f"/evidence/{entry.name}",
        f"{long.problem}; it would become a document in {long.field}, which the case has already",
        "shorten it; or save it as a text file, and join both there: {exhibits: [a.pdf, b.txt]}",
    )


def _name(entry: Entry, taken: Iterable[str]) -> str:
    stem = entry.name.rpartition(SEPARATOR)[2]
    return next(name for name in _names(stem, "txt") if name not in taken)


def _names(stem: str, suffix: str) -> Iterator[str]:
    yield from (f"{stem}{f' {number}' if number > 1 else ''}.{suffix}" for number in count(1))


def _document(field: str, named: Sequence[Exhibit], texts: Sequence[Entry], taken: Iterable[str]) -> Entry:
    """Return the document of one text, or of several that are joined."""
    reference = FileReference(named[0].path)
    if len(named) > 1:
        stem = f"{field.rpartition(SEPARATOR)[2]} exhibits"
        path = next(name for name in _names(stem, "pdf") if name not in taken)
        reference = FileReference(path, exhibits=tuple(named))
    return Entry(field, reference, all(each.written for each in texts))
