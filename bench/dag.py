"""Whole DAGs on a real Airflow: ours, and one of a stock operator with one call for each task."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.request import urlopen

from bench.bodies import KEY, Calls, cases, new_disputes
from bench.timing import Table
from tests.harness.client import Client
from tests.harness.processes import Airflow, end_cleanly, free_port
from tests.harness.progress import Progress

_CALLS = 100
_DISPUTES, _ROUNDS = 1000, 3
_OFF = 10_000
_MINUTES = 15
# Each look costs the API server what it could do for tasks.
_LOOK = 1.0
_WHOLE = "bench_whole"
_STOCK = {"bench_http_operator": "as it comes", "bench_http_operator_3": "3 tasks at a time"}
# As many as the DAG has files of cases.
_CHUNKS = 2
_SUBMIT = "submit"
_TASKS = ("stage", "review", _SUBMIT, "outcome")
_ABOUT = "whole DAG on Airflow"


def ratio(table: Table, url: str) -> float:
    """How many times as long as our whole DAG for a dispute a stock operator takes for a staging call."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-dag-") as folder,
        contextlib.redirect_stdout(sys.stderr),
        _airflow(Path(folder), url) as site,
    ):
        runs = []
        for _ in range(1 + _ROUNDS):
            disputes = site.write_cases(_DISPUTES)
            runs.append(site.run(_WHOLE))
            # Whoever ends Airflow ends every process that we have started, the server too.
            _check(url, disputes)
        stock = {dag_id: site.run(dag_id) for dag_id in _STOCK}
    # What is compiled, opened or read once is not what is measured.
    per_dispute = _ours(table, runs[1:])
    per_call = [_stock(table, run, _STOCK[dag_id]) for dag_id, run in stock.items()]
    return round(per_call[0] / per_dispute, 1)


class _Site:
    """An Airflow, and who works with it."""

    def __init__(self, airflow: Airflow, client: Client, cases: Path, progress: Progress) -> None:
        self._airflow, self._client, self._cases, self._progress = airflow, client, cases, progress

    def write_cases(self, count: int) -> list[str]:
        """Cases of new disputes, a line each, in as many files as the DAG reads; returns their ids."""
        disputes = new_disputes(count)
        for chunk in range(_CHUNKS):
            lines = "".join(json.dumps(case) + "\n" for case in cases(disputes[chunk::_CHUNKS]))
            (self._cases / f"cases-{chunk}.jsonl").write_text(lines)
        return disputes

    def run(self, dag_id: str) -> _Run:
        """Run a DAG to its end; once all reviews wait, each is answered with a yes to all.

        :raises RuntimeError: if it fails.
        """
        run_id = self._client.start(dag_id, {})
        forms: dict[str, dict[str, Any] | None] = {}
        while (state := self._client.run_state(dag_id, run_id)) not in ("success", "failed"):
            self._airflow.check()
            self._progress.wait(f"{dag_id} runs", _LOOK)
            if dag_id != _WHOLE or forms:
                continue
            parked = self._parked(run_id)
            for chunk in parked if len(parked) == _CHUNKS else ():
                review = f"{chunk}.review/-1"
                if form := self._client.form(dag_id, run_id, review):
                    self._client.respond(dag_id, run_id, form["options"][:1], "", review)
                forms[chunk] = self._client.form(dag_id, run_id, review)
        if state == "failed":
            raise RuntimeError(f"{dag_id} failed\n{self._airflow.tail()}")
        answered = {chunk: form for chunk, form in forms.items() if form}
        return _Run(self._client.tasks(dag_id, run_id), answered)

    def _parked(self, run_id: str) -> set[str]:
        """The chunks whose review waits or has ended, and the scheduler knows it.

        An answer that is quicker than the scheduler fails the task.
        """
        ended = re.compile(
            rf"TaskInstance Finished: .*task_id=(chunk_[0-9])\.review, run_id={re.escape(run_id)},"
        )
        return {told[1] for told in map(ended.search, self._airflow.log("scheduler")) if told}


class _Run:
    """A run that has ended.

    :param tasks: its task instances, as Airflow's REST API tells them.
    :param forms: of its reviews that asked somebody, by chunk.
    """

    def __init__(self, tasks: list[dict[str, Any]], forms: Mapping[str, Mapping[str, Any]]) -> None:
        self.tasks = tasks
        self._forms = forms

    def seconds(self, last: str = "") -> float:
        """From the first task's start to the last one's end, but for when all that was left was a person's.

        :param last: up to the ends of this task; of all of them where not given.
        """
        at_work = []
        for chunk in {_chunk(task) for task in self.tasks}:
            tasks = [task for task in self.tasks if _chunk(task) == chunk]
            begin = min(_moment(task["start_date"]) for task in tasks)
            end = max(_moment(task["end_date"]) for task in tasks if task["task_id"].endswith(last))
            if form := self._forms.get(chunk):
                at_work.append((begin, _moment(form["created_at"])))
                begin = _moment(form["responded_at"])
            at_work.append((begin, end))
        return _covered(at_work)

    def spans(self, name: str) -> tuple[float, float]:
        """Seconds until a task of a chunk starts, and seconds that it works; both in the mean of the chunks.

        A review starts twice: once more, when it was answered.
        """
        idle, busy = [], []
        tasks = {task["task_id"]: task for task in self.tasks}
        for chunk, form in self._forms.items():
            task = tasks[f"{chunk}.{name}"]
            begin, end = _moment(task["start_date"]), _moment(task["end_date"])
            place = _TASKS.index(name)
            ready = _moment(tasks[f"{chunk}.{_TASKS[place - 1]}"]["end_date"]) if place else begin
            if name == "review":
                # Airflow keeps the last of the moments at which a task was queued: the one after the answer.
                again = _moment(task["queued_when"])
                ready -= again - _moment(form["responded_at"])
                end -= again - _moment(form["created_at"])
            idle.append(begin - ready)
            busy.append(end - begin)
        return mean(idle), mean(busy)


def _chunk(task: Mapping[str, Any]) -> str:
    return str(task["task_id"].partition(".")[0])


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that any of the spans holds."""
    covered, until = 0.0, -math.inf
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered


def _ours(table: Table, runs: list[_Run]) -> float:
    """Tell where the time of the run in the middle went; its seconds for a dispute, until it is submitted."""
    runs.sort(key=lambda run: run.seconds(_SUBMIT))
    run = runs[len(runs) // 2]
    for name in _TASKS:
        idle, busy = run.spans(name)
        table.add(f"{_ABOUT}: ours, mean of the chunks", f"{name}, until it starts", idle, "s")
        table.add(f"{_ABOUT}: ours, mean of the chunks", f"{name}, at work", busy, "s")
    least, *_, most = (round(each.seconds(_SUBMIT) / _DISPUTES * 1000, 2) for each in runs)
    facts = {"disputes": _DISPUTES, "chunks": _CHUNKS, "rounds": len(runs)}
    table.add(
        _ABOUT, "ours, to the outcome's report", run.seconds() / _DISPUTES * 1000, "ms/dispute", **facts
    )
    each = run.seconds(_SUBMIT) / _DISPUTES
    spread = {"least": least, "most": most}
    table.add(_ABOUT, "ours, stage to submit", each * 1000, "ms/dispute", **spread, **facts)
    return each


def _stock(table: Table, run: _Run, how: str) -> float:
    each = run.seconds() / len(run.tasks)
    table.add(_ABOUT, f"HttpOperator.expand, {how}", each * 1000, "ms/call", tasks=len(run.tasks))
    return each


def _check(url: str, disputes: list[str]) -> None:
    """Every dispute was submitted, once."""
    with urlopen(f"{url}/_bench") as answer:  # noqa: S310  # the bench's own server
        submissions: Mapping[str, int] = json.load(answer)["submissions"]
    wrong = [dispute for dispute in disputes if submissions.get(dispute) != 1]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(disputes)} were not submitted once: {wrong[:5]}")


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _calls() -> dict[str, Any]:
    """The requests of a stock operator: made before, so that its tasks need nothing of ours."""
    calls = [Calls.of(dispute).write for dispute in new_disputes(_CALLS)]
    assert calls[0].body is not None
    return {
        "headers": dict(calls[0].headers),
        "data": calls[0].body.decode(),
        "endpoints": [call.path.lstrip("/") for call in calls],
    }


@contextmanager
def _airflow(folder: Path, url: str) -> Iterator[_Site]:
    """An Airflow with our DAGs and connections, and a folder for all that its tasks keep."""
    store = folder / "store"
    (store / "cases").mkdir(parents=True)
    (store / "cases" / "calls.json").write_text(json.dumps(_calls()))
    connections = {
        "STRIPE": {"conn_type": "stripe", "host": url, "password": KEY, "extra": {"rate_limit": _OFF}},
        "HTTP": {"conn_type": "http", "host": url, "extra": {"Authorization": f"Bearer {KEY}"}},
    }
    settings = {
        **{f"AIRFLOW_CONN_BENCH_{name}": json.dumps(each) for name, each in connections.items()},
        # As Airflow comes; the demo makes do with less.
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
        # As docs/scale.md says; a stock operator's hundred tasks leave the scheduler no time to sleep.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DISPUTE__CASE_ROOTS": str(store / "cases"),
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(store / "evidence"),
        "AIRFLOW__DISPUTE__RECEIPTS": str(store / "receipts"),
    }
    airflow = Airflow(folder / "airflow", free_port(18280), Path(__file__).parent / "dags", settings)
    client = Client(airflow.url, "admin", airflow.passwords["admin"])
    progress = Progress(_MINUTES * 60)
    end_cleanly()
    try:
        airflow.start(progress)
        while not (client.is_healthy() and all(map(client.has_dag, (_WHOLE, *_STOCK)))):
            airflow.check()
            progress.wait("Airflow starts")
        yield _Site(airflow, client, store / "cases", progress)
    finally:
        client.close()
        left = airflow.stop()
    assert not left, left
