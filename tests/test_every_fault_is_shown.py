"""Test that each row of ``docs/faults.md`` has a test, which ``faults.yaml`` names."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml
from faults_page import rows

HERE = Path(__file__).parent
SHOWN: dict[str, list[str]] = {
    each["row"]: each["tests"] for each in yaml.safe_load((HERE / "faults.yaml").read_text("utf-8"))
}


def test_faults_yaml_has_exactly_the_rows_of_the_page() -> None:
    assert SHOWN.keys() == rows().keys()
    assert all(SHOWN.values())


@pytest.mark.parametrize("name", sorted({name for names in SHOWN.values() for name in names}))
def test_each_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert function in functions_of(path)


@cache
def functions_of(path: str) -> set[str]:
    """Return the names of all functions and methods in a test module."""
    tree = ast.parse((HERE / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
