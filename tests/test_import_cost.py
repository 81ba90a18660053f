"""What every parse of a DAG file pays for our imports: no HTTP client, no hook, no validator."""

from __future__ import annotations

import json
import subprocess
import sys
from pkgutil import iter_modules

import dispute_provider.example_dags
import pytest

import dispute_provider.operators

MODULES = [
    module.name
    for package in (dispute_provider.operators, dispute_provider.example_dags)
    for module in iter_modules(package.__path__, f"{package.__name__}.")
]
# What a DAG file that asks a person something has imported anyway.
BASELINE = (
    "import airflow.sdk, airflow.providers.standard.operators.hitl; from airflow.sdk import DAG, BaseOperator"
)
PROBE = f"""
import importlib, json, sys
{BASELINE}
costs = {{}}
for name in sys.argv[1:]:
    before = set(sys.modules)
    importlib.import_module(name)
    costs[name] = sorted(set(sys.modules) - before)
print(json.dumps(costs))
"""
HEAVY = (
    "aiohttp",
    "airflow.providers.http",
    "dispute_provider.hooks",
    "dispute_provider.sandbox",
    "dispute_provider.validation",
    "jsonschema",
    "requests",
    "tenacity",
    "urllib3",
    "uvicorn",
)


@pytest.fixture(scope="module")
def costs() -> dict[str, list[str]]:
    """The modules that each of ours adds, imported one after the other in a fresh interpreter."""
    told = subprocess.run(
        [sys.executable, "-c", PROBE, *MODULES], capture_output=True, text=True, check=True
    ).stdout
    parsed: dict[str, list[str]] = json.loads(told.splitlines()[-1])
    return parsed


def test_the_operators_are_among_them() -> None:
    assert {f"dispute_provider.operators.{name}" for name in ("evidence", "moov", "stripe")} <= {*MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_nothing_heavy(module: str, costs: dict[str, list[str]]) -> None:
    heavy = [name for name in costs[module] if name.startswith(tuple(f"{root}." for root in HEAVY))]
    heavy += [name for name in costs[module] if name in HEAVY]
    assert not heavy
