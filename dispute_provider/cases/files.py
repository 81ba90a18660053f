"""Case files, wherever ``ObjectStoragePath`` reaches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispute_provider import config
from dispute_provider.evidence.case_size import LARGEST_CASE

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from dispute_provider.evidence.case import Case

_SUFFIXES = (".json", ".yaml", ".yml")
_NOT_UTF_8 = re.compile(r"\\udc[89a-f][0-9a-f]")


def require_within_roots(path: str) -> None:
    """Refuse a path that a form, a row or another task named, unless it stands under a case root.

    :raises InvalidCaseError: if it does not; otherwise a form could read any file of a worker.
    """
    from dispute_provider.evidence.case import reading, refused

    with reading(path):
        if not any(is_within(path, root) for root in config.case_roots()):
            remedy = "move the case under a folder of [dispute] case_roots, or add its folder there"
            raise refused(path, "it stands outside of the case roots", remedy)


def is_within(path: str, root: str) -> bool:
    """Whether a path is a root or stands under it, links and ``..`` resolved where they can be."""
    if _is_local(path) != _is_local(root):
        return False
    if _is_local(path):
        return _resolved(path).is_relative_to(_resolved(root))
    return ".." not in path.split("/") and f"{path.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")


def _is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def _resolved(path: str) -> Path:
    """Where a path leads; links in a circle, which Path.resolve does not survive, lead to themselves."""
    return Path(os.path.realpath(path.removeprefix("file://")))


def find_cases(folder: str) -> Iterator[str]:
    """Yield a folder's case files, in order: its own JSON and YAML files, and ``case.*`` one folder down.

    A folder that cannot be listed is yielded itself: reading it as a case says why.
    """
    entries = _listed(folder)
    if entries is None:
        yield _encodable(folder)
    for entry in entries or ():
        if not _is_folder(entry):
            if entry.suffix.lower() in _SUFFIXES:
                yield _encodable(str(entry))
        elif (files := _listed(str(entry))) is None:
            yield _encodable(str(entry))
        else:
            for file in files:
                if file.stem == "case" and file.suffix in _SUFFIXES:
                    yield _encodable(str(file))


def _listed(folder: str) -> list[ObjectStoragePath] | None:
    """What a folder holds, in order; None if it cannot be listed."""
    try:
        return sorted(storage_path(folder).iterdir(), key=str)
    except Exception:  # whatever its file system raises
        return None


def _is_folder(entry: ObjectStoragePath) -> bool:
    try:
        return entry.is_dir()
    except Exception:  # likewise
        return False


def _encodable(path: str) -> str:
    """A path as it can go through XCom: a name that is not UTF-8 is escaped, and no longer found."""
    return path.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file that was read, but not checked.

    :param source: its path.
    :param folder: where the documents stand that it names.
    """

    source: str
    folder: str
    data: Any = field(repr=False)

    def case(self) -> Case:
        """Check and return the case.

        :raises InvalidCaseError: with every violation in it.
        """
        from dispute_provider.evidence.case import Case

        return Case.parse(self.data, folder=self.folder, source=self.source)


def read_case(path: str) -> Case:
    """Read one case file.

    :raises InvalidCaseError: if it cannot be read, or with every violation in it.
    """
    return read_file(path).case()


def read_file(path: str) -> CaseFile:
    """Read one case file without checking what it holds.

    :raises InvalidCaseError: if it cannot be read.
    """
    from dispute_provider.evidence.case import reading, refused

    with reading(path):
        file = storage_path(path)
        try:
            content = _read(file, path)
        except FileNotFoundError:
            if _NOT_UTF_8.search(path):
                raise refused(path, "its name is not UTF-8", "rename it") from None
            raise
        if content is None:
            problem = f"it has more than {LARGEST_CASE:,} bytes"
            raise refused(path, problem, "name the case file, not a document")
        return CaseFile(path, str(file.parent), _parse(content, file.suffix.lower(), path))


def _read(file: ObjectStoragePath, source: str) -> bytes | None:
    """The bytes of a file, None if they are more than a case has."""
    require_file(file, source)
    with file.open("rb") as opened:  # type: ignore[no-untyped-call]  # of a path that fsspec leaves untyped
        content: bytes = opened.read(LARGEST_CASE + 1)
    return content if len(content) <= LARGEST_CASE else None


def require_file(file: ObjectStoragePath, source: str) -> None:
    """Check that a path leads to a regular file before it is opened: a pipe or a device may never end.

    :param source: what to call it in an error.
    :raises OSError: if it leads nowhere, or to a folder.
    :raises InvalidCaseError: if it leads to a pipe, a socket or a device.
    """
    from dispute_provider.evidence.case import refused

    kind = file.fs.info(file.path)["type"]
    if kind == "directory":
        # A folder that may not be listed says so.
        next(iter(file.iterdir()), None)
        raise IsADirectoryError
    if kind != "file":
        raise refused(source, "it is a pipe, a socket or a device", "put a regular file there")


def storage_path(path: str) -> ObjectStoragePath:
    """A place in object storage; a plain path is one on this machine."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(path if "://" in path else f"file://{Path(path).absolute()}")


def _parse(content: bytes, suffix: str, source: str) -> Any:
    from dispute_provider.cases.text import parse_json, parse_yaml

    return (parse_json if suffix == ".json" else parse_yaml)(content, source)
