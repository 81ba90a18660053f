"""Documents that an API does not take are prepared, shown to the reviewer, and sent as they were reviewed."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import papers
import pikepdf
import pytest
from airflow.sdk import DAG
from PIL import Image

from dispute_provider._documents.preparing import Preparer
from dispute_provider._evidence.record import Record
from dispute_provider._state import evidence_store
from dispute_provider._ui.records import Task
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

PHOTO = papers.picture("WEBP")


def detailed(size: tuple[int, int]) -> bytes:
    """Return a photo with as much detail as one of a lawn."""
    written = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(written, "JPEG")
    return written.getvalue()


def locked() -> bytes:
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf())) as document:
        document.save(written, encryption=pikepdf.Encryption(owner="owner"))
    return written.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "doorstep.jpg").write_bytes(PHOTO)
    (tmp_path / "invoice.pdf").write_bytes(locked())
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    return str(tmp_path)


def case(**more: Any) -> dict[str, Any]:
    evidence = {"receipt": {"file": "invoice.pdf"}, "shipping_documentation": {"file": "doorstep.jpg"}}
    return {"provider": "stripe", "dispute": "du_1", "evidence": evidence, **more}


def contest(folder: str, given: dict[str, Any]) -> DAG:
    with DAG("contest_prepared", schedule=None) as dag:
        staged = StageEvidenceOperator(
            task_id="stage", cases=[given], conn_id="stripe_default", folder=folder
        )
        review = ReviewEvidenceOperator(task_id="review", staged=staged.output)
        SubmitEvidenceOperator(task_id="submit", approved=review.output)
    return dag


def submit(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {}}


def test_without_prepare_each_refusal_names_the_switch(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: str
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    [record] = engine.result(engine.run(contest(folder, case())), "stage")
    assert record["state"] == "refused"
    assert "doorstep.jpg: its content is WEBP, not PDF, JPEG, PNG, TIFF or GIF" in record["reason"]
    assert "or switch it on: prepare: [convert]" in record["reason"]
    assert "invoice.pdf: it is encrypted or password-protected" in record["reason"]
    assert "or switch it on: prepare: [clean]" in record["reason"]


@pytest.mark.parametrize("switch", ["case", "configuration"])
def test_prepared_documents_are_reviewed_and_submitted(
    switch: str,
    engine: Any,
    sandbox: Any,
    stripe_connection: Any,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    given = case(prepare=["clean", "convert"]) if switch == "case" else case()
    if switch == "configuration":
        monkeypatch.setenv("AIRFLOW__DISPUTE__PREPARE", "clean, convert")
    run = engine.run(contest(folder, given), submit)
    [form] = engine.forms
    body = form["body"].replace("\\", "")
    assert "doorstep.jpg was prepared: converted from WEBP to JPEG" in body
    assert "invoice.pdf was prepared: removed the password for changes" in body
    [record] = map(Record.from_dict, engine.result(run, "submit"))
    assert record.state == "submitted"
    originals = {evidence_store.get(each) for each in record.originals.values()}
    assert originals == {PHOTO, (Path(folder) / "invoice.pdf").read_bytes()}
    assert set(record.originals) == set(record.documents.values())
    starts = {(evidence_store.get(each) or b"")[:4] for each in record.documents.values()}
    assert starts == {b"\xff\xd8\xff\xe0", b"%PDF"}

    # What a new review refers to is not removed because it is old.
    old = [each for each in (Path(folder) / "store").rglob("*") if each.is_file()]
    for each in old:
        os.utime(each, (0, 0))

    # A reviewed document is not made again, even by a newer library that makes other bytes.
    def fail(*given: Any) -> None:
        raise AssertionError("the document was prepared again")

    monkeypatch.setattr(Preparer, "prepare", fail)
    sandbox.create_dispute(api="stripe", id="du_2")
    [again] = map(
        Record.from_dict,
        engine.result(engine.run(contest(folder, {**given, "dispute": "du_2"}), submit), "submit"),
    )
    assert again.state == "submitted"
    assert again.originals == record.originals
    named = {*record.originals, *record.originals.values()}
    renewed = {each.name for each in old if each.stat().st_mtime}
    assert named <= renewed


def lawn(size: tuple[int, int], quality: int = 95) -> bytes:
    """Return a photo with much detail."""
    written = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(written, "JPEG", quality=quality)
    return written.getvalue()


@pytest.mark.parametrize("steps", [[], ["shrink"]])
def test_a_large_phone_photo_is_shrunk_only_if_it_is_switched_on(
    steps: list[str], engine: Any, sandbox: Any, stripe_connection: Any, folder: str
) -> None:
    photo = lawn((4032, 3024), 92)
    assert len(photo) > 8_000_000
    (Path(folder) / "photo.jpg").write_bytes(photo)
    sandbox.create_dispute(api="stripe", id="du_1")
    given = case(evidence={"receipt": {"file": "photo.jpg"}}, prepare=steps)
    run = engine.run(contest(folder, given), submit)
    if not steps:
        [refused] = engine.result(run, "stage")
        assert f"it has {len(photo):,} bytes, and the limit is 5,000,000" in refused["reason"]
        assert "save a smaller copy, or switch it on: prepare: [shrink]" in refused["reason"]
        return
    [form] = engine.forms
    assert "photo.jpg was prepared: shrunk from 4,032 × 3,024 to" in form["body"].replace("\\", "")
    [record] = map(Record.from_dict, engine.result(run, "submit"))
    assert record.state == "submitted"
    [sent] = record.documents.values()
    assert len(evidence_store.get(sent) or b"") <= 4_500_000
    assert evidence_store.get(record.originals[sent]) == photo


def test_joined_exhibits_are_reviewed_and_submitted_with_their_files_at_hand(
    engine: Any, sandbox: Any, stripe_connection: Any, folder: str
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    (Path(folder) / "chat.png").write_bytes(papers.picture("PNG"))
    exhibits = ["invoice.pdf", {"file": "chat.png", "caption": "Chat"}, "doorstep.jpg"]
    given = case(evidence={"receipt": {"exhibits": exhibits}}, prepare=["clean", "convert"])
    run = engine.run(contest(folder, given), submit)
    [form] = engine.forms
    assert "receipt exhibits.pdf was joined with a page of contents from 1. invoice.pdf: removed" in (
        form["body"].replace("\\", "")
    )
    [record] = map(Record.from_dict, engine.result(run, "submit"))
    assert record.state == "submitted"
    [sent] = record.documents.values()
    files = record.exhibits[sent]
    assert {path: evidence_store.get(sha256) for path, sha256 in files.items()} == {
        name: (Path(folder) / name).read_bytes() for name in ("invoice.pdf", "chat.png", "doorstep.jpg")
    }
    assert set(files.values()) < Task("dag", "run", "review", -1, None, None, (record,)).documents


def test_documents_shrink_to_the_room_that_those_on_the_dispute_leave(
    sweep: Any, engine: Any, sandbox: Any, stripe_connection: Any, folder: str
) -> None:
    def policy(size: int) -> dict[str, Any]:
        return {
            "refund_policy": {"filename": "policy.pdf", "content": papers.pdf(size=size).decode("latin-1")}
        }

    sandbox.create_dispute(api="stripe", id="du_1", evidence=policy(3_600_000))
    photo = detailed((2000, 1500))
    assert 1_000_000 < len(photo) < 4_500_000
    place = Path(folder, "stripe", "du_1")
    place.mkdir(parents=True)
    (place / "photo.jpg").write_bytes(photo)
    own = case(evidence={"receipt": {"file": "photo.jpg"}}, prepare=["shrink"])
    (place / "case.json").write_text(json.dumps(own))
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_1"]]
    assert {"refund_policy", "receipt"} <= sandbox.dispute("du_1")["evidence"].keys()
    # What it had to become is no change of the case.
    sweep.run()
    assert len(sweep.reviews()) == 1
    # What cannot fit beside them is refused with the sum.
    sandbox.create_dispute(api="stripe", id="du_2", evidence=policy(4_499_000))
    [record] = engine.result(engine.run(contest(str(place), {**own, "dispute": "du_2"})), "stage")
    assert "photo.jpg (receipt)" in record["reason"]
    assert "refund_policy 4.5" in record["reason"]
    assert "and the limit is 4.5" in record["reason"]
