"""Order text as it is read: Unicode's bidirectional algorithm (UAX #9).

Hebrew and Arabic run from right to left, and numbers and Latin words in them from left to right. The class of
each character is written as one letter, so the rules of the standard are replacements in a text; their names
stand beside them. The library python-bidi, a judge in the tests, orders no broken lines of a paragraph.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")
MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that only say in which direction others run."""
_FROM_RIGHT = re.compile(
    "[\u0590-\u08ff\u200f\u202b\u202e\u2067\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# A letter for each class of the standard; the others are letters in one direction, or show nothing.
_KINDS = {
    "L": "L",
    "R": "R",
    "AL": "A",
    "EN": "n",
    "AN": "a",
    "ES": "s",
    "CS": "c",
    "ET": "t",
    "NSM": "m",
    "ON": "o",
    "WS": "w",
    "S": "S",
    "B": "S",
    "LRI": "l",
    "RLI": "r",
    "FSI": "f",
    "PDI": "i",
    "LRE": "1",
    "LRO": "2",
    "RLE": "3",
    "RLO": "4",
    "PDF": "5",
    "BN": "0",
}
_STRONG = "LRA"
_RIGHT = ("R", "A")
_ISOLATES = "lrf"
_EMBEDDINGS = "1234"
_UNSHOWN = "012345"
_OVERRIDES = {"2": "L", "4": "R"}
_NEUTRAL = "[owSlrfi]"
# L1: what stands at the end of a line, or before a tab. Each run is tried once, from its start.
_ENDS = re.compile("(?<![wlrfi0-5])[wlrfi0-5]*(?:S|$)")
_BRACKETS = {"(": ")", "[": "]", "{": "}", "（": "）", "［": "］", "〈": "〉", "「": "」"}
_MOST_OPEN = 63
_DEEPEST = 125


class _Embedding(NamedTuple):
    """A part of a text that runs in one direction.

    :param level: odd from right to left.
    :param override: the kind that its characters count as; empty if their own.
    """

    level: int
    override: str = ""
    is_isolate: bool = False


def runs_both_ways(text: str) -> bool:
    """Return whether some of a text may run from right to left."""
    return _FROM_RIGHT.search(text) is not None


class Paragraph:
    """The directions in a paragraph.

    :param levels: of its characters, odd from right to left.
    """

    def __init__(self, text: str) -> None:
        self.is_from_right = False
        self.levels = [0] * len(text)
        self._kinds = ""
        if runs_both_ways(text):
            self._kinds = _kinds(text)
            first = _first_strong(self._kinds, _ends_of_isolates(self._kinds))
            self.is_from_right = first[0] in _RIGHT
            self.levels = _levels(text, self._kinds, int(self.is_from_right))

    def in_line(self, start: int, end: int) -> list[int]:
        """Return the levels of a line, whose end runs as the paragraph does (L1)."""
        kept = self.levels[start:end]
        for end_of_line in _ENDS.finditer(self._kinds[start:end]):
            place, behind = end_of_line.span()
            kept[place:behind] = [int(self.is_from_right)] * (behind - place)
        return kept


def in_order(items: Sequence[Item], levels: Sequence[int]) -> list[Item]:
    """Return parts of a line as they are shown from left to right (L2)."""
    order = list(range(len(items)))
    for level in range(max(levels, default=0), 0, -1):
        order = _turned(order, [each >= level for each in levels])
    return [items[at] for at in order]


def _turned(order: Iterable[int], is_turned: Sequence[bool]) -> list[int]:
    """Return places with each sequence of those that are turned from its end."""
    parts = [(turned, list(part)) for turned, part in groupby(order, is_turned.__getitem__)]
    return [at for turned, part in parts for at in (reversed(part) if turned else part)]


def _levels(text: str, kinds: str, base: int) -> list[int]:
    """Return the level of each character of a paragraph, odd from right to left.

    :param base: the level of the paragraph, 1 if it runs from right to left.
    """
    ends = _ends_of_isolates(kinds)
    found, kinds = _embedded(kinds, ends, base)
    shown = [at for at, kind in enumerate(kinds) if kind not in _UNSHOWN]
    around = [base, *(found[at] for at in shown), base]
    places = {at: number for number, at in enumerate(shown, 1)}
    resolved = list(found)
    for run in _runs(shown, found, ends):
        level = found[run[0]]
        before = around[places[run[0]] - 1]
        after = base if kinds[run[-1]] in _ISOLATES else around[places[run[-1]] + 1]
        edges = [_direction(max(level, each)) for each in (before, after)]
        part = "".join(kinds[at] for at in run)
        characters = [text[at] for at in run]
        for at, kind in zip(run, _resolved(part, characters, level, *edges), strict=True):
            resolved[at] += _raised(kind, level)
    # What shows nothing divides no word.
    for at, kind in enumerate(kinds):
        if kind in _UNSHOWN:
            resolved[at] = resolved[at - 1] if at else base
    return resolved


def _kinds(text: str) -> str:
    # A character that is not assigned has no class.
    return "".join(_KINDS[unicodedata.bidirectional(each) or "L"] for each in text)


def _direction(level: int) -> str:
    return "R" if level % 2 else "L"


def _ends_of_isolates(kinds: str) -> dict[int, int]:
    """Return where each isolate ends, by where it begins (BD9)."""
    ends, opened = {}, []
    for at, kind in enumerate(kinds):
        if kind in _ISOLATES:
            opened.append(at)
        elif kind == "i" and opened:
            ends[opened.pop()] = at
    return ends | dict.fromkeys(opened, len(kinds))


def _first_strong(kinds: str, ends: Mapping[int, int]) -> list[str]:
    """Return for each place the kind of the first letter from there on (P2); empty if there is none.

    Letters within an isolate that begins there or later do not count, nor do those behind the isolate around
    the place.
    """
    closing = set(ends.values())
    found = [""] * (len(kinds) + 2)
    for at in reversed(range(len(kinds))):
        kind = kinds[at]
        if kind in _STRONG:
            found[at] = kind
        elif at not in closing:
            found[at] = found[ends.get(at, at) + 1]
    return found


def _embedded(kinds: str, ends: Mapping[int, int], base: int) -> tuple[list[int], str]:
    """Return the levels that marks give, and the kinds as they override them (X1 to X8)."""
    found, changed = [], []
    within = [_Embedding(base)]
    closing = set(ends.values())
    first = _first_strong(kinds, ends) if "f" in kinds else []
    for at, kind in enumerate(kinds):
        if at in closing:
            while not within.pop().is_isolate:
                pass
        level, override, is_isolate = within[-1]
        found.append(level)
        changed.append(override if override and kind not in _UNSHOWN else kind)
        if kind in _EMBEDDINGS:
            within.append(_Embedding(_next_level(level, from_right=kind in "34"), _OVERRIDES.get(kind, "")))
        elif kind in _ISOLATES:
            from_right = kind == "r" or (kind == "f" and first[at + 1] in _RIGHT)
            within.append(_Embedding(_next_level(level, from_right=from_right), is_isolate=True))
        elif kind == "5" and len(within) > 1 and not is_isolate:
            within.pop()
    return found, "".join(changed)


def _next_level(level: int, *, from_right: bool) -> int:
    deeper = (level + 1) | 1 if from_right else (level + 2) & ~1
    return deeper if deeper <= _DEEPEST else level


def _runs(shown: Sequence[int], found: Sequence[int], ends: Mapping[int, int]) -> Iterator[list[int]]:
    """Yield the places of characters that are resolved together: a run goes on behind an isolate (BD13)."""
    runs = [list(run) for _, run in groupby(shown, found.__getitem__)]
    by_start = {run[0]: run for run in runs}
    closing = set(ends.values())
    for run in runs:
        if run[0] not in closing:
            whole = list(run)
            while (after := by_start.get(ends.get(whole[-1], -1))) is not None:
                whole += after
            yield whole


def _resolved(kinds: str, characters: Sequence[str], level: int, before: str, after: str) -> str:
    """Return the direction or the kind of number of each character of a run.

    :param before: the direction of what stands before the run.
    :param after: that of what stands behind it.
    """
    run = before + kinds
    # W1 to W7
    run = re.sub(
        "(.)(m+)", lambda found: found[1] + ("o" if found[1] in "lrfi" else found[1]) * len(found[2]), run
    )
    run = re.sub("A[^LRA]*", lambda found: found[0].replace("n", "a"), run).replace("A", "R")
    run = re.sub("(?<=a)c(?=a)", "a", re.sub("(?<=n)[sc](?=n)", "n", run))
    run = re.sub("(?<!t)t++(?=n)|(?<=n)t+", lambda found: "n" * len(found[0]), run)
    run = re.sub("[sct]", "o", run)
    run = re.sub("L[^LR]*", lambda found: found[0].replace("n", "L"), run)
    run = _with_brackets(run, kinds, characters, _direction(level))
    # N1 and N2
    return re.sub(
        f"(?<=(.)){_NEUTRAL}+(?=(.))",
        lambda found: _between(found[1], found[2], _direction(level)) * len(found[0]),
        run + after,
    )[1:-1]


def _with_brackets(run: str, kinds: str, characters: Sequence[str], direction: str) -> str:
    """Return the kinds of a run, with the direction of each pair of brackets (N0).

    :param run: the kinds, behind the direction of what stands before the run.
    :param kinds: as they were at first.
    """
    changed = list(run)
    for opening, closing in _pairs(run[1:], characters):
        inside = {_strength(each) for each in changed[opening + 2 : closing + 1]} - {""}
        if not inside:
            continue
        earlier = next(each for at in range(opening, -1, -1) if (each := _strength(changed[at])))
        chosen = direction if direction in inside else earlier
        for at in (opening, closing):
            # Accents on a bracket run as it does.
            after = at + 1
            while kinds[after : after + 1] == "m":
                after += 1
            changed[at + 1 : after + 1] = chosen * (after - at)
    return "".join(changed)


def _pairs(run: str, characters: Sequence[str]) -> list[tuple[int, int]]:
    """Return where brackets open and close, in the order in which they open (BD16)."""
    opened: list[tuple[str, int]] = []
    pairs = []
    for at, (kind, each) in enumerate(zip(run, characters, strict=True)):
        if kind != "o":
            continue
        if each in _BRACKETS:
            if len(opened) == _MOST_OPEN:
                return []
            opened.append((_BRACKETS[each], at))
        elif any(each == closing for closing, _ in opened):
            while (last := opened.pop())[0] != each:
                pass
            pairs.append((last[1], at))
    return sorted(pairs)


def _strength(kind: str) -> str:
    """Return the direction of a kind, in which numbers run from the right; empty if it has none."""
    return "L" if kind == "L" else "R" if kind in "Rna" else ""


def _between(before: str, after: str, direction: str) -> str:
    same = _strength(before) == _strength(after)
    return _strength(before) if same else direction


def _raised(kind: str, level: int) -> int:
    """Return by how much a direction raises a level (I1 and I2)."""
    if level % 2:
        return int(kind != "R")
    return {"L": 0, "R": 1}.get(kind, 2)
