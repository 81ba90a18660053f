"""Text of strangers in Markdown: shown whole, nothing in it invisible, and taken for nothing but text."""

from __future__ import annotations

import re
from collections.abc import Iterable

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_BAR = re.compile(r"(?<!\\)\|")


def one_line(text: str | None) -> str:
    """Text on one line, nothing in it invisible."""
    return visible((text or "–").replace("\n", " "))


def plain(text: str | None) -> str:
    """One line that Markdown takes for nothing but text."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&:@/])", r"\\\1", one_line(text))


def fenced(text: str) -> str:
    """Text in a fence that it cannot close, its invisible characters made visible."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"


def visible(text: str) -> str:
    """Control, zero-width and direction characters by their code points: a reader must see them."""
    return _INVISIBLE.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text.replace("\r\n", "\n"))


def unbroken(text: str) -> str:
    """Text that a narrow column does not break: dates and amounts are compared down the column."""
    return text.replace(" ", "\u00a0").replace("-", "\u2011")


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A table of two columns without a head: names, and what stands to them."""
    return "\n".join(["| | |", "|---|---|", *map(_row, rows)])


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with a head."""
    head = list(columns)
    return "\n".join([_row(head), "|---" * len(head) + "|", *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    """Return one row; a bar in a cell is escaped, unless it is already."""
    return "| " + " | ".join(_BAR.sub(r"\|", cell) for cell in cells) + " |"
