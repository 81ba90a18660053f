"""The tables of docs/cases.md say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_its_tables_are_up_to_date() -> None:
    text = (DOCS / "cases.md").read_text(encoding="utf-8")
    tables = runpy.run_path(str(DOCS / "case_tables.py"))
    for name in ("values", "files"):
        assert f"<!-- {name} -->\n{tables[name]()}\n<!-- /{name} -->" in text, "run: python docs/tables.py"
