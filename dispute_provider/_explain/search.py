"""Search the operations of all contracts by their names, paths, fields and texts. Pure.

Upper and lower case, the order of words, and a typo make no difference. Operations are ranked by the place
in which each word was found: a name counts more than a field, and a field more than a description. Of equal
ones, those that only read come first, and those that cannot be undone last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Effect, Operation
from dispute_provider._contracts.json_data import Json

EFFECTS: tuple[Effect, ...] = ("read", "write", "irreversible")
"""The order in which operations are listed."""
_NAME, _ID, _FIELD, _STATUS, _TEXT = range(5)
"""The places in which a word is looked up, the best first."""
_WITH_TYPOS = _NAME, _ID, _FIELD
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_FILLERS = frozenset(("a", "an", "the", "of", "to", "for", "in", "my", "by", "with", "and", "s"))
# A shorter word has no typo: too many other words are one letter away.
_SHORTEST_WITH_TYPO = 4
_SHORTEST_WITH_TWO = 9
# A beginning of a word is found from here.
_SHORTEST_BEGINNING = 2


@dataclass(frozen=True, slots=True)
class _Entry:
    """The words of an operation, by place."""

    operation: Operation
    words: Mapping[int, frozenset[str]]

    @property
    def names(self) -> tuple[str, ...]:
        """What names the operation alone."""
        return self.operation.id.lower(), self.operation.summary.lower(), self.operation.path.lower()


def search(query: str, apis: Iterable[str]) -> list[Operation]:
    """Return the operations that match a query, the best first; all operations for an empty query.

    :param query: words, in any order. Each must be found: whole, from its beginning, or with a typo in a
        name. A typo is a letter that is wrong, missing, added or swapped; words of nine letters may have two.
    :param apis: the names of the APIs to search.
    """
    wanted = [word for word in _words(query) if word not in _FILLERS]
    whole = query.strip().lower()
    found = [
        ((query.strip() != entry.operation.id, whole not in entry.names, *rank), entry.operation)
        for entry in _index(tuple(apis))
        if (rank := _rank(entry, wanted))
    ]
    return [operation for _, operation in sorted(found, key=lambda each: each[0])]


def _rank(entry: _Entry, wanted: list[str]) -> tuple[int, ...] | None:
    """Return what an operation is sorted by; None if a word is not found."""
    found = [_find(entry, word) for word in wanted]
    places = [place for place in found if place is not None]
    if len(places) < len(found):
        return None
    typos = sum(typo for _, typo in places)
    worst = max((place for place, _ in places), default=0)
    beyond = sum(place for place, _ in places)
    # A name of few other words is closer to what was typed.
    others = len(entry.words[_NAME]) if wanted else 0
    return typos, worst, beyond, EFFECTS.index(entry.operation.effect), others


def _find(entry: _Entry, wanted: str) -> tuple[int, int] | None:
    """Return the best place of a word, and the number of typos in it; None if it is nowhere."""
    for place, words in entry.words.items():
        if any(_begins(word, wanted) for word in words):
            return place, 0
    most = 0 if len(wanted) < _SHORTEST_WITH_TYPO else 2 if len(wanted) >= _SHORTEST_WITH_TWO else 1
    if not most or wanted.isdigit():
        return None
    found = (
        (typos, place)
        for place in _WITH_TYPOS
        for word in entry.words[place]
        if (typos := _typos(word, wanted, most)) <= most
    )
    best = min(found, default=None)
    return best and (best[1], best[0])


def _begins(word: str, wanted: str) -> bool:
    return word == wanted or (len(wanted) >= _SHORTEST_BEGINNING and word.startswith(wanted))


@lru_cache(maxsize=8192)
def _typos(word: str, wanted: str, most: int) -> int:
    """Return the number of typos in what was typed for a word or for its beginning.

    :returns: at most ``most`` + 1.
    """
    if len(word) < len(wanted) - most:
        return most + 1
    word = word[: len(wanted) + most]
    before: list[int] = []
    row = list(range(len(wanted) + 1))
    fewest = row[-1]
    for line, letter in enumerate(word, 1):
        last, before = before, row
        row = [line]
        for column, other in enumerate(wanted, 1):
            cost = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != other))
            swapped = line > 1 and column > 1 and letter == wanted[column - 2] and word[line - 2] == other
            row.append(min(cost, last[column - 2] + 1) if swapped else cost)
        # The rest of the word need not be typed.
        fewest = min(fewest, row[-1])
    return min(fewest, most + 1)


@cache
def _index(apis: tuple[str, ...]) -> tuple[_Entry, ...]:
    return tuple(_entry(each) for api in apis for each in contract.load(api).operations.values())


def _entry(operation: Operation) -> _Entry:
    texts: Mapping[int, Iterable[str]] = {
        _NAME: [operation.summary, operation.contract.title, operation.api],
        _ID: [operation.id, operation.id.lower(), operation.path, operation.method],
        _FIELD: _field_names(operation),
        _STATUS: operation.document["responses"],
        _TEXT: [operation.document["description"], *_descriptions(operation)],
    }
    return _Entry(operation, {place: frozenset(_words(" ".join(each))) for place, each in texts.items()})


def _field_names(operation: Operation) -> Iterator[str]:
    for name, schema in _fields(operation):
        yield from (name, name.lower(), schema.get("title", ""))


def _descriptions(operation: Operation) -> Iterator[str]:
    for name, schema in _fields(operation):
        yield str(schema.get("description") or operation.parameters.get(name, {}).get("description", ""))


def _fields(operation: Operation) -> Iterator[tuple[str, Json]]:
    """Yield the arguments of an operation, and the members of those that are objects."""
    for name, given in operation.schema["properties"].items():
        schema = operation.contract.resolve(given)
        yield name, schema
        for inner, given_inner in schema.get("properties", {}).items():
            yield inner, operation.contract.resolve(given_inner)


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case; ``disputeID`` has two."""
    return [word.lower() for word in _WORD.findall(text)]
