"""Report what ran where, how fast, and the verdict."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.scale.batch import APIS
from tests.scale.judge import Rate, rate, shares
from tests.scale.run import Contest
from tests.scale.site import RATE

_SHOWN = 20
_TASKS = ("stage", "review", "submit", "outcome")


def show(contests: Sequence[Contest], wrong: Sequence[str], stores: Mapping[str, int], minutes: float) -> int:
    """Print all tables and the verdict; return the exit code.

    :param wrong: mistakes by the sandbox's journal.
    :param stores: the size of the state stores at the end.
    """
    # A log file cannot be widened: leave room for all columns.
    console = Console(width=None if sys.stdout.isatty() else 160)
    rates = {
        api: rate([each for contest in contests for each in contest.requests], api, RATE[api]) for api in APIS
    }
    for contest in contests:
        console.print(_where(contest))
        console.print(_tasks(contest))
    console.print(_rates(rates))
    unfinished = [
        f"the run of {each.batch.name} is {each.state}" for each in contests if each.state != "success"
    ]
    for mistake in [*unfinished, *wrong][:_SHOWN]:
        print(f"MISTAKE: {mistake}")
    verdict = "wrong" if wrong or unfinished else "right"
    line = _line(contests, rates)
    line |= {"mistakes": len(wrong) + len(unfinished), "state_stores": dict(stores)}
    print(json.dumps({"scale": verdict, **line, "minutes": round(minutes, 1)}), flush=True)
    return 0 if verdict == "right" else 1


def _where(contest: Contest) -> Table:
    killed = f"{contest.victim} lost {contest.killed}" if contest.victim else "nothing was killed"
    table = Table(title=f"{contest.batch.name}: {len(contest.batch.disputes)} disputes, {killed}")
    for heading in ("Worker", "API"):
        table.add_column(heading)
    for heading in ("Tries of tasks", "of these lost", "Requests", "Submitted before", "Submitted after"):
        table.add_column(heading, justify="right")
    tries = Counter((task["hostname"], _api(task)) for task in contest.tasks)
    lost = Counter((task["hostname"], _api(task)) for task in contest.tasks if task["state"] != "success")
    for (worker, api), share in shares(contest.requests, contest.killed_at).items():
        figures = (tries[worker, api], lost[worker, api], share.requests, share.before, share.after)
        table.add_row(worker, api, *(f"{figure:,}" for figure in figures))
    return table


def _tasks(contest: Contest) -> Table:
    table = Table(title=f"{contest.batch.name}: seconds per task")
    for heading in ("API", "Task"):
        table.add_column(heading)
    for heading in ("Number", "Median", "Longest"):
        table.add_column(heading, justify="right")
    for (api, name), seconds in sorted(_seconds(contest).items()):
        table.add_row(api, name, str(len(seconds)), f"{median(seconds):.1f}", f"{max(seconds):.1f}")
    return table


def _seconds(contest: Contest) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for task in contest.tasks:
        name = task["task_id"].rpartition(".")[2]
        if task["state"] == "success" and name in _TASKS:
            found[_api(task), name].append(float(task["seconds"]))
    return found


def _api(task: dict[str, Any]) -> str:
    return str(task["task_id"].partition(".")[0]).removesuffix("_chunks")


def _rates(rates: dict[str, Rate]) -> Table:
    table = Table(title="Requests per second in the sandbox's journal")
    table.add_column("API")
    for heading in (
        "Limit",
        "Busiest second",
        "Seconds over the limit",
        "Mean of seconds with any",
        "Requests",
        "Refused with 429",
    ):
        table.add_column(heading, justify="right")
    for api, each in rates.items():
        table.add_row(
            api,
            str(RATE[api]),
            str(each.busiest),
            str(each.over),
            f"{each.mean:.1f}",
            f"{each.requests:,}",
            str(each.refused),
        )
    return table


def _line(contests: Sequence[Contest], rates: Mapping[str, Rate]) -> dict[str, Any]:
    submitted = Counter(each.dispute for contest in contests for each in contest.requests if each.submits)
    return {
        "disputes": sum(len(contest.batch.disputes) for contest in contests),
        "submitted_once": sum(count == 1 for count in submitted.values()),
        "submitted_twice": sum(count > 1 for count in submitted.values()),
        "runs": [
            {
                "disputes": len(contest.batch.disputes),
                "chunk": contest.batch.chunk,
                "seconds": round(contest.seconds, 1),
                "killed": contest.killed,
                "in_flight": contest.in_flight,
                "tries": len(contest.tasks),
                "tries_lost": sum(task["state"] != "success" for task in contest.tasks),
            }
            for contest in contests
        ],
        "rate": {
            api: {
                "stated": RATE[api],
                "busiest": each.busiest,
                "seconds_over": each.over,
                "mean": round(each.mean, 1),
                "429": each.refused,
            }
            for api, each in rates.items()
        },
    }
