"""Test that ``docs/faults.md`` has the current decision tables of the code."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
TABLES = runpy.run_path(str(DOCS / "tables.py"))
TEXT = (DOCS / "faults.md").read_text(encoding="utf-8")


def test_its_tables_are_up_to_date() -> None:
    assert TABLES["page"](TEXT) == TEXT, "run: python docs/tables.py"


@pytest.mark.parametrize("name", ["steps", "after", "leaves"])
def test_an_outdated_table_is_detected(name: str) -> None:
    stale, replaced = re.subn(rf"(<!-- {name} -->\n.*?\n).*?\n(?=<!-- /{name})", r"\1", TEXT, flags=re.DOTALL)
    assert replaced == 1
    assert TABLES["page"](stale) == TEXT
