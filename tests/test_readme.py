"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

from dispute_provider.evidence.record import State
from dispute_provider.operators import case_files

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("case", blocks("yaml"))
def test_its_cases_are_cases(case, tmp_path):
    (tmp_path / "case.yaml").write_text(case, encoding="utf-8")
    assert case_files.read_case(str(tmp_path / "case.yaml")).evidence


def test_its_dag_is_a_dag():
    [source] = [block for block in blocks("python") if "@dag" in block]
    made = {}
    exec(compile(source.replace("\ncontest()\n", "\nmade = contest()\n"), "README.md", "exec"), made)
    assert isinstance(made["made"], DAG)
    assert {"stage", "review", "submit", "outcome"} <= set(made["made"].task_dict)


def test_its_sandbox_example_runs():
    [source] = [block for block in blocks("python") if "Sandbox" in block]
    answered = 'sandbox.edit_dispute("du_1", status="won")'
    exec(compile(re.sub(r"\.\.\. .*", answered, source), "README.md", "exec"), {})


def test_it_explains_every_state_that_a_dispute_can_end_in():
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE))
    assert {str(state) for state in State} - {"approved", "conceded"} <= explained


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!https?:)[^)]+)\)", README))
def test_what_it_links_to_is_there(target):
    assert (ROOT / target).is_file()
