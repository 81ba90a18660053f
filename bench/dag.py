"""Measure whole DAGs on a real Airflow: ours, a stock operator with one task per call, and a bare DAG."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

from bench import ours, server
from bench.bodies import KEY, Calls, cases, new_disputes
from bench.timing import Table
from tests.harness.client import Client
from tests.harness.processes import Airflow, end_cleanly, free_port
from tests.harness.progress import Progress

_CALLS = 100
_DISPUTES, _ROUNDS = 1000, 3
_OFF = 10_000
_MINUTES = 15
# Each request takes time of the API server that tasks need.
_LOOK = 1.0
_WHOLE = "bench_whole"
_STOCK = {"bench_http_operator": "16 tasks at a time", "bench_http_operator_3": "3 tasks at a time"}
# As many as the DAG has files of cases.
_CHUNKS = 2
_SUBMIT = "submit"
_TASKS = ("stage", "review", _SUBMIT, "outcome")
_ABOUT = "whole DAG on Airflow"
_CHUNK_REVIEWS = tuple(f"chunk_{number}.review" for number in range(_CHUNKS))
# Our review of one dispute, and a DAG of the same shape without this provider.
_REVIEW, _BARE = "bench_review", "bench_bare"
# The ratio needs a precision of a tenth, and the phase of the scheduler's sleep alone varies by a third.
_REVIEW_ROUNDS = 15


def ratios(table: Table, url: str) -> dict[str, float]:
    """Measure our DAGs and others on one Airflow.

    :returns: the time of a stock operator's staging call as a multiple of our DAG's time per dispute, and our
        times from trigger to open review and from answer to submission as multiples of a bare DAG's.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-dag-") as folder,
        contextlib.redirect_stdout(sys.stderr),
        _airflow(Path(folder), url) as site,
    ):
        # First, before the others have filled the database.
        reviews = _reviews(site, url)
        runs = []
        for _ in range(1 + _ROUNDS):
            disputes = site.write_cases(_DISPUTES)
            runs.append(site.run(_WHOLE, _CHUNK_REVIEWS))
            # Stopping Airflow stops all our processes, the server too: check before.
            _check(url, disputes)
        stock = {dag_id: site.run(dag_id) for dag_id in _STOCK}
    # The first run, which compiles and opens everything once, is not counted.
    per_dispute = _ours(table, runs[1:])
    per_call = [_stock(table, run, _STOCK[dag_id]) for dag_id, run in stock.items()]
    return {
        "dag_vs_http_operator": round(per_call[0] / per_dispute, 1),
        "park_vs_bare": _versus_bare(table, reviews, "trigger to open review", _Run.until_open),
        "submit_vs_bare": _versus_bare(table, reviews, "answer to submission", _Run.until_submitted),
    }


def _reviews(site: _Site, url: str) -> dict[str, list[_Run]]:
    """Run our review and the bare DAG, each first in every other round; the first round is left out."""
    disputes = new_disputes(1 + _REVIEW_ROUNDS)
    staged = asyncio.run(ours.operator(url, cases(disputes)).aexecute(ours.context()))
    runs: dict[str, list[_Run]] = {_REVIEW: [], _BARE: []}
    order = [*runs]
    for record in staged:
        for dag_id in order:
            runs[dag_id].append(site.run(dag_id, ["review"], {"staged": [record]}))
        order.reverse()
    _check(url, disputes)
    return {dag_id: ended[1:] for dag_id, ended in runs.items()}


def _versus_bare(
    table: Table, runs: Mapping[str, list[_Run]], what: str, seconds: Callable[[_Run], float]
) -> float:
    found = {dag_id: [seconds(run) for run in each] for dag_id, each in runs.items()}
    for dag_id, each in found.items():
        spread = {"least": round(min(each), 2), "most": round(max(each), 2), "rounds": len(each)}
        table.add(f"{_ABOUT}: {what}", dag_id, median(each), "s", **spread)
    return round(median(found[_REVIEW]) / median(found[_BARE]), 3)


class _Site:
    """An Airflow, its client and its cases."""

    def __init__(self, airflow: Airflow, client: Client, cases: Path, progress: Progress) -> None:
        self._airflow, self._client, self._cases, self._progress = airflow, client, cases, progress

    def write_cases(self, count: int) -> list[str]:
        """Write cases of new disputes, one per line, into the files that the DAG reads; return their ids."""
        disputes = new_disputes(count)
        for chunk in range(_CHUNKS):
            lines = "".join(json.dumps(case) + "\n" for case in cases(disputes[chunk::_CHUNKS]))
            (self._cases / f"cases-{chunk}.jsonl").write_text(lines)
        return disputes

    def run(self, dag_id: str, reviews: Collection[str] = (), conf: Mapping[str, Any] | None = None) -> _Run:
        """Run a DAG to its end; once all reviews are open, approve each.

        :param reviews: the tasks that wait for a reviewer; none by default.
        :raises RuntimeError: if it fails.
        """
        run_id = self._client.start(dag_id, dict(conf or {}))
        forms: dict[str, dict[str, Any] | None] = {}
        while (state := self._client.run_state(dag_id, run_id)) not in ("success", "failed"):
            self._airflow.check()
            self._progress.wait(f"{dag_id} runs", _LOOK)
            if forms or not self._parked(dag_id, run_id).issuperset(reviews):
                continue
            for task in reviews:
                review, chunk = f"{task}/-1", _chunk(task)
                if form := self._client.form(dag_id, run_id, review):
                    self._client.respond(dag_id, run_id, form["options"][:1], "", review)
                forms[chunk] = self._client.form(dag_id, run_id, review)
        if state == "failed":
            raise RuntimeError(f"{dag_id} failed\n{self._airflow.tail()}")
        answered = {chunk: form for chunk, form in forms.items() if form}
        run = self._client.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        return _Run(_moment(run["queued_at"]), self._client.tasks(dag_id, run_id), answered)

    def _parked(self, dag_id: str, run_id: str) -> set[str]:
        """Return the tasks of a run that are over or wait for a reviewer, by the scheduler's log.

        An answer before the scheduler knows of the review fails the task.
        """
        ended = re.compile(
            rf"TaskInstance Finished: dag_id={dag_id}, task_id=([^,]*), run_id={re.escape(run_id)},"
        )
        return {match[1] for match in map(ended.search, self._airflow.log("scheduler")) if match}


class _Run:
    """A run that has ended.

    :param begun: when it was triggered, in Unix seconds.
    :param tasks: its task instances, from Airflow's REST API.
    :param forms: its reviews that a person answered, by chunk; a review outside of a group is its own chunk.
    """

    def __init__(
        self, begun: float, tasks: list[dict[str, Any]], forms: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._begun = begun
        self.tasks = tasks
        self._forms = forms

    def until_open(self) -> float:
        """Return the seconds from the trigger until the only review was open."""
        [form] = self._forms.values()
        return _moment(form["created_at"]) - self._begun

    def until_submitted(self) -> float:
        """Return the seconds from the answer to the only review until its submission had ended."""
        [form] = self._forms.values()
        [submit] = [task for task in self.tasks if task["task_id"] == _SUBMIT]
        return _moment(submit["end_date"]) - _moment(form["responded_at"])

    def seconds(self, last: str = "") -> float:
        """Return the seconds from the first task's start to the last one's end, without waits for a reviewer.

        :param last: stop at the ends of this task; the default stops at the ends of all.
        """
        at_work = []
        for chunk in {_chunk(task["task_id"]) for task in self.tasks}:
            tasks = [task for task in self.tasks if _chunk(task["task_id"]) == chunk]
            begin = min(_moment(task["start_date"]) for task in tasks)
            end = max(_moment(task["end_date"]) for task in tasks if task["task_id"].endswith(last))
            if form := self._forms.get(chunk):
                at_work.append((begin, _moment(form["created_at"])))
                begin = _moment(form["responded_at"])
            at_work.append((begin, end))
        return _covered(at_work)

    def spans(self, name: str) -> tuple[float, float]:
        """Return the seconds until a chunk's task starts, and the seconds that it runs; means of the chunks.

        A review starts twice: the second time after its answer.
        """
        idle, busy = [], []
        tasks = {task["task_id"]: task for task in self.tasks}
        for chunk, form in self._forms.items():
            task = tasks[f"{chunk}.{name}"]
            begin, end = _moment(task["start_date"]), _moment(task["end_date"])
            place = _TASKS.index(name)
            ready = _moment(tasks[f"{chunk}.{_TASKS[place - 1]}"]["end_date"]) if place else begin
            if name == "review":
                # Airflow keeps only the last time at which a task was queued: the one after the answer.
                again = _moment(task["queued_when"])
                ready -= again - _moment(form["responded_at"])
                end -= again - _moment(form["created_at"])
            idle.append(begin - ready)
            busy.append(end - begin)
        return mean(idle), mean(busy)


def _chunk(task: str) -> str:
    return task.partition(".")[0]


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds that the spans cover together."""
    covered, until = 0.0, -math.inf
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered


def _ours(table: Table, runs: list[_Run]) -> float:
    """Report the times of the median run; return its seconds per dispute, until the submission."""
    runs.sort(key=lambda run: run.seconds(_SUBMIT))
    run = runs[len(runs) // 2]
    for name in _TASKS:
        idle, busy = run.spans(name)
        table.add(f"{_ABOUT}: ours, mean of the chunks", f"{name}, wait for its start", idle, "s")
        table.add(f"{_ABOUT}: ours, mean of the chunks", f"{name}, run time", busy, "s")
    least, *_, most = (round(each.seconds(_SUBMIT) / _DISPUTES * 1000, 2) for each in runs)
    facts = {"disputes": _DISPUTES, "chunks": _CHUNKS, "rounds": len(runs)}
    table.add(_ABOUT, "ours, stage to outcome", run.seconds() / _DISPUTES * 1000, "ms/dispute", **facts)
    each = run.seconds(_SUBMIT) / _DISPUTES
    spread = {"least": least, "most": most}
    table.add(_ABOUT, "ours, stage to submit", each * 1000, "ms/dispute", **spread, **facts)
    return each


def _stock(table: Table, run: _Run, how: str) -> float:
    each = run.seconds() / len(run.tasks)
    table.add(_ABOUT, f"HttpOperator.expand, {how}", each * 1000, "ms/call", tasks=len(run.tasks))
    return each


def _check(url: str, disputes: list[str]) -> None:
    """Check that every dispute was submitted once."""
    submissions: Mapping[str, int] = server.counters(url)["submissions"]
    wrong = [dispute for dispute in disputes if submissions.get(dispute) != 1]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(disputes)} disputes were not submitted once: {wrong[:5]}")


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _calls() -> dict[str, Any]:
    """Return the requests of a stock operator, encoded: its tasks import nothing of ours."""
    calls = [Calls.of(dispute).write for dispute in new_disputes(_CALLS)]
    assert calls[0].body is not None
    return {
        "headers": dict(calls[0].headers),
        "data": calls[0].body.decode(),
        "endpoints": [call.path.lstrip("/") for call in calls],
    }


@contextmanager
def _airflow(folder: Path, url: str) -> Iterator[_Site]:
    """Start an Airflow with our DAGs and connections, and a folder for its tasks' files."""
    store = folder / "store"
    (store / "cases").mkdir(parents=True)
    (store / "cases" / "calls.json").write_text(json.dumps(_calls()))
    connections = {
        "STRIPE": {"conn_type": "stripe", "host": url, "password": KEY, "extra": {"rate_limit": _OFF}},
        "HTTP": {"conn_type": "http", "host": url, "extra": {"Authorization": f"Bearer {KEY}"}},
    }
    settings = {
        **{f"AIRFLOW_CONN_BENCH_{name}": json.dumps(each) for name, each in connections.items()},
        # Airflow's defaults; the demo sets less.
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
        # As docs/scale.md recommends. With the stock operator's hundred tasks the scheduler never sleeps.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DISPUTE__CASE_ROOTS": str(store / "cases"),
        "AIRFLOW__DISPUTE__EVIDENCE_STORE": str(store / "evidence"),
        "AIRFLOW__DISPUTE__RECEIPTS": str(store / "receipts"),
        # As in an installation, modules are compiled once.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    airflow = Airflow(folder / "airflow", free_port(18280), Path(__file__).parent / "dags", settings)
    client = Client(airflow.url, "admin", airflow.passwords["admin"])
    progress = Progress(_MINUTES * 60)
    end_cleanly()
    try:
        airflow.start(progress)
        while not (client.is_healthy() and all(map(client.has_dag, (_WHOLE, _REVIEW, _BARE, *_STOCK)))):
            airflow.check()
            progress.wait("Airflow starts")
        yield _Site(airflow, client, store / "cases", progress)
    finally:
        client.close()
        left = airflow.stop()
    assert not left, left
