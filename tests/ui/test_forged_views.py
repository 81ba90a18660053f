"""Forged records in the viewer: each edit of each field, wherever a task's records come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from forging import CONTROLS, Data, expected, forged
from support import Connect
from viewing import DAG, ELSEWHERE, PREFIX, Site, Staged, signed

from dispute_provider._state import evidence_store
from dispute_provider.sandbox import Sandbox

Stage = Callable[..., Staged]


@pytest.fixture
def honest(site: Site, stage_one: Stage, sandbox: Sandbox) -> Data:
    [record] = stage_one(due_in=5 * 86400).shown
    sandbox.clear_journal()
    return record


def by_xcom(site: Site, records: list[Data]) -> str:
    site.returns("stage", records)
    return site.address("stage")


def by_text(site: Site, records: list[Data]) -> str:
    site.returns("stage", json.dumps(records))
    return site.address("stage")


def by_map_index(site: Site, records: list[Data]) -> str:
    site.returns("mapped", records, map_index=1)
    return site.address("mapped", map_index=1)


def by_review(site: Site, records: list[Data]) -> str:
    site.waits("review", {"records": records, "others": []})
    return site.address("review")


def by_reference(site: Site, records: list[Data]) -> str:
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    site.returns("stage", {"records": evidence_store.put(lines), "count": 1, "states": {}})
    return site.address("stage")


WAYS = [by_xcom, by_text, by_map_index, by_review, by_reference]


def assert_nothing_is_shown(site: Site, sandbox: Sandbox, address: str, edits: dict[str, Data]) -> None:
    client = site.client("ana")
    listed = client.get(address)
    assert listed.status_code == 200, listed.text
    shown = listed.json()["disputes"]
    reasons = [expected(edit) for edit in edits]
    assert len(shown) == len(edits)
    for each in shown:
        assert any(each["reason"].startswith(reason) for reason in reasons), each["reason"]
        names = {name for name, value in each.items() if value not in (None, [], "unknown amount")}
        assert names <= {"key", "provider", "connection", "dispute", "state", "reason"}
        assert all(str(value).isprintable() for value in each.values())
    for key in {each["key"] for each in shown}:
        answer = client.get(f"{address}/disputes/{key}")
        assert answer.status_code == 404
        assert "it is not shown" in answer.text or "cannot be checked" in answer.text
    assert sandbox.journal() == [], "no API is asked about a dispute that a forged record names"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_of_a_forged_record_is_shown(
    way: Any, site: Site, honest: Data, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    edits = dict(forged(honest))
    address = way(site, list(edits.values()))

    assert_nothing_is_shown(site, sandbox, address, edits)

    for sha256 in (*honest["documents"].values(), "0" * 64):
        for end in ("", "/pages/1", "/original"):
            assert site.client("ana").get(f"{address}/documents/{sha256}{end}").status_code == 404
    log = "".join(capfd.readouterr())
    assert not CONTROLS & set(log)
    assert not any(line.startswith("ERROR: state=submitted") for line in log.splitlines())


def test_a_forged_record_hides_no_other(site: Site, honest: Data) -> None:
    site.returns("stage", [*(data for _, data in forged(honest)), honest])
    disputes = site.client("ana").get(site.address("stage")).json()["disputes"]
    [shown] = [each for each in disputes if each["state"] == "staged"]
    assert shown["digest"] == honest["digest"]
    answer = site.client("ana").get(f"{site.address('stage')}/disputes/{shown['key']}")
    assert answer.json()["match"] == "exact"


def test_a_dispute_of_another_connection_is_not_read(
    site: Site, honest: Data, connect: Connect, sandbox: Sandbox
) -> None:
    connect("stripe", "another", password="sk_test_of_another_account")
    site.returns("stage", [{**honest, "connection": "another"}])
    [shown] = site.client("ana").get(site.address("stage")).json()["disputes"]
    assert shown["state"] == "refused"
    answer = site.client("ana").get(f"{site.address('stage')}/disputes/{shown['key']}")
    assert (answer.status_code, sandbox.journal()) == (404, [])


def test_a_record_of_another_run_is_not_shown(site: Site, stage_one: Stage, sandbox: Sandbox) -> None:
    record = stage_one().record
    sandbox.clear_journal()
    site.returns("review", signed(record, scope=f"{ELSEWHERE}/{site.run_id}"))
    [shown] = site.client("ana").get(site.address("review")).json()["disputes"]
    assert shown["reason"] == "its record belongs to another run; it is not shown"
    site.returns("review", signed(record, scope=f"{DAG}/{site.run_id}"))
    [shown] = site.client("ana").get(site.address("review")).json()["disputes"]
    assert shown["digest"] == record.digest


def test_a_replaced_key_is_named_and_one_that_is_rotated_shows(
    site: Site, stage_one: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "the first key of the workers and the server", "the next key of the workers and the server"
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", old)
    site.returns("stage", stage_one().shown)

    def shown() -> Any:
        [each] = site.client("ana").get(site.address("stage")).json()["disputes"]
        return each

    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", f"{new},{old}")
    assert shown()["state"] == "staged"
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", new)
    assert "which [dispute] signing_key no longer has" in shown()["reason"]
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", "too short")
    assert "fewer than 32 characters" in shown()["reason"]


ABSURD = [
    "-2",
    "2147483648",
    "9223372036854775808",
    "9" * 400,
    "9" * 5000,
    "1.5",
    "1e3",
    "0x1",
    "nan",
    "%00",
    "_",
]


@pytest.mark.parametrize("index", ABSURD)
def test_an_absurd_map_index_is_not_found(site: Site, honest: Data, index: str) -> None:
    site.returns("stage", [honest])
    for end in ("", "/disputes/0", f"/documents/{'0' * 64}", f"/documents/{'0' * 64}/pages/1"):
        answer = site.client("ana").get(f"{site.address('stage', map_index=index)}{end}")
        assert answer.status_code == 404, (index, end, answer.text)


@pytest.mark.parametrize("name", ["%00", "a%0ab", "a%0d%0aERROR", "%1b[31m", "%c2%9b", "x" * 251, "%f0%9f"])
def test_an_absurd_run_or_task_is_not_found(
    site: Site, honest: Data, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    site.returns("stage", [honest])
    for path in (
        f"{PREFIX}/dags/{DAG}/runs/{name}/tasks/stage/-1",
        site.address(name),
        f"{PREFIX}/dags/{DAG}/runs/{quote(site.run_id)}/tasks/stage/-1/documents/{name}",
        f"{PREFIX}/dags/{DAG}/runs/{quote(site.run_id)}/tasks/stage/-1/documents/{'0' * 64}/pages/{name}",
        f"{PREFIX}/dags/{DAG}/runs/{quote(site.run_id)}/tasks/stage/-1/disputes/{name}",
    ):
        status, _ = site.get_as_it_stands(path, "ana")
        assert status == 404, path
