"""Card numbers in texts: found so that they reach no API, and never told to anybody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# The issuers' ranges, and how long their numbers are.
_ISSUERS = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        ("4", {13, 16, 19}),
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),
        ("3[47]", {15}),
        ("30[0-5]|3095|3[689]", {14, 16}),
        ("35(?:2[89]|[3-8])", {16}),
        ("6011|64[4-9]|65", {16, 19}),
        ("62", {16, 17, 18, 19}),
        ("5018|5020|5038|5893|6304|6759|676[1-3]", {16, 17, 18, 19}),
        ("220[0-4]", {16}),
    )
)
# How numbers are grouped on cards and by those who copy them; tracking and account numbers otherwise.
_GROUPS = (
    (4, 4, 4, 4),
    (4, 6, 5),
    (4, 6, 4),
    (4, 4, 4, 3),
    (4, 4, 4, 4, 3),
    (6, 13),
    (8, 8),
    (4, 3, 3, 3),
)
_FIRST_GROUPS = {groups[0] for groups in _GROUPS}
# From this many digits on, a neighbour makes a number longer; fewer are a month or a code.
_LONG = 4
_LUHN = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_GTIN = tuple(3 * digit for digit in range(10))
_GTIN_LENGTH = 13
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# How an account number in groups of four begins: DE12.
_COUNTRY = re.compile(r"[A-Z]{2}[0-9]{2}")
_WITHOUT_INVISIBLE = dict.fromkeys(map(ord, _INVISIBLE))
# Most texts have no such thing, and are spared the rest.
_MANY_DIGITS = re.compile(r"\d(?:\D{0,5}+\d){12}+")
_WORD = re.compile(rf"[^\W_](?:[{_INVISIBLE}]*[^\W_])*")
_GAP = re.compile(rf"[{_INVISIBLE}]*([ \t\u00a0\u2007\u2009\u202f.\-\u2010-\u2014])[{_INVISIBLE}]*")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, without the invisible characters in it.

    :param digits: in ASCII; empty where it has letters too.
    :param joint: the one character that parts it from the word before it, empty where more does.
    """

    start: int
    text: str
    digits: str
    joint: str


def has_card_number(text: str) -> bool:
    """Whether a text holds a card number."""
    return next(_found(text), None) is not None


def card_numbers(text: str) -> list[int]:
    """Where card numbers begin in a text, counted in characters from 0."""
    return sorted(set(_found(text)))


def _found(text: str) -> Iterator[int]:
    if not _MANY_DIGITS.search(text):
        return
    words = _words(text)
    singles: list[_Word] = []
    for index, word in enumerate(words):
        if not (len(word.digits) == 1 and (word.joint or not singles)):
            yield from _spelt_out(singles)
            singles = []
        if len(word.digits) == 1:
            singles.append(word)
        elif word.digits and _is_alone(words, index) and _is_card_number(word.digits):
            yield word.start
        for groups in _GROUPS if len(word.digits) in _FIRST_GROUPS else ():
            if _is_grouped(words, index, groups) and _is_card_number(
                "".join(each.digits for each in words[index : index + len(groups)])
            ):
                yield word.start
    yield from _spelt_out(singles)


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    end = 0
    for match in _WORD.finditer(text):
        word = match[0].translate(_WITHOUT_INVISIBLE)
        gap = _GAP.fullmatch(text, end, match.start())
        # A number after a plus is a telephone's.
        is_number = word.isdecimal() and text[match.start() - 1 : match.start()] != "+"
        digits = "".join(str(unicodedata.decimal(digit)) for digit in word) if is_number else ""
        words.append(_Word(match.start(), word, digits, gap[1] if gap else ""))
        end = match.end()
    return words


def _is_alone(words: Sequence[_Word], index: int) -> bool:
    """Whether an ungrouped number is no fraction's part, such as 0.4242424242424242."""
    after = words[index + 1 : index + 2]
    before = words[index - 1 : index] if index else ()
    return not (
        (words[index].joint == "." and before and before[0].digits)
        or (after and after[0].joint == "." and after[0].digits)
    )


def _is_grouped(words: Sequence[_Word], index: int, groups: Sequence[int]) -> bool:
    """Whether a number is grouped so from here on, and is no part of a longer one."""
    window = words[index : index + len(groups)]
    if tuple(len(word.digits) for word in window) != groups or not all(word.joint for word in window[1:]):
        return False
    before = words[index - 1] if index and window[0].joint else None
    after = words[index + len(groups)] if index + len(groups) < len(words) else None
    if before and (len(before.digits) >= _LONG or _COUNTRY.fullmatch(before.text)):
        return False
    return not (after and after.joint and len(after.digits) >= _LONG)


def _spelt_out(singles: Sequence[_Word]) -> Iterator[int]:
    """A number whose digits all stand apart, as in the boxes of a form."""
    if _is_card_number("".join(word.digits for word in singles)):
        yield singles[0].start


def _is_card_number(digits: str) -> bool:
    if not any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in _ISSUERS):
        return False
    # A product's number (GTIN) is as long as the oldest cards' and has a checksum of its own.
    return _checksum(digits, _LUHN) and not (len(digits) == _GTIN_LENGTH and _checksum(digits, _GTIN))


def _checksum(digits: str, weighed: Sequence[int]) -> bool:
    """Whether the sum is a multiple of ten; ``weighed`` is what each digit in an even place counts."""
    return sum(weighed[int(d)] if place % 2 else int(d) for place, d in enumerate(reversed(digits))) % 10 == 0
