"""Many cases in one file: JSON Lines, a case a line, read as they are needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dispute_provider.exceptions import InvalidCaseError, TryAgainError, Violation
from dispute_provider.operators.case_files import LARGEST_CASE, require_within_roots, storage_path

if TYPE_CHECKING:
    from dispute_provider.evidence.case import Case

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A line of such a file, or why there is none.

    :param source: which line of which file; the file where it cannot be read at all.
    :param folder: where the documents stand that it names.
    """

    source: str
    folder: str
    content: bytes | InvalidCaseError = field(repr=False)

    def case(self) -> Case:
        """:raises InvalidCaseError: if it is none, with every violation in it."""
        from dispute_provider.evidence.case import Case

        if isinstance(self.content, InvalidCaseError):
            raise self.content
        try:
            data = json.loads(self.content.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            what = "UTF-8 text" if isinstance(error, UnicodeDecodeError) else "JSON"
            raise _refused(self.source, f"it is no {what}", "write one case, as JSON, on one line") from None
        return Case.parse(data, folder=self.folder, source=self.source)


def expanded(given: Iterable[Any]) -> Iterator[Any]:
    """What a task was given, with the cases of such a file in place of its path.

    :raises TryAgainError: if one breaks off while it is read; what comes after is not known.
    """
    for item in given:
        if is_lines(item):
            yield from _cases(item)
        else:
            yield item


def count(given: Iterable[Any]) -> int:
    """How many cases there are, about: a file may be gone, or change before it is read."""
    return sum(_count(item) if is_lines(item) else 1 for item in given)


def is_lines(item: Any) -> bool:
    """Whether this is the path of such a file."""
    return isinstance(item, str) and item.lower().endswith(".jsonl")


def _cases(path: str) -> Iterator[CaseLine]:
    number = 0
    try:
        require_within_roots(path)
        file = storage_path(path)
        with file.open("rb") as opened:  # type: ignore[no-untyped-call]  # of a path that fsspec leaves untyped
            for number, line in enumerate(_lines(opened, LARGEST_CASE), 1):
                # The number first: a path may be cut off where it is shown.
                source = f"line {number} of {path}"
                if line is None:
                    problem = f"it has more bytes than the {LARGEST_CASE:,} of a case"
                    yield CaseLine(source, "", _refused(source, problem, "write one case on each line"))
                elif line.strip():
                    yield CaseLine(source, str(file.parent), line)
    except InvalidCaseError as error:
        yield CaseLine(path, "", error)
    except OSError as error:
        what = f"cannot be read: {type(error).__name__}"
        if number:
            raise TryAgainError(f"{path} {what}, after line {number}") from error
        yield CaseLine(path, "", _refused(path, f"it {what}", "check the path and the permissions"))


def _count(path: str) -> int:
    try:
        require_within_roots(path)
        with storage_path(path).open("rb") as opened:  # type: ignore[no-untyped-call]  # likewise
            return sum(piece.count(b"\n") for piece in iter(lambda: opened.read(_PIECE), b""))
    except (InvalidCaseError, OSError):
        return 1


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


def _refused(source: str, problem: str, remedy: str) -> InvalidCaseError:
    return InvalidCaseError(source, [Violation("", problem, remedy)])
