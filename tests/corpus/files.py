"""The documents of the corpus: which ones, and where their bytes come from."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from urllib.request import urlopen

_LIST = Path(__file__).with_name("files.tsv")
_KNOWN = Path(__file__).with_name("known.tsv")
_ADDRESS = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
_SECONDS = 60


class Entry(NamedTuple):
    """One document: a file of a public GitHub repository at a commit.

    :param sha256: of its bytes.
    """

    repository: str
    commit: str
    path: str
    sha256: str


def entries() -> Iterator[Entry]:
    """Yield the documents of the corpus in the order of the list."""
    with _LIST.open(encoding="utf-8", newline="") as file:
        yield from (Entry(**row) for row in csv.DictReader(file, delimiter="\t"))


def known_pages() -> dict[tuple[str, int], str]:
    """Return what is known about single pages, by the digest of their document and their number."""
    with _KNOWN.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["sha256"], int(row["page"])): row["reason"] for row in rows}


def fetched(entry: Entry, shelf: Path, clones: Path | None) -> Path:
    """Return the file with a document's bytes, which are fetched if they are not on the shelf.

    :param shelf: the folder of all documents that were fetched, named by their digest.
    :param clones: a folder of clones, as ``<owner>/<name>``, to read instead of GitHub.
    :raises OSError: if they cannot be had.
    :raises ValueError: if they are other bytes than the list says.
    """
    file = shelf / f"{entry.sha256}.pdf"
    if not file.exists():
        content = _downloaded(entry) if clones is None else _of_clone(entry, clones)
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise ValueError(f"{entry.repository}: {entry.path} has other bytes than the list says")
        shelf.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return file


def _downloaded(entry: Entry) -> bytes:
    address = _ADDRESS.format(repository=entry.repository, commit=entry.commit, path=quote(entry.path))
    with urlopen(address, timeout=_SECONDS) as answer:
        content: bytes = answer.read()
    return content


def _of_clone(entry: Entry, clones: Path) -> bytes:
    command = [
        "git",
        "-C",
        str(clones / entry.repository),
        "cat-file",
        "blob",
        f"{entry.commit}:{entry.path}",
    ]
    try:
        return subprocess.run(command, check=True, capture_output=True).stdout
    except subprocess.CalledProcessError as error:
        raise OSError(error.stderr.decode(errors="replace").strip()) from None
