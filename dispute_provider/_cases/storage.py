"""Open case files and documents, but only files under the allowed folders, with links resolved."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

ANYWHERE = ("/",)
_PUT_A_FILE = "put a regular file there"
# What Airflow needs for an address, on each machine that reads or writes there.
_PACKAGES = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
}
_SCHEME = re.compile(r"\A[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_INNER_SCHEME = re.compile(r"(?:\A|/)[a-z][a-z0-9+.-]*:/|://", re.IGNORECASE)
# . / \\ and NUL, and a percent sign, which would be decoded twice.
_ENCODED = re.compile(r"%(?:2e|2f|5c|25|00)", re.IGNORECASE)
_QUERY = re.compile(r"[?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# O_PATH needs no permission to list the folder; not every system has it.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a pipe in a file's place must not block a worker.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PathRefusedError(Exception):
    """A path that must not be read.

    :param problem: what is wrong with it, for the message.
    :param remedy: what to do about it, for the message.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")


class NotAFileError(PathRefusedError):
    """The path of a pipe, a socket or a device, reading which may never end."""

    def __init__(self) -> None:
        super().__init__("it is a pipe, a socket or a device", _PUT_A_FILE)


def storage_path(path: str) -> ObjectStoragePath:
    """Return a path as an ``ObjectStoragePath``; a path without a scheme is local.

    :raises PathRefusedError: if the package for addresses of this kind is not installed.
    """
    from airflow.sdk import ObjectStoragePath

    place = ObjectStoragePath(path if "://" in path else f"file://{Path(path).absolute()}")
    if not is_local(path):
        try:
            _ = place.fs
        except (ImportError, ValueError):
            # Otherwise fsspec would answer some calls and Airflow refuse the others.
            scheme = path.partition("://")[0]
            package = _PACKAGES.get(scheme)
            cure = f"install {package}" if package else "use a local folder, s3:// or gs://"
            raise PathRefusedError(
                f"Airflow cannot open {scheme}:// addresses here", f"{cure} on the workers and the API server"
            ) from None
    return place


def find_root(path: str, roots: Sequence[str]) -> str | None:
    """Return the first root that a path equals or is under; None if there is none.

    Links in local roots and paths are resolved.

    :raises PathRefusedError: if the path is ambiguous, see :func:`objection`.
    """
    found = next((root for root in roots if _lies_under(path, root)), None)
    if is_local(path):
        _require_plain(path, local=True)
    else:
        # Only the part below the root is checked: the administrator chose the root, which may be a chain.
        _require_plain(path.removeprefix(found.rstrip("/")) if found else path, local=False)
    return found


def open_file(path: str, roots: Sequence[str]) -> IO[bytes]:
    """Open a regular file for reading.

    Links in a local path are resolved first. The resolved path is then opened folder by folder from its root,
    by handles that do not follow links, so that a link created in the meantime is refused. A link may
    therefore point anywhere within its root, and nothing outside the root is opened.

    :param roots: folders that may be read.
    :raises PathRefusedError: if the path is outside these folders, see :func:`find_root`, or is not a regular
        file.
    :raises OSError: if it cannot be opened, or is a folder.
    """
    root = find_root(path, roots)
    if root is None:
        raise PathRefusedError("it is outside the folders that may be read", "move it to one of them")
    return _open(path, root)


def open_document(folder: str, name: str, roots: Sequence[str]) -> IO[bytes]:
    """Open a document of a case, in the same way as :func:`open_file`.

    :param folder: the case's folder, which must contain the document.
    :param name: the document's path relative to it.
    :param roots: folders that may be read.
    """
    root = find_root(folder, roots)
    if not is_local(folder):
        # Document names may contain #, as in "Invoice #12.pdf": stores take it literally.
        _require_plain(name.replace("#", ""), local=False)
    first, *others = [f"{folder.rstrip('/')}/{each}" for each in forms(name)]
    if root is None or not _lies_under(first, folder):
        raise PathRefusedError("it is outside the case's folder", "move it to the case's folder")
    try:
        return _open(first, root)
    except FileNotFoundError:
        for path in others:
            try:
                return _open(path, root)
            except FileNotFoundError:
                continue
        raise


def forms(name: str) -> list[str]:
    """Return a name as it is written, then its other Unicode forms: Macs store accents apart from letters."""
    return list(dict.fromkeys([name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]))


def _open(path: str, root: str) -> IO[bytes]:
    if is_local(path):
        real_root, real_path = _real(root), _real(path)
        if not real_path.is_relative_to(real_root):
            raise PathRefusedError("a link led outside its folder while it was opened", _PUT_A_FILE)
        return _open_beneath(real_root, real_path)
    file = storage_path(path)
    require_file(file)
    # The path's own open() reports to Airflow's lineage, which imports all providers with assets first.
    opened: IO[bytes] = file.fs.open(file.path, "rb")
    return opened


def require_file(file: ObjectStoragePath) -> None:
    """Check that a path in a store is the path of a file.

    :raises OSError: if nothing is there, or a folder.
    :raises NotAFileError: if anything else is there.
    """
    kind = file.fs.info(file.path)["type"]
    if kind == "directory":
        # Raises the store's error if the folder may not be listed.
        next(iter(file.iterdir()), None)
        raise IsADirectoryError
    if kind != "file":
        raise NotAFileError


def leads_around(link: str) -> bool:
    """Return whether a local link leads to a folder that it lies in."""
    return is_local(link) and _real(link.rpartition("/")[0]).is_relative_to(_real(link))


def is_local(path: str) -> bool:
    """Return whether a path is local."""
    return "://" not in path or path.startswith("file://")


def _lies_under(path: str, root: str) -> bool:
    if is_local(path) != is_local(root):
        return False
    if is_local(path):
        return _real(path).is_relative_to(_real(root))
    return f"{path.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")


def objection(path: str) -> str | None:
    """Return why a path in a store is ambiguous; None if it is not. Pure.

    Stores and the proxies in front of them interpret such paths differently: some decode ``%2e``, some treat
    ``\\`` as a slash, and fsspec opens another store after ``::``.

    :param path: a URL, or the part of it below its root.
    """
    below = _SCHEME.sub("", path, count=1)
    if ".." in re.split(r"[/\\]", below):
        return "contains .."
    if "::" in below or _INNER_SCHEME.search(below):
        return "contains a second address"
    if "\\" in below:
        return "contains a backslash, which some stores treat as a slash"
    if found := _ENCODED.search(below):
        return f"contains an encoded character ({found[0]}), which some stores decode"
    if found := _QUERY.search(below):
        return f"contains {found[0]}, which some stores treat as the end of the name"
    if _CONTROL.search(below):
        return "contains a control character"
    return None


def _require_plain(path: str, local: bool) -> None:
    """Check that a path is not ambiguous; a local path is only checked for a second address.

    :raises PathRefusedError: if it is ambiguous.
    """
    if local:
        found = "contains a second address" if "://" in path.removeprefix("file://") else None
    else:
        found = objection(path)
    if found:
        raise PathRefusedError(f"its path {found}", "use its plain path, or rename the file")


def _real(path: str) -> PurePath:
    """Resolve the links of a path; unlike ``Path.resolve``, a circle of links raises no error."""
    return PurePath(os.path.realpath(path.removeprefix("file://")))


def _open_beneath(root: PurePath, path: PurePath) -> IO[bytes]:
    """Open a regular file by handles from a folder above it, following no link below that folder.

    :param path: with links resolved.
    """
    *folders, name = path.relative_to(root).parts or (".",)
    handle = os.open(root, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        # Checked before opening too, because opening a device can have effects.
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
        raise PathRefusedError("it is a link to itself, or became a link while it was opened", _PUT_A_FILE)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise NotAFileError
