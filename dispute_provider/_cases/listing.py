"""List folders, with a version of each file that changes with its content."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispute_provider._cases.storage import is_local, storage_path

# Stores that hash the content name the hash differently.
_HASHES = ("ETag", "etag", "md5Hash", "content_md5")
# Seconds. A file may change again within the resolution of its store's clock, without a new time.
_CLOCK_RESOLUTION = 2.0
ABSENT = "absent"
"""The version of a file that does not exist."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a folder.

    :param path: its full path.
    :param version: changes with the file's content; None if the store cannot show that, for a link, and for a
        file that has only just changed.
    """

    path: str
    name: str
    is_folder: bool
    version: str | None
    is_link: bool = False


def list_folder(folder: str) -> list[Listed]:
    """Return the entries of a folder, sorted by name, with one call to the store.

    :raises FileNotFoundError: if there is no such folder.
    :raises NotADirectoryError: if it is a file.
    :raises Exception: of another type, if it cannot be listed.
    """
    place = storage_path(folder)
    itself = place.path.strip("/")
    # s3fs would otherwise answer from its cache.
    infos = place.fs.ls(place.path, detail=True, refresh=True)
    if [info["name"].strip("/") for info in infos] == [itself] and infos[0]["type"] != "directory":
        raise NotADirectoryError(folder)
    entries: list[Listed] = []
    for info in infos:
        # Some stores list a folder's own marker.
        if (name := info["name"].strip("/")) == itself:
            continue
        is_link = bool(info.get("islink"))
        is_folder = place.fs.isdir(info["name"]) if is_link else info["type"] == "directory"
        leaf = name.rpartition("/")[2]
        path = f"{str(place).rstrip('/')}/{leaf}"
        entries.append(Listed(path, leaf, is_folder, None if is_folder else _version(info), is_link))
    return sorted(entries, key=lambda entry: entry.name)


def list_names(folder: str) -> list[str]:
    """Return the names of a folder's entries, without looking at the entries; raises the same errors.

    A store answers with up to 1,000 names per request.
    """
    place = storage_path(folder)
    if is_local(folder):
        # fsspec makes each name a path, which takes ten times as long.
        return os.listdir(place.path)  # noqa: PTH208  # only names are needed
    itself = place.path.strip("/")
    paths = (path.strip("/") for path in place.fs.ls(place.path, detail=False, refresh=True))
    return [path.rpartition("/")[2] for path in paths if path != itself]


def version_of(path: str) -> str | None:
    """Return the version of a file, as :class:`Listed` has it; :data:`ABSENT` if there is no such file."""
    place = storage_path(path)
    try:
        return _version(place.fs.info(place.path))
    except FileNotFoundError:
        return ABSENT


def _version(info: Mapping[str, Any]) -> str | None:
    if info.get("islink") or info["type"] != "file":
        return None
    if content := next((info[name] for name in _HASHES if info.get(name)), None):
        return f"{info['size']} {content}"
    # A copy may keep the time of the original's last change, but not the time of its creation.
    times = [_seconds(info[name]) for name in ("mtime", "created") if info.get(name)]
    if "mtime" not in info or time.time() - max(times) < _CLOCK_RESOLUTION:
        return None
    return " ".join(map(str, (info["size"], info.get("ino"), *times)))


def _seconds(moment: Any) -> float:
    return float(moment.timestamp() if hasattr(moment, "timestamp") else moment)
