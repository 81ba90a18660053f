"""Join Arabic letters: write each in the form that it has between its neighbours.

Unicode has a character for each form of the letters of Arabic, Persian and Urdu, and says of which letters it
is the form.
"""

from __future__ import annotations

import re
import unicodedata

_PLACES = (range(0xFB50, 0xFE00), range(0xFE70, 0xFEFD))
# Which form a letter has, by whether it is joined to the letter before it, and to the next.
_FORMS = {
    (False, False): "<isolated>",
    (True, False): "<final>",
    (False, True): "<initial>",
    (True, True): "<medial>",
}
# A long line within a word, and a mark that joins.
_JOINERS = "\u0640\u200d"
_NO_JOINER = "\u200c"
# An alef behind a lam is written as one letter with it.
_UNITS = re.compile("\u0644[\u0622\u0623\u0625\u0627]|.", re.DOTALL)


def _read_forms() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for code in (code for place in _PLACES for code in place):
        form, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        if form in _FORMS.values():
            found.setdefault("".join(chr(int(each, 16)) for each in letters), {})[form] = chr(code)
    return {letters: forms for letters, forms in found.items() if _UNITS.fullmatch(letters)}


_FORMS_OF = _read_forms()


def joined(text: str) -> str:
    """Return a text with its Arabic letters in the forms in which they are written."""
    units = _UNITS.findall(text)
    places = [at for at, unit in enumerate(units) if not _is_passed_over(unit)]
    neighbours = ["", *(units[at] for at in places), ""]
    for number, at in enumerate(places, 1):
        before, unit, after = neighbours[number - 1 : number + 2]
        if forms := _FORMS_OF.get(unit):
            is_joined = (
                _joins_next(before) and _joins_previous(unit),
                _joins_next(unit) and _joins_previous(after),
            )
            units[at] = forms[_FORMS[is_joined]]
    return "".join(units)


def _is_passed_over(unit: str) -> bool:
    """Return whether letters around a mark, of a vowel or a direction, join as if it were not there."""
    return unicodedata.category(unit[0]) in ("Mn", "Cf") and unit not in (*_JOINERS, _NO_JOINER)


def _joins_next(unit: str) -> bool:
    return bool(unit) and (unit in _JOINERS or "<initial>" in _FORMS_OF.get(unit, ()))


def _joins_previous(unit: str) -> bool:
    return bool(unit) and (unit in _JOINERS or "<final>" in _FORMS_OF.get(unit, ()))
