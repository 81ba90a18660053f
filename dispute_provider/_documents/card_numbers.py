"""Find card numbers in texts, so that they are not sent to any API. Only their positions are reported."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

REMEDY = "keep only its last four digits"
"""What to do about a card number."""
# Issuers' number ranges, and the lengths of their numbers.
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
# How card numbers are grouped on cards and in copies. Tracking and account numbers are grouped differently.
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
# A neighbouring group of this many digits or more belongs to the number; a shorter one is a month or a code.
_LONG = 4
_LUHN = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_GTIN = tuple(3 * digit for digit in range(10))
_GTIN_LENGTH = 13
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# The start of an account number in groups of four (IBAN), such as DE12.
_COUNTRY = re.compile(r"[A-Z]{2}[0-9]{2}")
_WITHOUT_INVISIBLE = dict.fromkeys(map(ord, _INVISIBLE))
# Few texts match, so most need no further search.
_MANY_DIGITS = re.compile(r"\d(?:\D{0,5}+\d){12}+")
_WORD = re.compile(rf"[^\W_](?:[{_INVISIBLE}]*[^\W_])*")
_GAP = re.compile(rf"[{_INVISIBLE}]*([ \t\u00a0\u2007\u2009\u202f.\-\u2010-\u2014])[{_INVISIBLE}]*")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a text, without invisible characters.

    :param start: its position in the text.
    :param digits: its digits in ASCII; empty if it has other characters.
    :param joint: the single character that separates it from the previous word; empty if there are more.
    """

    start: int
    text: str
    digits: str
    joint: str


def has_card_number(text: str) -> bool:
    """Return whether a text has a card number."""
    return next(_found(text), None) is not None


def card_numbers(text: str) -> list[int]:
    """Return the positions at which card numbers start in a text, in characters from 0."""
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
        # A number after a plus sign is a telephone number.
        is_number = word.isdecimal() and text[match.start() - 1 : match.start()] != "+"
        digits = "".join(str(unicodedata.decimal(digit)) for digit in word) if is_number else ""
        words.append(_Word(match.start(), word, digits, gap[1] if gap else ""))
        end = match.end()
    return words


def _is_alone(words: Sequence[_Word], index: int) -> bool:
    """Return whether an ungrouped number is not part of a decimal fraction, such as 0.4242424242424242."""
    after = words[index + 1 : index + 2]
    before = words[index - 1 : index] if index else ()
    return not (
        (words[index].joint == "." and before and before[0].digits)
        or (after and after[0].joint == "." and after[0].digits)
    )


def _is_grouped(words: Sequence[_Word], index: int, groups: Sequence[int]) -> bool:
    """Return whether a number with these groups starts at a word, and is not part of a longer number."""
    window = words[index : index + len(groups)]
    if tuple(len(word.digits) for word in window) != groups or not all(word.joint for word in window[1:]):
        return False
    before = words[index - 1] if index and window[0].joint else None
    after = words[index + len(groups)] if index + len(groups) < len(words) else None
    if before and (len(before.digits) >= _LONG or _COUNTRY.fullmatch(before.text)):
        return False
    return not (after and after.joint and len(after.digits) >= _LONG)


def _spelt_out(singles: Sequence[_Word]) -> Iterator[int]:
    """Yield the start of a card number whose digits are all separate, as in the boxes of a form."""
    if _is_card_number("".join(word.digits for word in singles)):
        yield singles[0].start


def _is_card_number(digits: str) -> bool:
    if not any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in _ISSUERS):
        return False
    # A product number (GTIN) has the length of old card numbers, and another checksum.
    return _checksum(digits, _LUHN) and not (len(digits) == _GTIN_LENGTH and _checksum(digits, _GTIN))


def _checksum(digits: str, weighed: Sequence[int]) -> bool:
    """Return whether a checksum is a multiple of ten.

    :param weighed: the value of each digit in an even place, counted from the right.
    """
    return sum(weighed[int(d)] if place % 2 else int(d) for place, d in enumerate(reversed(digits))) % 10 == 0
