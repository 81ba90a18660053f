"""The order in which text is drawn is the one of python-bidi, which also mirrors brackets."""

from __future__ import annotations

import pytest
from bidi import get_base_level, get_display
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dispute_provider._documents.child import bidi

# Letters of both directions, digits, separators, an accent, brackets, and marks of direction. U+202D, which
# forces letters to run from left to right, is left out: python-bidi then skips the rules for line ends.
_TEXTS = st.text(
    "אבגدمabc 019٣.,:+-%€/!?\"'()[]\u0301\t\u200e\u200f\u202a\u202b\u202c\u202e\u2066\u2067\u2068\u2069",
    min_size=1,
    max_size=14,
)
_MARKS = str.maketrans("", "", bidi.MARKS)
_UNSIDED = str.maketrans("()[]", "||!!", bidi.MARKS)


def shown(paragraph: bidi.Paragraph, text: str) -> str:
    """Return a paragraph in one line, without marks."""
    return "".join(bidi.in_order(text, paragraph.in_line(0, len(text)))).translate(_MARKS)


@settings(max_examples=2_000)
@given(_TEXTS)
def test_a_line_is_in_the_order_of_the_standard(text: str) -> None:
    assume(bidi.runs_both_ways(text))
    paragraph = bidi.Paragraph(text)
    assert paragraph.is_from_right == (get_base_level(text) == 1)
    judged = get_display(text, base_dir="R" if paragraph.is_from_right else "L")
    assert shown(paragraph, text).translate(_UNSIDED) == judged.translate(_UNSIDED)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\u0663\u200e\u202e--", "\u0663--"),
        ("ab \u05d0\u200e 12", "ab \u05d0 12"),
        ("\u05d0\u2067\u05d1\u2069\u05d2", "\u05d2\u05d1\u05d0"),
    ],
)
def test_a_mark_divides_what_stands_around_it(text: str, line: str) -> None:
    assert shown(bidi.Paragraph(text), text) == line


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "\u2068" * 50_000 + "\u05d0",
        "\u2068" * 50_000 + "\u05d0" + "\u2069" * 50_000,
        "\u202b" * 50_000 + "\u05d0" + "\u202c" * 50_000,
        "\u05d0(a)" * 50_000,
        "a" + "." * 50_000 + "(\u05d0)" * 50_000,
        "\u05d0" + "$" * 50_000,
    ],
    ids=["isolates", "closed isolates", "embeddings", "brackets", "brackets behind dots", "signs"],
)
def test_the_time_grows_with_the_length_only(text: str) -> None:
    line = shown(bidi.Paragraph(text), text)
    assert sorted(line) == sorted(text.translate(dict.fromkeys(map(ord, bidi.MARKS))))
