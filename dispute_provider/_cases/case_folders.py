"""Find the case files of a case root: by the address of their dispute, and by listing its other folders.

The address of a dispute's case is ``<root>/<api>/<dispute id>/case.yaml``. One listing of this folder finds
it. Of ``<root>/<api>`` only the names are listed, so the number of cases in it matters little. All other
files and folders of a root are listed in every sweep, because any of them may be a second case for an open
dispute. What looks like a case and is not read is returned with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from dispute_provider._cases.file_names import (
    HIDDEN,
    RENAME,
    is_case,
    is_case_file,
    is_named_case,
    objection,
    objection_in_folder,
)
from dispute_provider._cases.listing import ABSENT, Listed, list_folder, list_names, version_of
from dispute_provider._cases.storage import forms, leads_around
from dispute_provider._registry import APIS

TEMPLATES = "templates"
"""The folder of a case root that has templates, and no cases."""
_NESTED = "it has no case.yaml or case.json, and folders in it are not searched; move them to the case root"
_MOVE = "only case.yaml and case.json are read beside the folders of disputes; move it to one, as case.yaml"
_DEEPER = "folders in the folder of a case are not searched; move it to the case root, or remove it"
_AROUND = "it is a link to a folder that it lies in; remove it"
_DATED = "folders of dates are not searched; move the folders of disputes out of it"
_UNLISTED = "it cannot be listed; give the workers permission to list it"
# Levels of folders, below the folder of a case, that are searched for misplaced cases.
_LEVELS = 3
_FOLDER_NAME = re.compile(r"(?!\.)[\w.:-]+")
_DATE = re.compile(r"\d{4}(?:[-_.]?\d\d){0,2}")


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
        FoundCase(encodable(each.path), each.version, beside=versions, ignored=objection(each.name))
        for each in entries
        if not each.is_folder and (is_case_file(each.name) or objection(each.name))
    ]
    named = [dispute for dispute in disputes if is_folder_name(dispute)]
    for each in reserved:
        found += _beside_addresses(each, provider, named)
        if each.name == provider:
            looked_up = threads.map(lambda dispute, area=each.path: _at_address(area, dispute), named)
            found += [case for cases in looked_up for case in cases]
    others = [each for each in entries if each.is_folder and each not in reserved]
    misspelt = [each for each in others if provider and each.name.lower() in APIS]
    for each in misspelt:
        right = each.name.lower()
        found.append(FoundCase(encodable(each.path), ignored=f"the folder of this API is {right}; rename it"))
    others = [each for each in others if each not in misspelt]
    found += [case for cases in threads.map(_in_subfolder, others) for case in cases]
    return sorted(found, key=lambda case: case.path)


def is_folder_name(dispute: str) -> bool:
    """Return whether a folder can have the name of a dispute."""
    return _FOLDER_NAME.fullmatch(dispute) is not None


def _at_address(area: str, dispute: str) -> list[FoundCase]:
    folder = f"{area}/{dispute}"
    try:
        return _in_folder(folder, dispute)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception:  # as above
        return [FoundCase(encodable(folder), address=dispute)]


def _in_subfolder(folder: Listed) -> list[FoundCase]:
    try:
        if folder.is_link and leads_around(folder.path):
            return [FoundCase(encodable(folder.path), ignored=_AROUND)]
        if folder.name.startswith("."):
            found = _cases_in(list_folder(folder.path))
            return [replace(each, ignored=HIDDEN) for each in found if each.ignored != RENAME]
        return _in_folder(folder.path)
    except Exception:  # as above
        return [FoundCase(encodable(folder.path))]


def _in_folder(folder: str, address: str | None = None) -> list[FoundCase]:
    """Return the cases of a folder, and what looks like one in it and in its folders."""
    entries = list_folder(folder)
    found = list(_cases_in(entries, address))
    inner = [each for each in entries if each.is_folder]
    if not found and inner:
        return [FoundCase(encodable(folder), ignored=_NESTED)]
    return [*found, *(case for each in inner if not each.is_link for case in _deeper(each.path, _LEVELS))]


def _deeper(folder: str, levels: int) -> Iterator[FoundCase]:
    """Yield what looks like a case in a folder that is not searched for cases, with its documents perhaps."""
    try:
        entries = list_folder(folder)
    except Exception:  # as above
        yield FoundCase(encodable(folder), ignored=_UNLISTED)
        return
    for each in entries:
        # A link may lead back to a folder above it.
        if each.is_folder and levels > 1 and not each.is_link:
            yield from _deeper(each.path, levels - 1)
        elif not each.is_folder and (objection(each.name) or is_named_case(each.name)):
            yield FoundCase(encodable(each.path), ignored=_DEEPER)


def _cases_in(entries: Collection[Listed], address: str | None = None) -> Iterator[FoundCase]:
    versions = _versions(entries)
    # A folder that is named case.yaml is refused when it is read.
    files = [each for each in entries if not each.is_folder or is_case(each.name)]
    has_case = any(is_case(each.name) for each in files)
    for each in files:
        why = "" if is_case(each.name) else objection_in_folder(each.name, has_case)
        if why or is_case(each.name):
            yield FoundCase(encodable(each.path), each.version, address, versions, why)


def _beside_addresses(area: Listed, provider: str, disputes: Collection[str]) -> Iterator[FoundCase]:
    """Yield the case files beside the folders of an API's disputes, and what is not read there.

    :param area: the API's folder, which may contain many: only the names in it are listed.
    :param provider: the API whose disputes these are.
    """
    try:
        names = list_names(area.path)
    except Exception:  # as above
        yield FoundCase(encodable(area.path))
        return
    spelled = {dispute.lower(): dispute for dispute in disputes}
    for name in names:
        path = f"{area.path}/{name}"
        # Most names are those of old disputes, which have no dot.
        if "." in name and is_case(name):
            yield FoundCase(encodable(path), _version_of(path))
        elif "." in name and (is_case_file(name) or objection(name)):
            yield FoundCase(encodable(path), ignored=objection(name) or _MOVE)
        elif name[:1].isdigit() and _DATE.fullmatch(name):
            yield FoundCase(encodable(path), ignored=_DATED)
        elif dispute := spelled.get(name.strip().lower()):
            right = f"{provider}/{dispute}"
            if f"{area.name}/{name}" != right:
                yield FoundCase(encodable(path), ignored=f"this dispute's folder is {right}; move it there")


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
