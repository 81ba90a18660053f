"""The examples of the README work as written."""

from __future__ import annotations

import asyncio
import importlib
import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

import dispute_provider
from dispute_provider._cases import files as case_files
from dispute_provider._evidence.record import State

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("case", blocks("yaml"))
def test_its_cases_are_valid(case, tmp_path):
    (tmp_path / "case.yaml").write_text(case, encoding="utf-8")
    assert case_files.read_case(str(tmp_path / "case.yaml")).evidence


def test_its_dag_loads():
    dag = its_dag()
    assert isinstance(dag, DAG)
    assert {"stage", "review", "submit", "outcome"} <= set(dag.task_dict)


def its_dag():
    [source] = [block for block in blocks("python") if "@dag" in block]
    return run(source.replace("\ncontest()\n", "\nmade = contest()\n"))["made"]


def run(source):
    made = {}
    exec(compile(source, "README.md", "exec"), made)
    return made


def test_its_dag_needs_no_pool():
    assert {task.pool for task in its_dag().tasks} == {"default_pool"}


def test_its_policy_is_valid():
    [source] = [block for block in blocks("python") if "ApprovalPolicy" in block]
    with DAG("policy", schedule=None):
        assert run(source)["review"]([]).task_id == "review"


def test_every_class_can_be_imported_from_the_named_module():
    found = {*dispute_provider.__all__}
    for name in ("stripe", "moov", "call"):
        module = f"dispute_provider.operators.{name}"
        assert f"`{module}`" in README or f"`.{module.split('.')[-1]}`" in README
        found |= vars(importlib.import_module(module)).keys()
    named = set(re.findall(r"\b([A-Z]\w+(?:Operator|Policy))\b", README))
    assert named - found == set()


def test_its_calls_from_code_return_an_answer(sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1", reason="product_not_received")
    [source] = [block for block in blocks("python") if "StripeHook" in block]
    defined = run(source)
    assert defined["reason"]("du_1") == "product_not_received"
    assert asyncio.run(defined["reasons"](["du_1"] * 3)) == ["product_not_received"] * 3


def test_its_sandbox_example_runs():
    [source] = [block for block in blocks("python") if "Sandbox" in block]
    answered = 'sandbox.edit_dispute("du_1", status="won")'
    exec(compile(re.sub(r"\.\.\. .*", answered, source), "README.md", "exec"), {})


def test_it_explains_every_state_that_a_dispute_can_end_in():
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE))
    assert {str(state) for state in State} - {"approved", "conceded"} <= explained


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!https?:)[^)]+)\)", README))
def test_every_link_target_exists(target):
    assert (ROOT / target).is_file()
