"""Read the evidence of a case, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import PurePosixPath
from typing import Any, cast

import msgspec

from dispute_provider._contracts import contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, groups


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


def entries_of(provider: str, evidence: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Return the entries of a case's evidence, also of one that breaks the schema.

    :param provider: the name of its API; fields of an unknown one are not taken apart.
    """
    return _with_names(tuple(_entries(evidence, _groups(provider))))


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
