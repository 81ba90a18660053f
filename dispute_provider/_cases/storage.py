"""Open the files of cases: those under a folder that may be read, and no others, whatever links say."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

ANYWHERE = ("/",)
_PUT_A_FILE = "put a regular file there"
_SCHEME = re.compile(r"\A[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_INNER_SCHEME = re.compile(r"(?:\A|/)[a-z][a-z0-9+.-]*:/|://", re.IGNORECASE)
# . / \\ and NUL, and a percent sign that a second decoding would meet.
_ENCODED = re.compile(r"%(?:2e|2f|5c|25|00)", re.IGNORECASE)
_QUERY = re.compile(r"[?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Not every system has O_PATH, which asks for no permission to list the folder.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
# A pipe that took a file's place must not keep a worker waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PathRefusedError(Exception):
    """A path that may not be read, in words for people.

    :param problem: what is wrong with it.
    :param remedy: what to do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")


class NotAFileError(PathRefusedError):
    """A pipe, a socket or a device, which may never end."""

    def __init__(self) -> None:
        super().__init__("it is a pipe, a socket or a device", _PUT_A_FILE)


def storage_path(path: str) -> ObjectStoragePath:
    """A place in object storage; a plain path is one on this machine."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(path if "://" in path else f"file://{Path(path).absolute()}")


def find_root(path: str, roots: Sequence[str]) -> str | None:
    """Return the first of some folders that a path is or lies under; None if it lies under none.

    On this machine links are resolved, in roots and paths alike.

    :raises PathRefusedError: if the path could lead elsewhere than it says, see :func:`objection`.
    """
    found = next((root for root in roots if _lies_under(path, root)), None)
    if is_local(path):
        _require_plain(path, local=True)
    else:
        # A root itself may be a chain of addresses: whoever set up Airflow chose it.
        _require_plain(path.removeprefix(found.rstrip("/")) if found else path, local=False)
    return found


def open_file(path: str, roots: Sequence[str]) -> IO[bytes]:
    """Open a regular file for reading.

    On this machine it is opened folder by folder from its root, by handles that follow no link: links are
    resolved to a name first, and a link that is put into the way of that name afterwards is refused. So a
    link may lead anywhere within its root, and nothing outside of it is ever opened.

    :param roots: folders that may be read.
    :raises PathRefusedError: if it lies outside of them, see :func:`find_root`, or is no regular file.
    :raises OSError: if it cannot be opened, or is a folder.
    """
    root = find_root(path, roots)
    if root is None:
        raise PathRefusedError("it stands outside of the folders that may be read", "move it into one")
    return _open(path, root)


def open_document(folder: str, name: str, roots: Sequence[str]) -> IO[bytes]:
    """Open a document of a case, as :func:`open_file` does.

    :param folder: the case's own, which the document may not leave.
    :param name: relative to it.
    :param roots: folders that may be read.
    """
    root, path = find_root(folder, roots), f"{folder.rstrip('/')}/{name}"
    if not is_local(folder):
        # The sign # may stand in a name, as in "Invoice #12.pdf": no store reads it otherwise.
        _require_plain(name.replace("#", ""), local=False)
    if root is None or not _lies_under(path, folder):
        raise PathRefusedError("it stands outside of the case's folder", "put it beside the case")
    return _open(path, root)


def _open(path: str, root: str) -> IO[bytes]:
    if is_local(path):
        real_root, real_path = _real(root), _real(path)
        if not real_path.is_relative_to(real_root):
            raise PathRefusedError("a link led it out of its folder while it was opened", _PUT_A_FILE)
        return _open_beneath(real_root, real_path)
    file = storage_path(path)
    require_file(file)
    opened: IO[bytes] = file.open("rb")  # type: ignore[no-untyped-call]  # of a path that fsspec leaves untyped
    return opened


def require_file(file: ObjectStoragePath) -> None:
    """Check that a path in a store leads to a file.

    :raises OSError: if it leads nowhere, or to a folder.
    :raises NotAFileError: if it leads to something else.
    """
    kind = file.fs.info(file.path)["type"]
    if kind == "directory":
        # A folder that may not be listed says so.
        next(iter(file.iterdir()), None)
        raise IsADirectoryError
    if kind != "file":
        raise NotAFileError


def is_local(path: str) -> bool:
    """Whether a path is one on this machine."""
    return "://" not in path or path.startswith("file://")


def _lies_under(path: str, root: str) -> bool:
    if is_local(path) != is_local(root):
        return False
    if is_local(path):
        return _real(path).is_relative_to(_real(root))
    return f"{path.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")


def objection(path: str) -> str | None:
    """Return why an object in a store may not be named by this path; None if it may. Pure.

    Stores and what stands before them read such paths differently: some decode ``%2e``, some take ``\\`` for
    a slash, and fsspec opens another store behind ``::``.

    :param path: an address, or what follows on its root.
    """
    below = _SCHEME.sub("", path, count=1)
    if ".." in re.split(r"[/\\]", below):
        return "has .. in it"
    if "::" in below or _INNER_SCHEME.search(below):
        return "has a second address in it"
    if "\\" in below:
        return "has a backslash in it, which some stores take for a slash"
    if found := _ENCODED.search(below):
        return f"has an encoded sign in it ({found[0]}), which some stores decode"
    if found := _QUERY.search(below):
        return f"has {found[0]} in it, which some stores take for the end of the name"
    if _CONTROL.search(below):
        return "has a control character in it"
    return None


def _require_plain(path: str, local: bool) -> None:
    """Check that a path can only be read in one way; a name on this machine is taken as it is.

    :raises PathRefusedError: if it can be read in another.
    """
    if local:
        found = "has a second address in it" if "://" in path.removeprefix("file://") else None
    else:
        found = objection(path)
    if found:
        raise PathRefusedError(f"its path {found}", "name it by its plain path, or rename it")


def _real(path: str) -> PurePath:
    """Where a path leads; links in a circle, which Path.resolve does not survive, lead to themselves."""
    return PurePath(os.path.realpath(path.removeprefix("file://")))


def _open_beneath(root: PurePath, path: PurePath) -> IO[bytes]:
    """Open a regular file by handles, from a folder that holds it, following no link below that folder.

    :param path: without links, as it was found a moment ago.
    """
    *folders, name = path.relative_to(root).parts or (".",)
    handle = os.open(root, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        # Looked at before it is opened as well: opening a device may do something.
        _require_regular(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
        file = os.open(name, _FILE, dir_fd=handle)
    finally:
        os.close(handle)
    try:
        _require_regular(os.fstat(file).st_mode)
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def _require_regular(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise PathRefusedError("it is a link to itself, or became one while it was opened", _PUT_A_FILE)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise NotAFileError
