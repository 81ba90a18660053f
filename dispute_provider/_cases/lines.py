"""Read cases from JSON Lines files, one case per line, as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dispute_provider import _config as config
from dispute_provider._cases.files import open_case_file, require_within_roots
from dispute_provider._cases.storage import storage_path
from dispute_provider._evidence.case_size import LARGEST_CASE
from dispute_provider.exceptions import InvalidCaseError, TryAgainError

if TYPE_CHECKING:
    from dispute_provider._evidence.case import Case

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One line of a JSON Lines file, or the error that took its place.

    :param source: line number and path; only the path if the file cannot be read at all.
    :param folder: the folder of the documents that the case names.
    :param content: the line, or the error.
    :param number: line number from 1; 0, the default, if the file cannot be read at all, or for a case that
        is in no file.
    :param dispute: the dispute that it is known to be for; None, the default, if it is not.
    """

    source: str
    folder: str
    content: bytes | InvalidCaseError | TryAgainError = field(repr=False)
    number: int = 0
    dispute: str | None = None

    def case(self) -> Case:
        """Check and return the case.

        :raises InvalidCaseError: with every violation.
        :raises TryAgainError: if the file could not be read beyond the previous line.
        """
        from dispute_provider._cases.text import parse_json
        from dispute_provider._evidence.case import Case
        from dispute_provider._evidence.case_errors import reading

        if not isinstance(self.content, bytes):
            raise self.content
        with reading(self.source):
            data = parse_json(self.content, self.source)
        return Case.parse(data, folder=self.folder, source=self.source, always=config.prepare)


def expanded(given: Iterable[Any], roots: Sequence[str] | None = None) -> Iterator[Any]:
    """Yield a task's items, with the lines of each JSON Lines file in place of its path.

    If reading a file fails, its last line is the error, and its other cases are unknown.

    :param roots: folders that may be read; None, the default, for ``[dispute] case_roots``.
    """
    for item in given:
        if is_lines(item):
            yield from _cases(item, roots)
        else:
            yield item


def is_lines(item: Any) -> bool:
    """Return whether an item is the path of a JSON Lines file."""
    return isinstance(item, str) and item.lower().endswith(".jsonl")


def _cases(path: str, roots: Sequence[str] | None) -> Iterator[CaseLine]:
    from dispute_provider._evidence.case_errors import reading, refused

    number = 0
    try:
        if roots is None:
            require_within_roots(path)
        with open_case_file(path, config.case_roots() if roots is None else roots) as opened:
            with reading(path):
                folder = str(storage_path(path).parent)
            for number, line in enumerate(_lines(opened, LARGEST_CASE), 1):
                # Errors show only the start of a long path, so the number comes first.
                source = f"line {number} of {path}"
                if line is None:
                    problem = f"it has more than {LARGEST_CASE:,} bytes"
                    yield CaseLine(
                        source, "", refused(source, problem, "write one case on each line"), number
                    )
                elif line.strip():
                    yield CaseLine(source, folder, line, number)
    except InvalidCaseError as error:
        yield CaseLine(path, "", error)
    except Exception as error:  # file systems raise many types
        problem = f"{path} cannot be read after line {number}: {type(error).__name__}"
        yield CaseLine(f"line {number + 1} of {path}", "", TryAgainError(problem), number + 1)


def _lines(file: IO[bytes], longest: int) -> Iterator[bytes | None]:
    """Yield the lines of a file, None in place of a line that is too long.

    Only a line feed ends a line: texts may contain Unicode's other line separators.

    :param longest: most bytes of a line.
    """
    line, is_too_long = bytearray(), False
    while piece := file.read(_PIECE):
        *ended, rest = piece.split(b"\n")
        for end in ended:
            line += end
            yield None if is_too_long or len(line) > longest else bytes(line)
            line, is_too_long = bytearray(), False
        line += rest
        if len(line) > longest:
            line, is_too_long = bytearray(), True
    if line or is_too_long:
        yield None if is_too_long else bytes(line)
