"""Cases, lists and forms may only name files under the case roots, in spite of links and stores."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st
from papers import pdf
from support import memory_store

from dispute_provider._cases import files as case_files
from dispute_provider._cases.documents import read_documents
from dispute_provider._documents import Inspection
from dispute_provider._evidence.case import Case
from dispute_provider.exceptions import InvalidCaseError
from dispute_provider.operators.evidence import StageEvidenceOperator

READS = 1500
INSIDE, OUTSIDE = pdf(1), pdf(2)
ROOTS = "AIRFLOW__DISPUTE__CASE_ROOTS"


def case(**documents: str) -> dict[str, Any]:
    evidence = {name: {"file": path} for name, path in documents.items()}
    return {"provider": "stripe", "dispute": "du_1", "evidence": evidence}


def write_case(folder: Path, **documents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text(json.dumps(case(**documents)))
    return folder / "case.json"


@contextmanager
def flipping(link: Path, *targets: Path) -> Iterator[None]:
    """Have a link lead to one target after the other, as fast as it goes."""
    done = threading.Event()

    def flip() -> None:
        new = link.with_name(f"{link.name}.new")
        while not done.is_set():
            for target in targets:
                new.symlink_to(target)
                new.replace(link)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Pages:
    """Replaces the child process that reads documents, which is too slow for a race."""

    def inspect(self, content: bytes, sha256: str | None = None) -> Any:
        return Inspection("application/pdf", 1 if content == INSIDE else 2, card_number=False)


@pytest.mark.parametrize("flipped", ["document", "folder"])
def test_a_link_flipped_while_a_document_is_read_never_leads_outside(flipped: str, tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "a").mkdir(parents=True)
    elsewhere.mkdir()
    (root / "a" / "good.pdf").write_bytes(INSIDE)
    (elsewhere / "good.pdf").write_bytes(OUTSIDE)
    if flipped == "document":
        link, targets = root / "a" / "receipt.pdf", (root / "a" / "good.pdf", elsewhere / "good.pdf")
        read = Case.parse(case(receipt="receipt.pdf"), folder=str(root / "a"))
    else:
        link, targets = root / "link", (root / "a", elsewhere)
        read = Case.parse(case(receipt="link/good.pdf"), folder=str(root))
    link.symlink_to(targets[0])
    outside = inside = 0
    with flipping(link, *targets):
        for _ in range(READS):
            try:
                [found] = read_documents(read, Pages()).found.values()  # type: ignore[arg-type]
            except InvalidCaseError:
                continue
            inside += found.content == INSIDE
            outside += found.content == OUTSIDE
    assert outside == 0
    assert inside > 0


def test_a_folder_flipped_while_its_case_is_read_never_leads_outside(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    good = write_case(root / "a")
    write_case(elsewhere).write_text(json.dumps({**case(), "dispute": "du_of_elsewhere"}))
    link = root / "link"
    link.symlink_to(good.parent)
    found: set[str] = set()
    with flipping(link, good.parent, elsewhere):
        for _ in range(READS):
            try:
                found.add(case_files.read_case(str(link / "case.json"), [str(root)]).dispute)
            except InvalidCaseError:
                continue
    assert found == {"du_1"}


def staged(engine: Any, cases: Any, folder: str | None = None) -> list[dict[str, Any]]:
    with DAG("stage_confined", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=cases, conn_id="stripe_default", folder=folder)
    value = engine.result(engine.run(dag), "stage")
    assert isinstance(value, list)
    return value


def test_links_within_a_root_and_a_root_that_is_a_link_work(
    engine: Any, sandbox: Any, stripe_connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git-sync, ConfigMaps and a disk that is mounted elsewhere leave them."""
    sandbox.create_dispute(api="stripe", id="du_1")
    disk = tmp_path / "disk"
    case_path = write_case(disk / "v1" / "order", receipt="current.pdf", refund_policy="absolute.pdf")
    (case_path.parent / "good.pdf").write_bytes(INSIDE)
    (case_path.parent / "current.pdf").symlink_to("good.pdf")
    (case_path.parent / "absolute.pdf").symlink_to(case_path.parent / "good.pdf")
    (disk / "now").symlink_to("v1")
    (tmp_path / "root").symlink_to(disk)
    monkeypatch.setenv(ROOTS, str(tmp_path / "root"))
    [record] = staged(engine, [str(tmp_path / "root" / "now" / "order" / "case.json")])
    assert (record["state"], record["pages"]) == ("staged", 2)


def test_a_link_out_of_the_roots_is_refused(
    engine: Any, sandbox: Any, stripe_connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    (tmp_path / "secret.pdf").write_bytes(INSIDE)
    path = write_case(tmp_path / "root" / "order", receipt="receipt.pdf")
    (path.parent / "receipt.pdf").symlink_to(tmp_path / "secret.pdf")
    (tmp_path / "root" / "link.json").symlink_to(write_case(tmp_path / "elsewhere"))
    monkeypatch.setenv(ROOTS, str(tmp_path / "root"))
    through_link, with_link = staged(engine, [str(tmp_path / "root" / "link.json"), str(path)])
    assert "it is outside the case roots" in through_link["reason"]
    assert "receipt.pdf: it is outside the case's folder" in with_link["reason"]


HOSTILE = [
    ("{root}/x::file:///etc/passwd", "a second address"),
    ("{root}/x::file://etc/passwd", "a second address"),
    ("{root}/file:///etc/passwd", "a second address"),
    ("{root}/file:/etc/passwd", "a second address"),
    ("{root}/s3://other/x.json", "a second address"),
    ("{root}/../other/x.json", "contains .."),
    ("{root}/a/../x", "contains .."),
    ("{root}/..\\other\\x.json", "contains .."),
    ("{root}/a\\x.json", "a backslash"),
    ("{root}/%2e%2e/other/x.json", "(%2e)"),
    ("{root}/%2E%2E%2Fother%2Fx.json", "(%2E)"),
    ("{root}/a%2fx.json", "(%2f)"),
    ("{root}/a%5cx.json", "(%5c)"),
    ("{root}/%252e%252e/x.json", "(%25)"),
    ("{root}/x.json?versionId=1", "contains ?"),
    ("{root}/x.json#/../../y", "contains .."),
    ("{root}/x.json#y", "contains #"),
    ("simplecache::{root}/x.json", "a second address"),
    ("file:///etc/passwd::{root}/x.json", "a second address"),
    ("memory://memory://cases/x.json", "a second address"),
    ("/etc/passwd", "outside the case roots"),
    ("file:///etc/passwd", "outside the case roots"),
]


@pytest.mark.parametrize("name", ["case.json", "cases.jsonl"])
def test_hostile_addresses_in_a_list_are_refused_with_a_reason(
    name: str, engine: Any, stripe_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = memory_store("cases")
    monkeypatch.setenv(ROOTS, root)
    paths = [path.format(root=root) + ("" if name == "case.json" else ".jsonl") for path, _ in HOSTILE]
    records = staged(engine, paths)
    assert [record["state"] for record in records] == ["refused"] * len(HOSTILE)
    reasons = {path: record["reason"] for path, record in zip(paths, records, strict=True)}
    for path, (_, problem) in zip(paths, HOSTILE, strict=True):
        assert problem in reasons[path], path


def test_hostile_addresses_in_a_form_are_refused(
    engine: Any, stripe_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = memory_store("cases")
    monkeypatch.setenv(ROOTS, root)
    for path, problem in (each for each in HOSTILE if "json" not in each[0]):
        [record] = staged(engine, [case(receipt="a.pdf")], folder=path.format(root=root))
        assert problem in record["reason"], path


@pytest.mark.parametrize(
    "name",
    [
        "x::file:///etc/passwd",
        "a/file:/etc/passwd",
        "file:/etc/passwd",
        "%2e%2e/x.pdf",
        "a%2Fx.pdf",
        "x.pdf?y",
    ],
)
def test_hostile_names_of_documents_in_a_store_are_refused(name: str) -> None:
    root = memory_store("cases")
    ObjectStoragePath(f"{root}/a.pdf").write_bytes(INSIDE)
    with pytest.raises(InvalidCaseError, match=r"path contains|outside|a relative path|is an address"):
        read_documents(Case.parse(case(receipt=name), folder=root), Pages())  # type: ignore[arg-type]


def test_ordinary_names_of_documents_in_a_store_are_read() -> None:
    root = memory_store("cases")
    names = {"receipt": "Invoice #12.pdf", "refund_policy": "Re: your order (100%).pdf"}
    for name in names.values():
        ObjectStoragePath(f"{root}/{name}").write_bytes(INSIDE)
    found = read_documents(Case.parse(case(**names), folder=root), Pages()).found  # type: ignore[arg-type]
    assert set(found) == set(names.values())


PIECES = [
    "a",
    "..",
    ".",
    "",
    "%2e%2e",
    "%2F",
    "\\",
    "::",
    "file:",
    "file://",
    "s3://b",
    "etc",
    "?",
    "#",
    "x.json",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.sampled_from(["/", ""]))
def test_any_address_is_plain_and_under_its_root_or_refused(pieces: list[str], between: str) -> None:
    address = "s3://bucket/cases" + between.join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOTS, "s3://bucket/cases")
        try:
            case_files.require_within_roots(address)
        except InvalidCaseError:
            return
    below = address.removeprefix("s3://bucket/cases")
    assert below == "" or below.startswith("/")
    assert not any(sign in below for sign in ("..", "%2e", "%2F", "\\", "::", ":/", "?", "#"))


def test_a_case_root_may_be_a_chain_of_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ROOTS, "simplecache::s3://bucket/cases")
    case_files.require_within_roots("simplecache::s3://bucket/cases/a/case.json")
    with pytest.raises(InvalidCaseError, match="second address"):
        case_files.require_within_roots("simplecache::s3://bucket/cases/a::file:///etc/passwd")


def test_no_handle_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "good.pdf").write_bytes(INSIDE)
    os.mkfifo(tmp_path / "a" / "pipe.pdf")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("a/good.pdf", "a/pipe.pdf", "a", "a/gone.pdf", "gone/good.pdf"):
        try:
            read_documents(Case.parse(case(receipt=name), folder=str(tmp_path)), Pages())  # type: ignore[arg-type]
        except InvalidCaseError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before
