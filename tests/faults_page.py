"""The rows of ``docs/faults.md``, as promises that tests can hold a record to."""

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

    :param title: its first cell; one that goes on from rows before it, ``… and so on``, has theirs in front.
    :param cells: what is seen, the state, and what to do; fewer in tables that have fewer columns.
    """

    title: str
    cells: tuple[str, ...]

    def check(self, record: Any, *words: str) -> None:
        """Check that a record ended in the row's state, and that its reason is in the row's words.

        :param record: as XCom has it.
        :param words: a part of the reason that the row must quote; without any, one of its quotations must be
            the reason, ``…`` standing for anything.
        """
        seen, state = self.cells[:2]
        assert f"`{record['state']}`" in state, (record["state"], record["reason"])
        for each in words:
            assert each in record["reason"], record["reason"]
            assert each in seen, each
        assert words or self.quotes(record["reason"]), record["reason"]

    def quotes(self, text: str) -> bool:
        """Return whether one of the quotations of what is seen is in a text."""
        quoted = re.findall(r"\*([^*]+)\*", self.cells[0])
        return any(re.search(".*".join(map(re.escape, each.split("…"))), text) for each in quoted)


@cache
def rows() -> dict[str, Row]:
    """All rows of the tables that say what happens, by their titles."""
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
