"""The tables of docs/evidence.md match the contracts."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from dispute_provider._contracts import contract

DOCS = Path(__file__).parents[2] / "docs"
TABLES = runpy.run_path(str(DOCS / "tables.py"))
TEXT = (DOCS / "evidence.md").read_text(encoding="utf-8")


def test_its_tables_are_up_to_date() -> None:
    assert TABLES["page"](TEXT) == TEXT, "run: python docs/tables.py"


@pytest.mark.parametrize("name", ["stripe", "moov", "why-stripe", "why-moov"])
def test_an_outdated_table_is_detected(name: str) -> None:
    stale, replaced = re.subn(rf"(<!-- {name} -->\n.*?\n).*?\n(?=<!-- /{name})", r"\1", TEXT, flags=re.DOTALL)
    assert replaced == 1 and TABLES["page"](stale) == TEXT


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_every_reason_and_code_is_listed(api: str) -> None:
    (table,) = re.findall(rf"<!-- {api} -->(.*?)<!-- /{api} -->", TEXT, re.DOTALL)
    first_cells = " ".join(row.split("|")[1] for row in table.strip().splitlines())
    assert set(re.findall(r"`([^`]+)`", first_cells)) == codes(api)


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!https?:|#)[^)]+)\)", TEXT))
def test_every_link_target_exists(target: str) -> None:
    assert (DOCS / target).is_file()


def codes(api: str) -> set[str]:
    return set(contract.load(api).document["x-completeness"]["codes"])
