"""Find the case files of a case root: by the address of their dispute, and by listing its other folders.

The address of a dispute's case is ``<root>/<api>/<dispute id>/case.yaml``. One listing of this folder finds
it. ``<root>/<api>`` is never listed, so the number of cases in it does not matter. All other files and
folders of a root are listed in every sweep, because any of them may be a second case for an open dispute.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from dispute_provider._cases.listing import ABSENT, Listed, list_folder, version_of
from dispute_provider._cases.storage import forms
from dispute_provider._registry import APIS

TEMPLATES = "templates"
"""The folder of a case root that has templates, and no cases."""
SUFFIXES = (".json", ".yaml", ".yml")
_LOOK_ALIKE = re.compile(r".*\.(?:json|ya?ml)\.[^.]+", re.IGNORECASE)
_HIDDEN = "it is hidden, as its name or its folder's starts with a dot; rename it"
_NESTED = "it has no case.yaml or case.json, and folders in it are not searched; move them to the case root"
_FOLDER_NAME = re.compile(r"(?!\.)[\w.:-]+")


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case file that was found but not read, or a folder that cannot be listed.

    :param path: its path.
    :param version: changes with its content; None if that is unknown.
    :param address: the dispute whose address it is at; None for another place.
    :param beside: the versions of the files in its folder, by name.
    :param ignored: why it is not read as a case, if it only looks like one; empty, the default, for a case.
    """

    path: str
    version: str | None = None
    address: str | None = None
    beside: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    ignored: str = ""

    def document_version(self, folder: str, name: str) -> str | None:
        """Return the version of a document of the case; None if it is unknown.

        :param folder: the case's folder.
        :param name: the document's path in it.
        """
        for each in forms(name):
            if each in self.beside:
                return self.beside[each]
        versions = [_version_of(f"{folder.rstrip('/')}/{each}") for each in forms(name)]
        return next((each for each in versions if each != ABSENT), ABSENT)


def find(root: str, threads: Executor, provider: str = "", disputes: Iterable[str] = ()) -> list[FoundCase]:
    """Return the case files of a root, sorted by path.

    :param provider: the API whose disputes are looked up by their address; by default, none is, and folders
        with the name of an API are listed like all others.
    :param disputes: the ids of these disputes.
    """
    try:
        entries = list_folder(root)
    except Exception:  # file systems raise many types; reading the folder as a case reports the error
        return [FoundCase(encodable(root))]
    entries = [each for each in entries if not (each.is_folder and each.name == TEMPLATES)]
    reserved = [each for each in entries if each.is_folder and provider and each.name in APIS]
    versions = _versions(entries)
    found = [
        FoundCase(encodable(each.path), each.version, beside=versions, ignored=_objection(each.name))
        for each in entries
        if not each.is_folder and (_is_case_file(each.name) or _objection(each.name))
    ]
    for each in reserved:
        found += _directly_in(each.path)
        if each.name == provider:
            named = [dispute for dispute in disputes if _FOLDER_NAME.fullmatch(dispute)]
            looked_up = threads.map(lambda dispute, area=each.path: _at_address(area, dispute), named)
            found += [case for cases in looked_up for case in cases]
    others = [each for each in entries if each.is_folder and each not in reserved]
    found += [case for cases in threads.map(_in_subfolder, others) for case in cases]
    return sorted(found, key=lambda case: case.path)


def _at_address(area: str, dispute: str) -> list[FoundCase]:
    folder = f"{area}/{dispute}"
    try:
        return list(_cases_in(list_folder(folder), dispute))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception:  # as above
        return [FoundCase(encodable(folder), address=dispute)]


def _in_subfolder(folder: Listed) -> list[FoundCase]:
    try:
        entries = list_folder(folder.path)
    except Exception:  # as above
        return [FoundCase(encodable(folder.path))]
    found = list(_cases_in(entries))
    if folder.name.startswith("."):
        return [replace(each, ignored=_HIDDEN) for each in found]
    if not found and any(each.is_folder for each in entries):
        return [FoundCase(encodable(folder.path), ignored=_NESTED)]
    return found


def _cases_in(entries: Collection[Listed], address: str | None = None) -> Iterator[FoundCase]:
    versions = _versions(entries)
    for each in entries:
        objection = "" if each.is_folder else _objection(each.name)
        if objection or (_is_case_file(each.name) and PurePosixPath(each.name).stem.lower() == "case"):
            yield FoundCase(encodable(each.path), each.version, address, versions, objection)


def _is_case_file(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _objection(name: str) -> str:
    """Return why a file that looks like a case is not read as one; empty for any other file."""
    if _LOOK_ALIKE.fullmatch(name):
        return f"its name ends in {PurePosixPath(name).suffix}; rename it to case.yaml or case.json"
    return _HIDDEN if name.startswith(".") and _is_case_file(name) else ""


def _directly_in(folder: str) -> Iterator[FoundCase]:
    """Yield the case files of a folder that is too large to list."""
    for suffix in SUFFIXES:
        path = f"{folder}/case{suffix}"
        version = _version_of(path)
        if version != ABSENT:
            yield FoundCase(encodable(path), version)


def _version_of(path: str) -> str | None:
    try:
        return version_of(path)
    except Exception:  # file systems raise many types; reading the file reports the error
        return None


def _versions(entries: Iterable[Listed]) -> dict[str, str | None]:
    return {each.name: each.version for each in entries if not each.is_folder}


def encodable(path: str) -> str:
    """Return a path that XCom can hold; a name that is not UTF-8 is escaped, and reading it is refused."""
    return path.encode("utf-8", "backslashreplace").decode()
