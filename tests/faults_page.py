"""Parse the rows of ``docs/faults.md``, so that tests can compare records with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FAULTS = Path(__file__).parents[1] / "docs" / "faults.md"


@dataclass(frozen=True)
class Row:
    """A row of a table of faults.

    :param title: the first cell; if it begins with ``…``, the title of the row that it continues comes first.
    :param cells: the symptom, the state and the remedy; fewer in tables with fewer columns.
    """

    title: str
    cells: tuple[str, ...]

    def check(self, record: Any, *words: str) -> None:
        """Check that a record has the row's state and that the row quotes its reason.

        :param record: the record as in XCom.
        :param words: parts of the reason that the row must quote; without any, one of its quotations must
            match the reason, where ``…`` matches any text.
        """
        seen, state = self.cells[:2]
        assert f"`{record['state']}`" in state, (record["state"], record["reason"])
        for each in words:
            assert each in record["reason"], record["reason"]
            assert each in seen, each
        assert words or self.quotes(record["reason"]), record["reason"]

    def quotes(self, text: str) -> bool:
        """Return whether a text contains one of the row's quotations."""
        quoted = re.findall(r"\*([^*]+)\*", self.cells[0])
        return any(re.search(".*".join(map(re.escape, each.split("…"))), text) for each in quoted)


@cache
def rows() -> dict[str, Row]:
    """Return all rows of the fault tables, by title."""
    return {row.title: row for row in _rows()}


def _rows() -> Iterator[Row]:
    heading = before = head = ""
    for line in FAULTS.read_text("utf-8").splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if not line.startswith("| "):
            head = head if line.startswith("|--") else ""
            continue
        first, *cells = line.strip("| ").split(" | ")
        if not head:
            head = first
        elif head.startswith("What happens"):
            before = f"{before} {first}" if first.startswith("…") else first
            yield Row(f"{heading}: {before}" if heading == "Between sweeps" else before, tuple(cells))
            if first.startswith("…"):
                before = before.removesuffix(f" {first}")
