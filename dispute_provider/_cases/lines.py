"""Many cases in one file: JSON Lines, a case a line, read as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """A line of such a file, or why there is none.

    :param source: which line of which file; the file where it cannot be read at all.
    :param folder: where the documents stand that it names.
    :param number: which line, from 1 on; 0 where the file cannot be read at all.
    """

    source: str
    folder: str
    content: bytes | InvalidCaseError | TryAgainError = field(repr=False)
    number: int = 0

    def case(self) -> Case:
        """Read the case.

        :raises InvalidCaseError: if it is none, with every violation in it.
        :raises TryAgainError: if the file broke off here.
        """
        from dispute_provider._cases.text import parse_json
        from dispute_provider._evidence.case import Case, reading

        if not isinstance(self.content, bytes):
            raise self.content
        with reading(self.source):
            data = parse_json(self.content, self.source)
        return Case.parse(data, folder=self.folder, source=self.source)


def expanded(given: Iterable[Any]) -> Iterator[Any]:
    """Yield what a task was given, with the cases of such a file in place of its path.

    A file that breaks off ends in a line that says so; what comes after it is not known.
    """
    for item in given:
        if is_lines(item):
            yield from _cases(item)
        else:
            yield item


def is_lines(item: Any) -> bool:
    """Whether this is the path of such a file."""
    return isinstance(item, str) and item.lower().endswith(".jsonl")


def _cases(path: str) -> Iterator[CaseLine]:
    from dispute_provider._evidence.case import reading, refused

    number = 0
    try:
        require_within_roots(path)
        with reading(path):
            folder = str(storage_path(path).parent)
        with open_case_file(path, config.case_roots()) as opened:
            for number, line in enumerate(_lines(opened, LARGEST_CASE), 1):
                # The number first: a path may be cut off where it is shown.
                source = f"line {number} of {path}"
                if line is None:
                    problem = f"it has more bytes than the {LARGEST_CASE:,} of a case"
                    yield CaseLine(
                        source, "", refused(source, problem, "write one case on each line"), number
                    )
                elif line.strip():
                    yield CaseLine(source, folder, line, number)
    except InvalidCaseError as error:
        yield CaseLine(path, "", error)
    except Exception as error:  # whatever the file system raises
        problem = f"{path} cannot be read after line {number}: {type(error).__name__}"
        yield CaseLine(f"line {number + 1} of {path}", "", TryAgainError(problem), number + 1)


def _lines(file: IO[bytes], longest: int) -> Iterator[bytes | None]:
    """The lines of a file, None in place of one that is longer.

    It ends with a line feed and with nothing else: what Unicode calls a line's end may stand in a text.
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
