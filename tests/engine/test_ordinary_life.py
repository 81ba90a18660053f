"""Play ordinary mishaps: a dispute twice in a run, edited records, stray files in a folder of cases."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from dispute_provider._evidence.record import Record, State
from dispute_provider._workflow.reviewing.review import HOLD_OPTION
from tests.harness import hostile
from tests.harness.lab import Lab, Run
from tests.harness.rest import REVIEW, SWEEP

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")
_TEXT = {"stripe": "uncategorized_text", "moov": "cover-letter"}


def _writes(lab: Lab, dispute: str) -> list[str]:
    """Return the write operations for a dispute, from the sandbox's journal."""
    return [each["operation"] for each in lab.sandbox.journal(dispute=dispute) if each["method"] != "GET"]


# A sweep over a folder of good and bad files.


def _null(lab: Lab) -> str:
    dispute = lab.dispute("moov")
    lab.sandbox.odd(of=dispute, set={"/networkReasonDescription": None})
    return dispute


def _broken(lab: Lab) -> str:
    dispute = lab.dispute("stripe")
    lab.sandbox.odd(of=dispute, set={"/status": 5})
    return dispute


@pytest.fixture(scope="module")
def swept(lab: Lab) -> Iterator[dict[str, Any]]:
    """Run a sweep over good, hostile, duplicate, broken and foreign cases; return its records."""
    good = [lab.dispute(api) for api in APIS for _ in range(3)]
    good.append(_null(lab))
    odd = {"broken": _broken(lab), "appeal": lab.dispute("stripe", status="appeal_needs_response")}
    double = lab.dispute("stripe")
    shutil.copytree(lab.case(double).parent, lab.cases / "double")
    foreign = lab.cases / "foreign"
    foreign.mkdir()
    (foreign / "case.json").write_text(
        json.dumps(
            {"provider": "stripe", "dispute": "du_of_another_shop", "evidence": {"customer_name": "x"}}
        )
    )
    before = set(lab.cases.iterdir())
    refused = hostile.write(lab.cases)
    made = lab.sandbox.create_dispute(api="stripe", id="du_hostile")["id"]

    run = lab.run(SWEEP, {})
    run.wait_for_end()
    found = {
        key: [
            Record.from_dict(record)
            for index in range(len(APIS))
            for record in lab.ana.xcom(SWEEP, run.run_id, task, name, map_index=index) or []
        ]
        for key, task, name in (
            ("staged", "contest.stage", "return_value"),
            ("without", "contest.find", "without_case"),
            ("unreadable", "contest.find", "unreadable"),
        )
    }
    yield {"good": good, "odd": odd, "double": double, "refused": refused, **found}

    lab.sandbox.clear_oddities()
    for path in set(lab.cases.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for folder in ("double", "foreign"):
        shutil.rmtree(lab.cases / folder)
    for dispute in (made, double, *odd.values()):
        shutil.rmtree(lab.cases / dispute, ignore_errors=True)
        lab.sandbox.edit_dispute(dispute, status="lost")


def test_a_sweep_stages_every_good_case(swept: dict[str, Any]) -> None:
    states = {record.dispute: record.state for record in swept["staged"]}
    assert {dispute: states.get(dispute) for dispute in swept["good"]} == dict.fromkeys(
        swept["good"], State.STAGED
    )


def test_every_hostile_file_is_refused_by_its_path(swept: dict[str, Any]) -> None:
    """At least thirty files that may be cases of an open dispute; files that cannot be are ignored."""
    refused = [record for record in swept["staged"] if record.state == State.REFUSED]
    named = {(record.case or record.dispute).removeprefix("file://") for record in refused}
    cases = [path for path in swept["refused"] if hostile.may_name(path, "du_hostile")]
    shown = {path.replace("\n", r"\n").replace("\u202e", r"\u202e") for path in cases}
    assert len(shown) >= 30
    assert shown - named == set()
    assert not any(hostile.SECRET in record.reason for record in swept["staged"])


def test_an_odd_dispute_is_held_and_stops_no_other(swept: dict[str, Any]) -> None:
    ends = {record.dispute: record.state for record in (*swept["without"], *swept["unreadable"])}
    assert {name: ends.get(dispute) for name, dispute in swept["odd"].items()} == {
        "broken": State.HELD,
        "appeal": State.HELD,
    }


def test_two_cases_for_one_dispute_are_both_named_and_neither_is_staged(swept: dict[str, Any]) -> None:
    records = [record for record in swept["staged"] if record.dispute == swept["double"]]
    assert {record.state for record in records} == {State.REFUSED}
    reasons = " ".join(record.reason for record in records)
    assert "double/case.json" in reasons
    assert f"{swept['double']}/case.json" in reasons


# Edited records.


def _rejected(record: dict[str, Any]) -> dict[str, Any]:
    """Return a staged record, edited to remove its evidence and let the API answer automatically."""
    return {
        **record,
        "state": "rejected",
        "automatic": "smart_disputes",
        "differences": [{"name": "customer_name", "kind": "added"}],
    }


def _held(lab: Lab, dispute: str) -> Run:
    """Contest a dispute, hold it at its review, and return the run once it has ended."""
    run = lab.contest("stripe", dispute)
    lab.wait_for_reviews(run)
    lab.ana.respond(run.dag_id, run.run_id, [HOLD_OPTION], "later")
    run.wait_for_end()
    return run


def test_a_review_that_is_started_with_an_edited_record_writes_nothing(lab: Lab) -> None:
    dispute = lab.dispute("stripe")
    held = _held(lab, dispute)
    (staged,) = lab.ana.xcom(held.dag_id, held.run_id, "stage")
    before = _writes(lab, dispute)

    run = lab.run(REVIEW, {"staged": [_rejected(staged)]}, "stripe", dispute)

    assert run.wait_for_end() == "failed"
    assert _writes(lab, dispute) == before
    assert lab.sandbox.dispute(dispute)["evidence"]["customer_name"] == "Robin Larsen"


def test_an_xcom_that_is_edited_writes_nothing(lab: Lab) -> None:
    dispute = lab.dispute("stripe")
    run = _held(lab, dispute)
    (answered,) = lab.ana.xcom(run.dag_id, run.run_id, "review")
    before = _writes(lab, dispute)

    lab.admin.edit_xcom(run.dag_id, run.run_id, "review", [_rejected(answered)])
    run.clear("submit", "outcome")
    lab.until("the cleared task to run", lambda: run.task("submit")["try_number"] == 2)

    assert run.wait_for_end() == "failed"
    assert run.record.state == State.REFUSED
    assert _writes(lab, dispute) == before
    assert lab.sandbox.dispute(dispute)["evidence"]["customer_name"] == "Robin Larsen"


# One dispute, twice in one run.


@pytest.mark.parametrize("differing", [False, True], ids=["the same case", "another case"])
@pytest.mark.parametrize("api", APIS)
def test_two_chunks_with_one_dispute_submit_it_once(api: str, differing: bool, lab: Lab) -> None:
    dispute = lab.dispute(api, amount=2500)
    first = second = lab.case(dispute)
    if differing:
        second = first.with_name("case.yaml")
        second.write_text(
            f"provider: {api}\ndispute: {dispute}\nevidence: {{{_TEXT[api]}: Handed over in person.}}\n"
        )
    conf = {"conn_id": f"{api}_default", "chunks": [[str(first)], [str(second)]]}
    run = lab.run("contest_twice", conf, api, dispute)
    state = _approved(lab, run)

    records = [Record.from_dict(each) for each in lab.ana.xcom(run.dag_id, run.run_id, "submit") or []]
    for record in records:
        print(f"\n{api:6} | {state} | {record.state} | {record.reason}")
    assert len(lab.submissions(dispute)) == 1
    assert State.SUBMITTED in {record.state for record in records}
    assert {record.state for record in records} <= {State.SUBMITTED, State.REFUSED}


def _approved(lab: Lab, run: Run) -> str:
    """Return the final state of a run of two reviews; a person approves those that the policy does not."""
    answered: set[int] = set()

    def ended() -> str | None:
        for review in set(run.parked()) - answered:
            answered.add(review)
            run.approve(map_index=review)
        state = lab.ana.run_state(run.dag_id, run.run_id)
        return state if state in ("success", "failed") else None

    return lab.until(f"the end of {run.run_id}", ended)
