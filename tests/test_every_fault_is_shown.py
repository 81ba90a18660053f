"""Test that each row of ``docs/faults.md`` has a test and, where there is one, a test of its way out."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults_page import Row, rows

HERE = Path(__file__).parent
ENTRIES: list[dict[str, Any]] = yaml.safe_load((HERE / "faults.yaml").read_text("utf-8"))
WAYS_OUT: dict[str, str | None] = {each["row"]: each.get("way_out") for each in ENTRIES}
TESTS: dict[str, list[str]] = {
    each["row"]: [*each.get("tests", []), *filter(None, [each.get("way_out")])] for each in ENTRIES
}


def test_faults_yaml_has_exactly_the_rows_of_the_page() -> None:
    assert len(ENTRIES) == len(TESTS)
    assert TESTS.keys() == rows().keys()
    assert all(TESTS.values())


@pytest.mark.parametrize("name", sorted({name for names in TESTS.values() for name in names}))
def test_each_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert function in functions_of(path)


@pytest.mark.parametrize("title", sorted(rows()))
def test_each_row_with_advice_has_a_test_of_its_way_out(title: str) -> None:
    assert WAYS_OUT[title] or needs_none(rows()[title])


def needs_none(row: Row) -> bool:
    """Return whether a row has no way out: nothing must be done, or a final call has been made."""
    when_or_advice = row.cells[-1]
    is_final = len(row.cells) == 3 and "`submitted-differs`" in row.cells[1]
    return is_final or when_or_advice.startswith(("nothing", "never"))


@cache
def functions_of(path: str) -> set[str]:
    """Return the names of all functions and methods in a test module."""
    tree = ast.parse((HERE / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
