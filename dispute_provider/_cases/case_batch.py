"""Find the cases of a batch that are for the same dispute, so that none of them is staged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from dispute_provider import _config as config
from dispute_provider._cases import files as case_files
from dispute_provider._cases import lines as case_lines
from dispute_provider._cases.files import CaseFile
from dispute_provider._cases.lines import CaseLine
from dispute_provider.exceptions import InvalidCaseError, TryAgainError

if TYPE_CHECKING:
    from dispute_provider._evidence.case import Case

# Case files kept in memory after the search for duplicates, so that they are not read twice.
_KEPT = 100
# Positions that a refusal names.
_SHOWN = 5
# Case files read in parallel.
_READERS = 32
# Bits of a position that hold the line number.
_LINE = 32


class _DisputeName(msgspec.Struct):
    provider: str
    dispute: str


_decoder = msgspec.json.Decoder(_DisputeName)


class CaseBatch:
    """The cases of a batch, and which of them are for the same dispute.

    It keeps a hash and a position for each case, not the case itself. A position consists of the index of an
    item in the list and, for an item that is a ``.jsonl`` file, a line number.

    :param given: the items that the task was given: paths, dicts or ``.jsonl`` files.
    :ivar count: the number of cases.
    """

    def __init__(self, given: list[Any]) -> None:
        self.count = 0
        self._given = given
        self._first: dict[int, int] = {}
        self._contested: dict[int, list[int]] = {}
        self._kept: dict[int, CaseFile] = {}
        self._broken: dict[int, CaseLine] = {}

    def find_duplicates(self) -> None:
        """Read all cases and find those for the same dispute, before any is staged."""
        if len(self._given) == 1 and not case_lines.is_lines(self._given[0]):
            self.count = 1
            return
        paths: list[int] = []
        for position, item in enumerate(self._given):
            if case_lines.is_lines(item):
                self._look_through_lines(position, item)
                continue
            self.count += 1
            if isinstance(item, str):
                paths.append(position)
            else:
                self._note(item, position << _LINE)
        with ThreadPoolExecutor(_READERS) as threads:
            for start in range(0, len(paths), _KEPT):
                some = paths[start : start + _KEPT]
                for position, file in zip(some, threads.map(self._file, some), strict=True):
                    if file:
                        self._note(file.data, position << _LINE)
                        if len(self._kept) < _KEPT:
                            self._kept[position] = file

    def cases(self) -> Iterator[tuple[int, Any]]:
        """Yield each case with its position: a dict, a path, a file that was read, or a line of one.

        A ``.jsonl`` file that could not be read to its end is one item, because its other cases are unknown.
        """
        for position, item in enumerate(self._given):
            if position in self._broken:
                yield position << _LINE, self._broken[position]
            elif case_lines.is_lines(item):
                for line in case_lines.expanded([item]):
                    yield position << _LINE | line.number, line
            else:
                yield position << _LINE, self._kept.pop(position, item)

    def refusal(self, case: Case, place: int) -> str | None:
        """Return why a case must not be staged; None if no other case is for its dispute.

        :param place: the position that :meth:`cases` yielded with the case.
        """
        key = hash((case.provider, case.dispute))
        places = self._contested.get(key)
        if places is None:
            first = self._first.setdefault(key, place)
            if first == place:
                return None
            # A file has changed since the search for duplicates.
            places = [first, place]
        shown = [place, *(other for other in places if other != place)][:_SHOWN]
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        return (
            f"{len(places):,} cases of this task are for the same dispute: "
            f"{', '.join(map(self._named, sorted(shown)))}{more}; none is staged. To do: keep one of them"
        )

    def _look_through_lines(self, position: int, path: str) -> None:
        for line in case_lines.expanded([path]):
            self.count += 1
            if isinstance(line.content, TryAgainError):
                self._broken[position] = line
            self._note(line, position << _LINE | line.number)

    def _note(self, given: Any, place: int) -> None:
        from dispute_provider._evidence.case_errors import dispute_id

        if named := _dispute_of(given):
            key = hash((named.provider, dispute_id(named.dispute)))
            first = self._first.setdefault(key, place)
            if first != place:
                self._contested.setdefault(key, [first]).append(place)

    def _file(self, position: int) -> CaseFile | None:
        path = self._given[position]
        try:
            case_files.require_within_roots(path)
            return case_files.read_file(path, config.case_roots())
        except InvalidCaseError:
            # Staging reads it again and reports the error in its record.
            return None

    def _named(self, place: int) -> str:
        position, line = place >> _LINE, place & ((1 << _LINE) - 1)
        item = self._given[position]
        where = f" ({f'line {line} of ' if line else ''}{item})" if isinstance(item, str) else ""
        return f"case {position + 1} of the list{where}" if not line else f"item {position + 1}{where}"


def _dispute_of(given: Any) -> _DisputeName | None:
    """Return the dispute of an unchecked case; None if it names none."""
    from dispute_provider._cases.text import parse_json

    if isinstance(given, CaseLine):
        if not isinstance(given.content, bytes):
            return None
        try:
            return _decoder.decode(given.content)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            # Python's parser also accepts a byte order mark and NaN.
            try:
                given = parse_json(given.content, given.source)
            except InvalidCaseError:
                return None
    if not isinstance(given, Mapping):
        return None
    provider, dispute = given.get("provider"), given.get("dispute")
    return _DisputeName(provider, dispute) if isinstance(provider, str) and isinstance(dispute, str) else None
