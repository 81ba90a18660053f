"""Find and read case files in local folders and in any store that ``ObjectStoragePath`` supports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dispute_provider import _config as config
from dispute_provider._cases import case_folders
from dispute_provider._cases.storage import ANYWHERE, PathRefusedError, find_root, open_file, storage_path
from dispute_provider._evidence.case_size import LARGEST_CASE
from dispute_provider.exceptions import InvalidCaseError

if TYPE_CHECKING:
    from dispute_provider._evidence.case import Case

# Folders listed at the same time.
_LISTERS = 16
_OUTSIDE = PathRefusedError(
    "it is outside the case roots",
    "move the case to a folder under [dispute] case_roots, or add its folder to them",
)
_NOT_UTF_8 = re.compile(r"\\udc[89a-f][0-9a-f]")


def require_within_roots(path: str) -> None:
    """Refuse a path outside the case roots, because a form could otherwise read any file of a worker.

    :raises InvalidCaseError: if the path is outside the case roots, or ambiguous.
    """
    from dispute_provider._evidence.case_errors import reading

    with reading(path):
        try:
            root = find_root(path, config.case_roots())
        except PathRefusedError as error:
            raise _refused(path, error) from None
        if root is None:
            raise _refused(path, _OUTSIDE)


def _refused(path: str, error: PathRefusedError) -> InvalidCaseError:
    from dispute_provider._evidence.case_errors import refused

    return refused(path, error.problem, error.remedy)


def find_cases(folder: str) -> Iterator[str]:
    """Yield the sorted case files of a folder: its JSON and YAML files, and ``case.*`` of each subfolder.

    A folder that cannot be listed is yielded itself, so that reading it as a case reports the error.
    """
    with ThreadPoolExecutor(_LISTERS) as threads:
        yield from [found.path for found in case_folders.find(folder, threads) if not found.ignored]


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file that was read but not checked.

    :param source: its path.
    :param folder: the folder of its documents.
    :param content: the file's content, in which violations are located.
    """

    source: str
    folder: str
    data: Any = field(repr=False)
    content: bytes = field(default=b"", repr=False)

    def case(self) -> Case:
        """Check and return the case.

        :raises InvalidCaseError: with every violation.
        """
        from dispute_provider._cases.text import located
        from dispute_provider._evidence.case import Case

        try:
            return Case.parse(self.data, folder=self.folder, source=self.source, always=config.prepare)
        except InvalidCaseError as error:
            raise located(error, self.content) from None


def read_case(path: str, roots: Sequence[str] = ANYWHERE) -> Case:
    """Read and check one case file.

    :param roots: folders that may be read; by default all.
    :raises InvalidCaseError: if it cannot be read, or with every violation.
    """
    return read_file(path, roots).case()


def read_file(path: str, roots: Sequence[str] = ANYWHERE) -> CaseFile:
    """Read one case file without checking its contents.

    :param roots: folders that may be read; by default all.
    :raises InvalidCaseError: if it cannot be read.
    """
    from dispute_provider._evidence.case_errors import reading, refused

    with open_case_file(path, roots) as opened, reading(path):
        content = opened.read(LARGEST_CASE + 1)
        if len(content) > LARGEST_CASE:
            problem = f"it has more than {LARGEST_CASE:,} bytes"
            raise refused(path, problem, "name the case file, not a document")
        file = storage_path(path)
        return CaseFile(path, str(file.parent), _parse(content, file.suffix.lower(), path), content)


def with_lines(error: InvalidCaseError, roots: Sequence[str]) -> InvalidCaseError:
    """Return a refusal with the line of each violation; as it is if its case is in no file that can be read.

    :param roots: folders that may be read.
    """
    from dispute_provider._cases.text import located

    try:
        with open_case_file(error.case, roots) as opened:
            return located(error, opened.read(LARGEST_CASE))
    except Exception:  # file systems raise many types
        return error


def open_case_file(path: str, roots: Sequence[str] = ANYWHERE) -> IO[bytes]:
    """Open a file with one case or, as JSON Lines, with many.

    :param roots: folders that may be read; by default all.
    :raises InvalidCaseError: if it cannot be opened, or is outside these folders.
    """
    from dispute_provider._evidence.case_errors import reading, refused

    with reading(path):
        try:
            return open_file(path, roots)
        except PathRefusedError as error:
            raise _refused(path, error) from None
        except FileNotFoundError:
            if _NOT_UTF_8.search(path):
                raise refused(path, "its name is not UTF-8", "rename it") from None
            raise


def _parse(content: bytes, suffix: str, source: str) -> Any:
    from dispute_provider._cases.text import parse_json, parse_yaml

    return (parse_json if suffix == ".json" else parse_yaml)(content, source)
