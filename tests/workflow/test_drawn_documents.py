"""What is shown is what goes out: every page is drawn when its case is staged, or its document is named."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from papers import pdf, seconds_to_draw, slow_to_draw, stream
from support import children

from dispute_provider._cases.documents import read_documents
from dispute_provider._documents import Renderer, renderer
from dispute_provider._documents.renderer import DrawnPage
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._evidence.record import Record
from dispute_provider._state import drawings, evidence_store
from dispute_provider._workflow.staging.draw import Drawer
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case root with a document that can be drawn, and one that cannot, in the time of these tests."""
    root = tmp_path / "cases"
    root.mkdir()
    (root / "good.pdf").write_bytes(pdf(3))
    (root / "slow.pdf").write_bytes(slow_to_draw())
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(root))
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(renderer, "SECONDS", seconds_to_draw(2.0))
    return root


def case(dispute: str, path: str = "slow.pdf", **file: Any) -> dict[str, Any]:
    evidence = {"customer_name": "Zoë", "receipt": {"file": path, **file}}
    return {"provider": "stripe", "dispute": dispute, "evidence": evidence}


def stage(engine: Any, *cases: dict[str, Any], folder: Path, **options: Any) -> list[Record]:
    with DAG("stage_drawn", schedule=None) as dag:
        StageEvidenceOperator(
            task_id="stage", cases=cases, conn_id="stripe_default", folder=str(folder), **options
        )
    return [Record.from_dict(record) for record in engine.result(engine.run(dag), "stage")]


def test_a_document_that_cannot_be_drawn_is_refused_with_its_page_and_reason(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: Path
) -> None:
    for dispute in ("du_slow", "du_good"):
        sandbox.create_dispute(api="stripe", id=dispute)
    slow, good = stage(engine, case("du_slow"), case("du_good", "good.pdf"), folder=folder)
    assert slow.state == "refused"
    problem = f"its page 1 cannot be drawn: it takes more than {renderer.SECONDS:g} seconds"
    assert f"slow.pdf: {problem}" in slow.reason
    assert "/evidence/receipt" in slow.reason
    assert good.state == "staged"
    assert not sandbox.dispute("du_slow")["evidence"].get("receipt")


def test_an_optional_document_that_cannot_be_drawn_is_left_out_with_a_note(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: Path
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    [record] = stage(engine, case("du_1", optional=True), folder=folder)
    assert record.state == "staged"
    assert "slow.pdf is optional and was left out: its page 1 cannot be drawn" in record.notes[0]
    assert not sandbox.dispute("du_1")["evidence"].get("receipt")


def test_every_page_is_drawn_once_and_stored(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: Path
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    [record] = stage(engine, case("du_1", "good.pdf"), folder=folder)
    [sha256] = record.documents.values()
    drawing = drawings.decoded(evidence_store.get(record.drawings[sha256]) or b"")
    assert (drawing.content_type, drawing.size) == ("application/pdf", len(pdf(3)))
    assert len(drawing.pages) == 3
    assert all((evidence_store.get(page) or b"").startswith(b"\x89PNG") for page in drawing.pages)


@pytest.mark.parametrize("count", [1, 2])
def test_with_allow_undrawn_the_review_names_the_document(
    count: int, engine: Any, sandbox: Any, stripe_connection: Any, folder: Path
) -> None:
    disputes = [f"du_{number}" for number in range(count)]
    for dispute in disputes:
        sandbox.create_dispute(api="stripe", id=dispute)
    with DAG("contest_unseen", schedule=None) as dag:
        staged = StageEvidenceOperator(
            task_id="stage",
            cases=[case(disputes[0]), *(case(dispute, "good.pdf") for dispute in disputes[1:])],
            conn_id=stripe_connection,
            folder=str(folder),
            allow_undrawn=True,
        )
        review = ReviewEvidenceOperator(task_id="review", staged=staged.output)
        SubmitEvidenceOperator(task_id="submit", approved=review.output)

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        named = [option for option in form["options"] if "NO PREVIEW: slow.pdf" in option]
        return {"chosen_options": named[:1], "params_input": {}}

    run = engine.run(dag, answer)
    [form] = engine.forms
    assert "NO PREVIEW: slow.pdf" in form["subject"]
    assert "Reviewers cannot see slow.pdf: its page 1 cannot be drawn" in form["body"].replace("\\", "")
    assert {record["state"] for record in engine.result(run, "submit")} == {"submitted"}


def test_no_policy_approves_an_undrawn_document(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: Path
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1", amount=100, currency="usd")
    [record] = stage(engine, case("du_1"), folder=folder, allow_undrawn=True)
    assert record.undrawn == ("slow.pdf",)
    policy = ApprovalPolicy("small sums", {"usd": 2000}, verdicts=("ready", "weak", "missing", "unknown"))
    assert policy.objection(record) == "it has warnings for the reviewer"


def test_a_shared_document_is_drawn_once_and_a_slow_one_delays_no_other(folder: Path) -> None:
    """Two documents are drawn at once: while one takes its whole time, the others continue."""
    asked: list[int] = []

    class Counted(Renderer):
        def draw(self, content: bytes, *arguments: Any) -> DrawnPage:
            asked.append(len(content))
            return super().draw(content, *arguments)

    with Counted(children=2) as counted, ThreadPoolExecutor(8) as threads:
        drawer = Drawer(counted, allow_undrawn=True)
        parsed = {
            path: Case.parse(case("du_1", path), folder=str(folder)) for path in ("slow.pdf", "good.pdf")
        }
        read = {path: read_documents(each, counted) for path, each in parsed.items()}
        slow_ended = threading.Event()
        started = time.monotonic()
        slow = threads.submit(drawer.draw, parsed["slow.pdf"], read["slow.pdf"])
        slow.add_done_callback(lambda _: slow_ended.set())
        good = [threads.submit(drawer.draw, parsed["good.pdf"], read["good.pdf"]) for _ in range(20)]
        assert all(each.result().undrawn == () for each in good)
        assert not slow_ended.is_set()
        assert slow.result().undrawn == ("slow.pdf",)
        assert time.monotonic() - started >= renderer.SECONDS
    assert asked.count(len(pdf(3))) == 3
    assert asked.count(len(slow_to_draw())) == 1


def test_a_document_is_sent_to_its_child_once_for_all_its_pages(folder: Path) -> None:
    size, pages = 1_000_000, 8
    names = [f"{number}.pdf" for number in range(4)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(pdf(pages, more=[stream(random.Random(number).randbytes(size))]))
    before = children()
    with Renderer() as drawing, ThreadPoolExecutor(len(names)) as threads:
        parsed = [Case.parse(case("du_1", name), folder=str(folder)) for name in names]
        read = [read_documents(each, drawing) for each in parsed]
        [child] = children() - before
        received = bytes_read(child)
        drawer = Drawer(drawing)
        drawn = list(threads.map(drawer.draw, parsed, read))
        assert all(len(each.drawings) == 1 for each in drawn)
        assert len(names) - 1 <= (bytes_read(child) - received) // size <= len(names)


def bytes_read(process: int) -> int:
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def test_all_pages_of_a_document_share_one_time_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dispute_provider._workflow.staging import draw

    monkeypatch.setattr(draw, "SECONDS", 0.5)
    with Renderer() as drawing:
        parsed = Case.parse(case("du_1"), folder=str(folder))
        drawn = Drawer(drawing, allow_undrawn=True).draw(parsed, read_documents(parsed, drawing))
    assert "it takes more than 0.5 seconds" in drawn.warnings[0]
