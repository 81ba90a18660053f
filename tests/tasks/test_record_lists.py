"""Records between tasks: a list where they are few, a reference where they are many."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dispute_provider._evidence.record import Approval, Record, State
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider._tasks.record_lists import (
    LARGEST_LIST,
    RecordWriter,
    Reference,
    count_of,
    records_of,
    return_value,
)
from dispute_provider._tasks.signing import Signer

MANY = LARGEST_LIST + 50
SIGNER = Signer("dag/run")


@pytest.fixture(autouse=True)
def signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", "the signing key of these tests, and no other")


def record(number: int, state: State = State.STAGED) -> Record:
    approval = Approval("submit", "Zoë (7)", "2026-11-02T10:00:00+00:00", "s")
    return Record("stripe", "stripe_default", f"du_{number}", state, "said\u2028so", approval=approval)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path))
    return tmp_path


def files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def test_few_records_are_a_list_in_their_order(store: Path) -> None:
    places = random.Random(1).sample(range(LARGEST_LIST), LARGEST_LIST)
    with RecordWriter(SIGNER) as writer:
        for place in places:
            writer.add(record(place), place)
        value = writer.value()
    assert value == [record(place).to_dict() for place in range(LARGEST_LIST)]
    assert files(store) == []


def test_many_records_are_a_reference_that_leads_to_all_of_them(store: Path) -> None:
    records = [record(number, State.REFUSED if number % 3 else State.STAGED) for number in range(MANY)]
    value = return_value(records, SIGNER)
    assert isinstance(value, dict)
    assert len(json.dumps(value)) < 200
    assert value["count"] == count_of([value]) == MANY
    assert value["states"] == {"staged": 100, "refused": 200}
    assert list(records_of(value)) == records
    [file] = files(store)
    assert file.name == value["records"], "nothing unfinished is left"
    assert return_value(records, SIGNER) == value


def test_lists_and_references_of_several_tasks_are_read_one_after_the_other(store: Path) -> None:
    first, second = [record(1), record(2)], [record(number) for number in range(10, 10 + MANY)]
    given = [first[0], first[1].to_dict(), return_value(second, SIGNER)]
    assert list(records_of(given)) == [*first, *second]
    assert count_of(given) == 2 + MANY
    assert list(records_of(None)) == []


@pytest.mark.parametrize("option", ["ledger", "evidence_store"])
def test_records_that_are_gone_name_the_folder_to_share(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"AIRFLOW__DISPUTE__{option.upper()}"
    monkeypatch.setenv(name, str(tmp_path / "of the worker that wrote them"))
    value = return_value([record(number) for number in range(MANY)], SIGNER)
    assert len(list(records_of(value))) == MANY
    monkeypatch.setenv(name, str(tmp_path / "of another worker"))
    with pytest.raises(EvidenceStoreError, match=rf"share no disk need a \[dispute\] {option} that they"):
        next(records_of(value))


def test_records_that_were_changed_are_refused_before_the_first_is_read(store: Path) -> None:
    value = return_value([record(number) for number in range(MANY)], SIGNER)
    [file] = files(store)
    file.write_bytes(file.read_bytes().replace(b'"du_299"', b'"du_999"'))
    with pytest.raises(EvidenceStoreError, match="has changed"):
        next(records_of(value))


def test_records_that_are_gone_are_missed_aloud(store: Path) -> None:
    value = return_value([record(number) for number in range(MANY)], SIGNER)
    [file] = files(store)
    file.unlink()
    with pytest.raises(EvidenceStoreError, match=rf"{MANY} records are missing.*clear the task"):
        next(records_of(value))


def test_a_store_that_cannot_be_written_loses_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "a file"))
    records = [record(number) for number in range(MANY)]
    assert list(records_of(return_value(records, SIGNER))) == records
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    "value",
    [
        {"records": "../../etc/passwd", "count": 1, "states": {}},
        {"records": "a" * 64, "count": "1", "states": {}},
        {"records": "a" * 64, "count": 1},
        {"records": "a" * 64, "count": 1, "states": {}, "dispute": "du_1"},
        record(1).to_dict(),
        [],
        None,
    ],
)
def test_what_is_no_reference_is_not_taken_for_one(value: Any) -> None:
    assert Reference.read(value) is None
