"""Hostile cases: each is refused with its reason, and stops no other."""

from __future__ import annotations

import io
import json
import sys
from collections import UserDict, UserList
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG, ObjectStoragePath
from faults_page import rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import run
from support import memory_store
from sweeping import write_case

from dispute_provider._cases import files as case_files
from dispute_provider._cases.documents import read_documents
from dispute_provider._cases.text import parse_json, parse_yaml
from dispute_provider._documents import Renderer
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_size import MAX_DEPTH, MAX_VALUES
from dispute_provider.exceptions import InvalidCaseError
from dispute_provider.operators.evidence import StageEvidenceOperator
from tests.harness import hostile

# Each hung or took minutes, or a batch with it: no test here takes seconds.
pytestmark = pytest.mark.timeout(60)


def records(engine: Any, run: Any, task: str, map_index: int = -1) -> list[dict[str, Any]]:
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task}/xcomEntries/return_value"
    value = engine.api.get(path, params={"deserialize": False, "map_index": map_index}).json()["value"]
    return json.loads(value) if isinstance(value, str) else value


def staged(engine: Any, cases: Sequence[Any]) -> list[dict[str, Any]]:
    """The records of a task that stages cases."""
    with DAG("stage_only", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=cases, conn_id="stripe_default")
    return records(engine, engine.run(dag), "stage")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.write(folder)
    return folder


@pytest.mark.parametrize("name", [*hostile.CONTENTS, *hostile.THINGS])
def test_a_hostile_file_is_refused_with_its_path_and_a_remedy(name, folder):
    with pytest.raises(InvalidCaseError) as refused:
        case_files.read_case(str(folder / name))
    message = str(refused.value)
    assert name.replace("\n", r"\n").replace("\u202e", r"\u202e") in message
    assert hostile.SECRET not in message
    assert all(violation.problem and violation.remedy for violation in refused.value.violations)
    message.encode()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("long-path.json", "there is no such file"),
        ("pipe-as-document.json", "there is no such file"),
        ("socket-as-document.json", "there is no such file"),
        ("folder-as-document.json", "it is a folder"),
        ("loop-as-document.json", "it is a link to itself"),
        ("zeros-as-document.json", "bytes"),
    ],
)
def test_a_document_that_cannot_be_read_is_a_reason_of_its_case(name, reason, folder):
    case = case_files.read_case(str(folder / name))
    with Renderer() as renderer, pytest.raises(InvalidCaseError) as refused:
        read_documents(case, renderer)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lists.yaml", "line 8: it has more than 10,000 values"),
        ("merges.yaml", "line 7: it has more than 10,000 values"),
        ("itself.yaml", "line 3: the alias *'m' refers to an object that contains it"),
        ("sixty.yaml", "line 3: a number has more than 64 digits"),
        ("digits.json", "a number has more than 64 digits"),
        ("deep.yaml", "line 1: it nests lists or objects more than 32 levels deep"),
        ("deep.json", "it nests lists or objects more than 32 levels deep"),
        ("bool.yaml", "line 3: it has a YAML tag that does not match its value"),
        ("nul.yaml", "line 3 has a control character"),
        ("two.yaml", "line 3: a second case starts here; put each case into a file of its own"),
        ("broken.json", "line 2 is not valid JSON"),
        ("noise.yaml", "line 2, byte 118 is not UTF-8"),
        ("large.yaml", "it has more than 1,048,576 bytes"),
        ("zeros.json", "it has more than 1,048,576 bytes"),
        ("pipe.yaml", "it is a pipe, a socket or a device"),
        ("device.yaml", "it is a pipe, a socket or a device"),
        ("caf\\udce9.yaml", "its name is not UTF-8"),
        ("dangling.yaml", "it cannot be read: there is no such file or folder"),
    ],
)
def test_the_reason_says_what_and_where(name, reason, folder):
    with pytest.raises(InvalidCaseError) as refused:
        case_files.read_case(str(folder / name))
    assert reason in str(refused.value)


def test_a_sweep_over_all_of_them_stages_every_good_case(sweep, sandbox, cases):
    hostile_paths = hostile.write(cases)
    good = [f"du_{number}" for number in range(3)]
    for dispute in (*good, "du_hostile"):
        sandbox.create_dispute(api="stripe", id=dispute)
    for dispute in good:
        write_case(cases, dispute)

    run = sweep.run()

    assert list(sweep.reviews().values()) == [good]
    found = records(sweep.engine, run, "contest.stage", 0)
    states = {record.get("case") or record["dispute"]: record["state"] for record in found}
    assert sorted(record["dispute"] for record in found if record["state"] == "staged") == good
    named = [path for path in hostile_paths if hostile.may_name(path, "du_hostile")]
    shown = {path.replace("\n", r"\n").replace("\u202e", r"\u202e") for path in named}
    refused = {path.removeprefix("file://"): state for path, state in states.items() if state != "staged"}
    assert refused == dict.fromkeys(shown, "refused")


def test_a_root_that_cannot_be_listed_does_not_stop_the_others(sweep, sandbox, cases, monkeypatch):
    roots = f"{cases}/none,unknown://cases,{cases}"
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", roots)
    sandbox.create_dispute(api="stripe", id="du_1")
    write_case(cases, "du_1")

    run = sweep.run()

    found = {record["dispute"]: record["state"] for record in records(sweep.engine, run, "contest.stage", 0)}
    assert found == {f"{cases}/none": "refused", "unknown://cases": "refused", "du_1": "staged"}
    row = rows()["A case root, or a folder in it, cannot be listed"]
    for record in records(sweep.engine, run, "contest.stage", 0)[:2]:
        assert row.quotes(record["reason"]), record["reason"]
    # The way out: roots that exist.
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(cases))
    sandbox.create_dispute(api="stripe", id="du_2")
    write_case(cases, "du_2")
    assert [record["state"] for record in records(sweep.engine, sweep.run(), "contest.stage", 0)] == [
        "staged"
    ]


def _odd_cases() -> list[Any]:
    """Cases made in Python that have no form in JSON, or too large a one."""
    cyclic: dict[str, Any] = {"provider": "stripe", "dispute": "du_1"}
    cyclic["evidence"] = {"customer_name": cyclic}
    deep: Any = "x"
    for _ in range(sys.getrecursionlimit() * 3):
        deep = [deep]
    doubled: Any = ["x"]
    for _ in range(60):
        doubled = [doubled, doubled]
    round_map: Any = UserDict()
    round_map["evidence"] = round_map
    evidence = [deep, doubled, 10**5000, float("inf"), {1: {2: b"x"}}, object(), {"receipt": cyclic}]
    cases = [{"provider": "stripe", "dispute": "du_1", "evidence": odd} for odd in evidence]
    return [
        cyclic,
        round_map,
        deep,
        {"dispute": deep},
        {"dispute": "\ud800"},
        {"metadata": cyclic},
        None,
        5,
        *cases,
    ]


def test_cases_made_in_python_are_bounded_as_well(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_good")
    good = {"provider": "stripe", "dispute": "du_good", "evidence": {"uncategorized_text": "Delivered."}}
    odd = _odd_cases()
    # Airflow itself looks through a list for what other tasks return, however deep it is.
    found = staged(engine, UserList([*odd, good]))
    assert [record["state"] for record in found] == ["refused"] * len(odd) + ["staged"]


def test_a_case_as_json_and_a_path_as_an_object_are_taken(sandbox, stripe_connection, cases):
    text = {"uncategorized_text": "Canary Roe"}
    file = cases / "case.json"
    file.write_text(json.dumps({"provider": "stripe", "dispute": "du_2", "evidence": text}))
    for dispute in ("du_1", "du_2", "du_3"):
        sandbox.create_dispute(api="stripe", id=dispute)
    of_a_task = json.dumps({"provider": "stripe", "dispute": "du_1", "evidence": text}, indent=1)
    in_a_store = ObjectStoragePath(f"file://{write_case(cases, 'du_3')}")
    operator = StageEvidenceOperator(
        task_id="stage", cases=[of_a_task, file, in_a_store], conn_id="stripe_default"
    )
    assert [(each["dispute"], each["state"]) for each in run(operator)] == [
        ("du_1", "staged"),
        ("du_2", "staged"),
        ("du_3", "staged"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"provider": "stripe", "evidence": {"customer_name": "Canary Roe"', "is not valid JSON"),
        (
            '[{"provider": "stripe", "evidence": {"customer_name": "Canary Roe"}}]',
            "is a list; write one case",
        ),
        (
            "provider: stripe\ndispute: du_1\nevidence: {customer_name: Canary Roe}",
            "is the text of a case; return",
        ),
        (
            "---\ncustomer: Canary Roe",
            "is the text of a case; return the case as a dict, or the path of its file",
        ),
    ],
)
def test_the_text_of_a_case_is_not_shown_as_its_path(text, said, stripe_connection, caplog):
    operator = StageEvidenceOperator(task_id="stage", cases=[text], conn_id="stripe_default")
    with caplog.at_level("INFO"):
        [record] = run(operator)
    assert (record["state"], record["dispute"]) == ("refused", "item 1 of the list")
    assert said in record["reason"]
    assert "Canary" not in json.dumps(record) + caplog.text


def test_paths_to_missing_files_are_refused(engine, sandbox, stripe_connection, cases):
    sandbox.create_dispute(api="stripe", id="du_good")
    (cases / "pipe.jsonl").touch()
    (cases / "pipe.jsonl").unlink()
    hostile.THINGS["pipe.yaml"](cases / "pipe.jsonl")
    names = ("a\x00.yaml", "a\x00.jsonl", "a" * 5_000 + ".json", "\udce9.json", "\udce9.jsonl", "pipe.jsonl")
    odd = [f"{cases}/{name}" for name in names] + ["unknown://x/case.json", "unknown://x/all.jsonl", ""]
    found = staged(engine, [*odd, str(write_case(cases, "du_good"))])
    assert [record["state"] for record in found] == ["refused"] * len(odd) + ["staged"]
    assert all("\x00" not in record["dispute"] for record in found)


def test_a_file_of_cases_that_breaks_off_is_held_and_other_cases_continue(
    engine, sandbox, stripe_connection, cases, monkeypatch
):
    sandbox.create_dispute(api="stripe", id="du_1")
    lines = [
        json.dumps({"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "Yes."}}),
        "[" * 100_000,
        '{"dispute": ' + "9" * 5_000 + "}",
    ]
    from airflow.sdk import ObjectStoragePath

    root = memory_store("broken")
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", root)
    path = ObjectStoragePath(f"{root}/all.jsonl")
    whole = ("\n".join(lines) + "\n").encode()
    path.write_bytes(whole)

    class Broken(io.BytesIO):
        """A connection that is lost after all of it has arrived."""

        def read(self, size: int | None = -1) -> bytes:
            if piece := super().read(size):
                return piece
            raise TimeoutError

    sandbox.create_dispute(api="stripe", id="du_2")
    other = {"provider": "stripe", "dispute": "du_2", "evidence": {"uncategorized_text": "Yes."}}
    with monkeypatch.context() as patch:
        patch.setattr(type(path.fs), "open", lambda *of, **how: Broken(whole))
        first = staged(engine, [str(path), other])
    # The rest of the file may hold a second case for any of its disputes.
    assert {record["dispute"]: record["state"] for record in first} == {
        f"line 4 of {path}": "held",
        "du_2": "staged",
    }
    rows()["Reading a `.jsonl` file fails midway"].check(first[0])
    # The way out: the task is cleared.
    again = {record["dispute"]: record["state"] for record in staged(engine, [str(path), other])}
    assert (again["du_1"], again["du_2"]) == ("staged", "staged")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("parse", [parse_json, parse_yaml])
def test_a_case_within_the_limits_is_read(parse):
    for value in (nested(MAX_DEPTH), ["x"] * (MAX_VALUES // 2), {"a": 10**63}):
        content = json.dumps(value).encode()
        assert parse(content, "case") == value
        with pytest.raises(InvalidCaseError, match=r"is a list|is no field of a case"):
            Case.parse(value)


def test_aliases_a_mark_at_the_start_and_a_lone_sign_are_fine():
    text = "\ufeffmetadata: &m {a: '1'}\nother: {<<: *m, b: '='}\nlist: [*m, *m, =]\n"
    assert parse_yaml(text.encode(), "case") == {
        "metadata": {"a": "1"},
        "other": {"a": "1", "b": "="},
        "list": [{"a": "1"}, {"a": "1"}, "="],
    }
    assert parse_json("\ufeff[]".encode(), "case") == []


def test_libyaml_is_used_if_it_is_installed():
    assert yaml.__with_libyaml__, "PyYAML's wheels contain it"
    from dispute_provider._cases import text as case_text

    assert issubclass(case_text._loader(), yaml.CSafeLoader)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(scalars, inner) | st.tuples(inner, inner),
    max_leaves=8,
)


UNHURRIED = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(st.dictionaries(st.sampled_from(["provider", "dispute", "evidence", "metadata", "x"]), anything))
def test_any_value_is_a_case_or_is_refused(data):
    try:
        Case.parse({"provider": "stripe", "dispute": "du_1", **data})
    except InvalidCaseError as error:
        str(error).encode()


@UNHURRIED
@given(st.binary() | st.text(alphabet="ab&*<{}[]:,!?|>-=#%@'\"\\ \n\t01.~").map(str.encode))
def test_any_content_is_a_case_or_is_refused(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.json", "any.yaml"):
        (folder / name).write_bytes(content)
        with pytest.raises(InvalidCaseError):
            case_files.read_case(str(folder / name))
