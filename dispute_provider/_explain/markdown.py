"""Show untrusted text in Markdown: complete, with invisible characters made visible, and never as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_BAR = re.compile(r"(?<!\\)\|")


def one_line(text: str | None) -> str:
    """Return text on one line, with invisible characters made visible; a dash for no text."""
    return visible((text or "–").replace("\n", " "))


def plain(text: str | None) -> str:
    """Return text on one line, with Markdown's special characters escaped."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&:@/])", r"\\\1", one_line(text))


def fenced(text: str) -> str:
    """Return text in a code fence that it cannot close, with invisible characters made visible."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"


def visible(text: str) -> str:
    """Replace control, zero-width and direction characters with their code points."""
    return _INVISIBLE.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text.replace("\r\n", "\n"))


def unbroken(text: str) -> str:
    """Return text that is not wrapped in a narrow column, such as a date or an amount."""
    return text.replace(" ", "\u00a0").replace("-", "\u2011")


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values, without a header."""
    return "\n".join(["| | |", "|---|---|", *map(_row, rows)])


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table with a header."""
    head = list(columns)
    return "\n".join([_row(head), "|---" * len(head) + "|", *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    """Return one row. Bars in cells are escaped, unless they are already."""
    return "| " + " | ".join(_BAR.sub(r"\|", cell) for cell in cells) + " |"
