"""JSON Lines files with many cases: reading and refusing their lines."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from support import memory_store

from dispute_provider._cases import lines as case_lines
from dispute_provider._cases.files import LARGEST_CASE
from dispute_provider._evidence.case import Case
from dispute_provider.exceptions import InvalidCaseError, TryAgainError


def case(number: int, text: str = "Signed for.") -> dict[str, Any]:
    return {"provider": "stripe", "dispute": f"du_{number}", "evidence": {"uncategorized_text": text}}


def write(path: Path, *lines: bytes | dict[str, Any], end: bytes = b"\n") -> str:
    path.write_bytes(
        end.join(
            line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
            for line in lines
        )
    )
    return str(path)


def read(*given: Any) -> list[Case | str]:
    """Return the cases, with an error message in place of each refused one."""
    found: list[Case | str] = []
    for item in case_lines.expanded(given):
        try:
            found.append(item.case())
        except InvalidCaseError as error:
            found.append(str(error))
    return found


def test_only_a_line_feed_ends_a_case(cases):
    odd = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\r"
    path = write(cases / "all.jsonl", case(1), b"", case(2, odd), b"  ", case(3), end=b"\r\n")
    first, second, third = read(path)
    assert [first.dispute, second.dispute, third.dispute] == ["du_1", "du_2", "du_3"]
    assert second.evidence[0].value == odd
    assert first.folder == f"file://{cases}"
    assert third.source == f"line 5 of {path}"


def test_lines_are_read_across_the_pieces_of_a_file(cases):
    texts = ["x" * (1 << 14), "é" * 20_000, "", "y" * (1 << 16), "z"]
    path = write(cases / "all.jsonl", *(case(number, text) for number, text in enumerate(texts)))
    lines = list(case_lines.expanded([path]))
    assert [json.loads(line.content)["evidence"]["uncategorized_text"] for line in lines] == texts


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{broken", "not valid JSON"),
        (b"[1, 2]", "is a list; write one case"),
        (b"[" * 100_000, "deep"),
        (b'"\x80"', "not UTF-8"),
        (b'{"provider": "stripe"}', "evidence"),
        (b'{"x": "' + b"x" * LARGEST_CASE + b'"}', f"{LARGEST_CASE:,}"),
    ],
)
def test_an_invalid_line_is_refused_with_its_number_and_the_others_are_read(line, message, cases):
    path = write(cases / "all.jsonl", case(1), line, case(2))
    first, refused, second = read(path)
    assert [first.dispute, second.dispute] == ["du_1", "du_2"]
    assert f"line 2 of {path}" in refused
    assert message in refused


def test_a_file_of_one_endless_line_is_not_read_into_memory(cases):
    path = cases / "zeros.jsonl"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    [refused] = read(str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 1,048,576 bytes" in refused
    assert peak < 8 * LARGEST_CASE


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/etc/cases.jsonl", "outside the case roots"),
        ("{cases}/../cases.jsonl", "outside the case roots"),
        ("s3://bucket/cases.jsonl", "outside the case roots"),
        ("{cases}/none.jsonl", "there is no such file"),
        ("{cases}/folder.jsonl", "it is a folder"),
    ],
)
def test_an_unreadable_file_is_refused_once(path, message, cases):
    (cases / "folder.jsonl").mkdir()
    path = path.format(cases=cases)
    [refused] = read(path)
    assert message in refused
    assert path in refused


def test_a_link_out_of_the_roots_is_not_followed(cases, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    write(outside / "all.jsonl", case(1))
    (cases / "link.jsonl").symlink_to(outside / "all.jsonl")
    [refused] = read(str(cases / "link.jsonl"))
    assert "outside the case roots" in refused


def test_a_file_can_be_named_by_its_url(cases):
    write(cases / "all.jsonl", case(1))
    [found] = read(f"file://{cases}/all.jsonl")
    assert found.dispute == "du_1"
    assert found.folder == f"file://{cases}"


def test_a_file_that_fails_halfway_is_read_again_by_the_next_try(cases, monkeypatch):
    whole = Path(write(cases / "all.jsonl", *map(case, range(100)))).read_bytes()

    class Broken(io.BytesIO):
        """A file whose connection is lost while it is read."""

        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 1000:
                raise TimeoutError
            return super().read(500)

    from airflow.sdk import ObjectStoragePath

    root = memory_store("broken")
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", root)
    path = ObjectStoragePath(f"{root}/all.jsonl")
    path.write_bytes(whole)
    monkeypatch.setattr(type(path.fs), "open", lambda *of, **how: Broken(whole))
    lines = case_lines.expanded([str(path)])
    assert next(lines).case().dispute == "du_0"
    *_, last = lines
    with pytest.raises(TryAgainError, match=r"cannot be read after line \d+: TimeoutError"):
        last.case()
