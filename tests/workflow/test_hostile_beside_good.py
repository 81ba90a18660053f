"""Hostile case files next to good ones: each gets a record with a remedy, and the good ones are staged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from sweeping import write_case

from dispute_provider.operators.evidence import StageEvidenceOperator
from tests.harness import hostile

# Some of these files once took minutes, or never ended; none takes a second.
pytestmark = pytest.mark.timeout(20)


def anchors(levels: int) -> bytes:
    """Few bytes of YAML: each line expands to nine of the line before it."""
    lines = ["l0: &l0 [x]"]
    lines += [f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 9)}]" for n in range(1, levels + 1)]
    return "\n".join(lines).encode()


ANCHORS = {"seven.yaml": anchors(7), "eight.yaml": anchors(8)}
REFUSED = {
    "seven.yaml": ("line 6: it has more than 10,000 values", "replace aliases by their text"),
    "eight.yaml": ("line 6: it has more than 10,000 values", "replace aliases by their text"),
    "itself.yaml": ("line 3: the alias *'m' refers to an object that contains it", "replace the alias"),
    "sixty.yaml": ("line 3: a number has more than 64 digits", "put it in quotes"),
    "digits.json": ("a number has more than 64 digits", "put it in quotes"),
    "deep.yaml": ("line 1: it nests lists or objects more than 32 levels deep", "nest them only as"),
    "python.yaml": ("line 1: it has a YAML tag, which a case cannot have", "remove it"),
    "bool.yaml": ("line 3: it has a YAML tag that does not match its value", "remove it"),
    "large.yaml": ("it has more than 1,048,576 bytes", "name the case file"),
    "pipe.yaml": ("it is a pipe, a socket or a device", "put a regular file there"),
}
"""The place of each file's error, and the remedy, as in its record."""


def records(engine: Any, cases: list[str], conn_id: str) -> list[dict[str, Any]]:
    with DAG("stage_only", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=cases, conn_id=conn_id)
    run = engine.run(dag)
    assert run.state == "success"
    value = engine.result(run, "stage")
    return list(json.loads(value) if isinstance(value, str) else value)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.write(folder)
    for name, content in ANCHORS.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_case_is_refused_and_two_others_are_staged(
    name, engine, sandbox, stripe_connection, cases, files, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", f"{cases},{files}")
    for dispute in ("du_before", "du_after", "du_hostile"):
        sandbox.create_dispute(api="stripe", id=dispute)
    before, after = (str(write_case(cases, dispute)) for dispute in ("du_before", "du_after"))

    found = records(engine, [before, str(files / name), after], stripe_connection)

    assert [record["state"] for record in found] == ["staged", "refused", "staged"]
    assert [found[0]["dispute"], found[2]["dispute"]] == ["du_before", "du_after"]
    refused = found[1]
    assert name in (refused.get("case") or refused["dispute"]), "it names the file"
    where, cure = REFUSED[name]
    assert where in refused["reason"]
    assert cure in refused["reason"]
    assert hostile.SECRET not in str(refused)
    assert {entry["dispute"] for entry in sandbox.journal() if entry["method"] == "POST"} == {
        "du_before",
        "du_after",
    }


@pytest.mark.parametrize(
    ("path", "where", "cure"),
    [
        ("a\x00.yaml", "it cannot be read", "check its path"),
        ("a\x00.jsonl", "it cannot be read", "check its path"),
        ("pipe.jsonl", "a pipe, a socket or a device", "put a regular file there"),
    ],
)
def test_a_path_that_is_not_a_file_is_refused_and_two_others_are_staged(
    path, where, cure, engine, sandbox, stripe_connection, cases
):
    hostile.THINGS["pipe.yaml"](cases / "pipe.jsonl")
    for dispute in ("du_before", "du_after"):
        sandbox.create_dispute(api="stripe", id=dispute)
    before, after = (str(write_case(cases, dispute)) for dispute in ("du_before", "du_after"))

    found = records(engine, [before, f"{cases}/{path}", after], stripe_connection)

    assert [record["state"] for record in found] == ["staged", "refused", "staged"]
    assert where in found[1]["reason"]
    assert cure in found[1]["reason"]


def test_the_sweep_stages_the_valid_cases_among_all_hostile_ones(sweep, sandbox, cases):
    for name in REFUSED:
        if name in hostile.THINGS:
            hostile.THINGS[name](cases / name)
        else:
            (cases / name).write_bytes((hostile.CONTENTS | ANCHORS)[name])
    good = ["du_1", "du_2"]
    for dispute in good:
        sandbox.create_dispute(api="stripe", id=dispute)
        write_case(cases, dispute)

    run = sweep.run()

    assert list(sweep.reviews().values()) == [good]
    assert run.state == "failed", "a person must look at the others"
