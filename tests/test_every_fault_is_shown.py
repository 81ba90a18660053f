"""Every row of ``docs/faults.md`` is driven by a test; ``faults.yaml`` names it."""

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


def test_every_row_has_a_test_and_no_row_that_is_gone_has_one() -> None:
    assert SHOWN.keys() == rows().keys()
    assert all(SHOWN.values())


@pytest.mark.parametrize("name", sorted({name for names in SHOWN.values() for name in names}))
def test_a_test_that_is_named_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    assert function in functions_of(path)


@cache
def functions_of(path: str) -> set[str]:
    """Return the names of all functions of a module of tests, those of its classes too."""
    tree = ast.parse((HERE / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
