"""Case files: finding, reading and refusing them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dispute_provider._cases import files as case_files
from dispute_provider.exceptions import InvalidCaseError

CASE = {"provider": "stripe", "dispute": "du_1", "evidence": {"customer_name": "Zoë"}}


def test_cases_are_found_in_a_folder_and_its_subfolders(tmp_path):
    for name in (
        "b.yaml",
        "a.json",
        "c.yml",
        "notes.txt",
        "d/case.yaml",
        "e/case.json",
        "e/other.json",
        "f/g/case.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [
        Path(path).relative_to(tmp_path).as_posix()
        for path in map(_local, case_files.find_cases(str(tmp_path)))
    ]
    assert found == ["a.json", "b.yaml", "c.yml", "d/case.yaml", "e/case.json"]


def _local(path: str) -> str:
    return path.removeprefix("file://")


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_case_file_is_read_unchanged(suffix, tmp_path):
    (tmp_path / f"case{suffix}").write_text(json.dumps(CASE), encoding="utf-8")
    case = case_files.read_case(str(tmp_path / f"case{suffix}"))
    assert case.evidence[0].value == "Zoë"
    assert case.folder == f"file://{tmp_path}" or case.folder == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("case.json", b"{\n  broken", "line 2 is not valid JSON"),
        ("case.yaml", b"a: b\nc: [", "line 2 is not valid YAML"),
        ("case.yaml", b"\x80\x81", "byte 1 is not UTF-8"),
        ("case.json", b"[]", "is a list; write one case"),
        (
            "case.yaml",
            b"provider: stripe\ndispute: du_1\nevidence: {service_date: 20260322}\n",
            "/evidence/service_date",
        ),
        ("case.yaml", b"!!python/object/apply:os.system ['true']", "line 1: it has a YAML tag"),
        ("case.json", b" " * (1024 * 1024 + 1), "more than 1,048,576 bytes"),
    ],
)
def test_an_invalid_case_file_is_refused_with_its_path_and_reason(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidCaseError, match="case") as refused:
        case_files.read_case(str(tmp_path / name))
    assert message in str(refused.value)
    assert name in str(refused.value)


def test_a_missing_case_file_is_refused(tmp_path):
    with pytest.raises(InvalidCaseError, match="there is no such file or folder; check its path"):
        case_files.read_case(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("path", "root", "within"),
    [
        ("s3://bucket/cases/a.json", "s3://bucket/cases", True),
        ("s3://bucket/cases/../keys/a.json", "s3://bucket/cases", False),
        ("s3://bucket/cases-of-others/a.json", "s3://bucket/cases", False),
        ("s3://other/cases/a.json", "s3://bucket/cases", False),
        ("/srv/cases/a.json", "s3://bucket/cases", False),
        ("s3://bucket/cases/a.json", "", False),
    ],
)
def test_addresses_in_an_object_store_stay_under_their_root(path, root, within, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", root)
    if within:
        case_files.require_within_roots(path)
    else:
        with pytest.raises(InvalidCaseError, match=r"case roots|its path contains"):
            case_files.require_within_roots(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_an_encoding_without_its_mark_is_refused_with_what_to_do(encoding, suffix, tmp_path):
    text = '{"provider": "stripe", "dispute": "du_1", "evidence": {}}'
    (tmp_path / f"case{suffix}").write_text(text, encoding=encoding)
    with pytest.raises(InvalidCaseError, match="save the file as UTF-8"):
        case_files.read_case(str(tmp_path / f"case{suffix}"))
