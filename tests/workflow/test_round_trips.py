"""Count what each task asks Airflow for: connections, and values of the state stores."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseHook
from airflow.sdk.exceptions import DagRunTriggerException
from contesting import Contest
from running import ASSETS, run

from dispute_provider._state.sweep_store import ANSWERED
from dispute_provider.operators.evidence import ReportOutcomeOperator, ReviewEvidenceOperator
from dispute_provider.operators.sweep import FindCasesOperator, OpenReviewOperator
from dispute_provider.sandbox import Sandbox

APIS = ("stripe", "moov")


class Trips:
    """The readings of connections, and the reads and writes of the assets' stores, since the last count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._connections: list[str] = []
        read = BaseHook.get_connection

        def get_connection(conn_id: str) -> Any:
            self._connections.append(conn_id)
            return read(conn_id)

        monkeypatch.setattr(BaseHook, "get_connection", get_connection)
        self._before = self._state()

    def connections(self) -> list[str]:
        read, self._connections[:] = [*self._connections], []
        return read

    def state(self) -> Counter[str]:
        before, self._before = self._before, self._state()
        return self._before - before

    def _state(self) -> Counter[str]:
        stores = ASSETS.by_uri.values()
        return Counter(
            reads=sum(store.reads for store in stores), writes=sum(store.writes for store in stores)
        )


@pytest.mark.parametrize("kind", APIS)
def test_each_task_reads_its_connection_once(
    kind: str, sandbox: Sandbox, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(kind)
    contest = Contest(kind, sandbox.create_dispute(api=kind)["id"])
    trips = Trips(monkeypatch)
    staged = contest.stage()
    assert trips.connections() == [connection]
    # Two tasks: the one that opens the review, and the one after the answer.
    approved = contest.ask(staged)
    assert trips.connections() == [connection, connection]
    submitted = contest.submit(approved)
    assert trips.connections() == [connection]
    run(ReportOutcomeOperator(task_id="outcome", results=[submitted]), run_id=contest.run_id)
    assert trips.connections() == [connection]


def test_a_review_of_the_sweep_takes_few_calls_to_the_state_store(
    sandbox: Sandbox, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("stripe")
    contest = Contest("stripe", sandbox.create_dispute(api="stripe")["id"])
    staged = contest.stage()
    contest.conf = {"staged": [staged]}
    trips = Trips(monkeypatch)
    with DAG("test", schedule=None):
        approved = contest.ask(staged)
    # Opening: the ledger's id, and the opening. Answer: the answers.
    assert trips.state() == {"reads": 1, "writes": 2}
    assert contest.submit(approved)["state"] == "submitted"
    # The ledger's id, and the opening.
    assert trips.state() == {"reads": 2}


def test_a_dispute_with_uploads_takes_few_calls_to_the_state_store(
    sandbox: Sandbox, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("moov")
    contests = [Contest("moov", made["id"]) for made in sandbox.create_disputes([{"api": "moov"}] * 2)]
    contests[0].stage()
    trips = Trips(monkeypatch)
    assert contests[1].stage()["state"] == "staged"
    # The ledger's id, the tasks that replace, the marks; and of the uploads, before them and once staged.
    assert trips.state() == {"reads": 5, "writes": 2}


def test_a_review_keeps_the_answers_to_other_reviews_of_its_run(sandbox: Sandbox, connect: Any) -> None:
    connect("stripe")
    contests = [Contest("stripe", sandbox.create_dispute(api="stripe")["id"]) for _ in range(2)]
    staged = [contest.stage() for contest in contests]
    for contest, record in zip(contests, staged, strict=True):
        contest.run_id, contest.conf = contests[0].run_id, {"staged": staged}
        with DAG("test", schedule=None):
            ReviewEvidenceOperator(task_id="other", staged=[])
            contest.ask(record)
    answers = ASSETS[ANSWERED][f"test/{contests[0].run_id}"]
    assert {*answers} == {f"stripe_default/{contest.dispute}" for contest in contests}


def test_a_sweep_reads_its_connection_once(
    sandbox: Sandbox, connect: Any, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect("stripe")
    dispute = sandbox.create_dispute(api="stripe")["id"]
    case = {"provider": "stripe", "dispute": dispute, "evidence": {"uncategorized_text": "Delivered."}}
    (cases / "case.json").write_text(json.dumps(case))
    trips = Trips(monkeypatch)
    run(FindCasesOperator(task_id="find", conn_id=connection))
    assert trips.connections() == [connection]
    staged = Contest("stripe", dispute).stage()
    trips.connections()
    with pytest.raises(DagRunTriggerException):
        run(OpenReviewOperator(task_id="open", staged=[staged], conn_id=connection))
    assert trips.connections() == [connection]
