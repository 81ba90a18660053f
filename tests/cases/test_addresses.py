"""Cases of open disputes: found by address and by listing, and read only if they have changed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import disputes
import pytest
from counting import Store, counting_store
from papers import pdf

from dispute_provider._cases.known_cases import KnownCases
from dispute_provider._cases.open_disputes import OpenCases, read_cases


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", "memory://a,memory://b")
    made = counting_store(monkeypatch)
    for root in ("/a", "/b"):
        made.makedirs(root, exist_ok=True)
    return made


def write(store: Store, path: str, dispute: str, provider: str = "stripe", **evidence: Any) -> None:
    case = {"provider": provider, "dispute": dispute, "evidence": evidence or {"customer_name": "Zoë"}}
    store.pipe_file(path, json.dumps(case).encode())


def sweep(known: KnownCases, *ids: str) -> tuple[OpenCases, KnownCases]:
    """Return what a sweep finds with these disputes open, and what the next sweep knows."""
    found = read_cases("stripe", {each: disputes.snapshot(each).dispute for each in ids}, None, known)
    return found, KnownCases(known.used)


def found_for(found: OpenCases) -> dict[str, str | None]:
    return {each.dispute.id: each.case.source for each in found.found}


def test_a_case_is_found_at_its_address_in_each_root(store: Store) -> None:
    write(store, "/a/stripe/du_1/case.json", "du_1")
    write(store, "/b/stripe/du_2/case.yaml", "du_2")
    found, _ = sweep(KnownCases({}), "du_1", "du_2", "du_3")
    assert found_for(found) == {
        "du_1": "memory://a/stripe/du_1/case.json",
        "du_2": "memory://b/stripe/du_2/case.yaml",
    }
    assert (found.refused, found.unsuited) == ([], {})


@pytest.mark.parametrize(
    "second",
    [
        "/a/stripe/du_1/case.yml",
        "/a/order 17/case.json",
        "/a/stripe/case.json",
        "/a/order.yaml",
        "/b/stripe/du_1/case.json",
        "/b/order 17/case.json",
        "/b/order.json",
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_two_cases_for_one_dispute_are_found_in_any_place(store: Store, second: str, is_known: bool) -> None:
    write(store, "/a/stripe/du_1/case.json", "du_1")
    write(store, second, "du_1", customer_name="Ana")
    known = KnownCases({})
    if is_known:
        # An earlier sweep has read both while the dispute was not open.
        _, known = sweep(known, "du_2")
    found, _ = sweep(known, "du_1")
    assert found.found == []
    assert sorted(found.refused) == sorted(
        ["memory://a/stripe/du_1/case.json", f"memory://{second.removeprefix('/')}"]
    )


@pytest.mark.parametrize(("dispute", "provider"), [("du_2", "stripe"), ("du_1", "moov")])
def test_a_case_at_the_address_of_another_dispute_is_not_used(
    store: Store, dispute: str, provider: str
) -> None:
    evidence = {"cover-letter": "Delivered."} if provider == "moov" else {"customer_name": "Zoë"}
    write(store, "/a/stripe/du_1/case.json", dispute, provider, **evidence)
    write(store, "/a/order 17/case.json", "du_1")
    found, _ = sweep(KnownCases({}), "du_1", "du_2")
    assert (found.found, found.refused, found.disputes) == ([], [], set())
    assert found.unsuited == {
        "du_1": f"the case at its address, memory://a/stripe/du_1/case.json, is for the {provider} dispute "
        f"{dispute}. To do: correct the provider and the dispute in the case, or move it to that dispute's "
        "address"
    }
    write(store, "/a/stripe/du_1/case.json", "du_1")
    store.rm("/a/order 17/case.json")
    found, _ = sweep(KnownCases({}), "du_1", "du_2")
    assert [*found_for(found)] == ["du_1"]


@pytest.mark.parametrize("dispute", ["..", ".", "a/b", "du_1/../du_2", ".hidden"])
def test_an_id_that_leads_elsewhere_is_not_looked_up(store: Store, dispute: str) -> None:
    write(store, "/a/stripe/du_1/case.json", "du_1")
    found, _ = sweep(KnownCases({}), dispute)
    assert (found.found, found.refused, found.unsuited) == ([], [], {})
    assert not store.read()


def test_old_cases_at_their_addresses_cost_no_call(store: Store) -> None:
    ids = [f"du_{number}" for number in range(20)]
    for each in ids:
        write(store, f"/a/stripe/{each}/case.json", each)
    calls = []
    for old in (10, 100):
        for number in range(old):
            write(store, f"/a/stripe/du_old_{number}/case.json", f"du_old_{number}")
        store.calls.clear()
        found, _ = sweep(KnownCases({}), *ids)
        assert len(found.found) == len(ids)
        calls.append(store.calls.total())
    assert calls[0] == calls[1]


def test_an_old_case_on_a_disk_costs_the_sweep_few_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    (tmp_path / "stripe").mkdir()
    calls = []
    for old in (100, 200):
        for number in range(old):
            (tmp_path / "stripe" / f"du_old_{number}").mkdir(exist_ok=True)
        # The first sweep imports.
        sweep(KnownCases({}), "du_1")
        with calls_of_this_thread() as counted:
            sweep(KnownCases({}), "du_1")
        calls.append(counted.total())
    assert (calls[1] - calls[0]) / 100 <= 6


@contextmanager
def calls_of_this_thread() -> Iterator[Counter[str]]:
    """Count the functions that this thread calls, Python's and C's."""
    counted: Counter[str] = Counter()

    def count(_: Any, event: str, __: Any) -> None:
        counted[event] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield counted
    finally:
        sys.setprofile(before)


def test_unchanged_files_are_not_read_again(store: Store) -> None:
    write(
        store,
        "/a/stripe/du_1/case.json",
        "du_1",
        receipt={"file": "r.pdf"},
        refund_policy={"file": "x/p.pdf"},
    )
    store.pipe_file("/a/stripe/du_1/r.pdf", pdf(text="Receipt"))
    store.pipe_file("/a/stripe/du_1/x/p.pdf", pdf(text="Policy"))
    write(store, "/a/old.json", "du_old")
    write(store, "/a/order 17/case.json", "du_decided")
    documents = {"/a/stripe/du_1/r.pdf", "/a/stripe/du_1/x/p.pdf"}
    scanned = {"/a/old.json", "/a/order 17/case.json"}
    case = {"/a/stripe/du_1/case.json"}

    first, known = sweep(KnownCases({}), "du_1")
    assert store.read() == documents | scanned | case
    second, known = sweep(known, "du_1")
    assert store.read() == case
    assert second == first

    store.pipe_file("/a/stripe/du_1/x/p.pdf", pdf(text="A new policy"))
    changed, known = sweep(known, "du_1")
    assert store.read() == documents | case
    assert changed.found[0].case_digest != first.found[0].case_digest

    write(store, "/a/old.json", "du_1")
    found, known = sweep(known, "du_1")
    assert len(found.refused) == 2, "the file that changed is now a second case"
    store.rm("/a/old.json")
    store.read()
    # A decided dispute was opened again.
    found, known = sweep(known, "du_1", "du_decided")
    assert {*found_for(found)} == {"du_1", "du_decided"}
    assert store.read() == case | {"/a/order 17/case.json"}


def test_a_missing_optional_document_is_read_once_it_is_there(store: Store) -> None:
    write(store, "/a/stripe/du_1/case.json", "du_1", receipt={"file": "r.pdf", "optional": True})
    first, known = sweep(KnownCases({}), "du_1")
    second, known = sweep(known, "du_1")
    assert second == first
    store.pipe_file("/a/stripe/du_1/r.pdf", pdf())
    third, _ = sweep(known, "du_1")
    assert third.found[0].case_digest != first.found[0].case_digest


def test_a_local_file_that_has_just_changed_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    path = tmp_path / "order.json"
    known = KnownCases({})
    for dispute in ("du_1", "du_2", "du_1"):
        # The sizes are equal, and within the resolution of the disk's clock the times are too.
        path.write_text(json.dumps({"provider": "stripe", "dispute": dispute, "evidence": {}}))
        found, known = sweep(known, "du_2")
        assert [*found_for(found)] == [each for each in (dispute,) if each == "du_2"]
