"""Run our operator as a worker does, without Airflow: its state is kept in memory."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from airflow.sdk.bases.operator import ExecutorSafeguard

from bench.bodies import EVIDENCE, EXPAND, KEY, cases
from bench.peers import Work

_OFF = 10_000


class _Store:
    """A state store whose values pass through JSON, as on their way to the API server."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self._values[key]) if key in self._values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self._values.pop(key, None)


class _Stores(dict[str, Any]):
    """The state stores of assets, each made on first use."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make

    def __getitem__(self, asset: Any) -> Any:
        if asset.uri not in self:
            self[asset.uri] = self._make(asset.uri)
        return super().__getitem__(asset.uri)


def context(store: Callable[[str], Any] = lambda name: _Store()) -> Any:
    """Return the context that Airflow passes to a task.

    :param store: makes a state store by its name.
    """
    instance = SimpleNamespace(
        id="bench",
        task_id="stage",
        run_id="bench",
        map_index=-1,
        try_number=1,
        max_tries=0,
        xcom_push=lambda key, value: None,
        # The reviews of earlier sweeps are open.
        get_dr_count=lambda dag_id, run_ids, states: 1,
    )
    return {
        "dag_run": SimpleNamespace(dag_id="bench", run_id="bench", conf={}, start_date=datetime.now(UTC)),
        "run_id": "bench",
        "ti": instance,
        "task_instance": instance,
        "task_state_store": store("task"),
        "asset_state_store": _Stores(store),
        "params": {},
    }


def operator(url: str, given: Any, rate: float = _OFF) -> Any:
    """The operator that stages cases at an address."""
    from dispute_provider.operators.evidence import StageEvidenceOperator

    return StageEvidenceOperator(task_id="stage", cases=given, conn_id=connection(url, rate))


def connection(url: str, rate: float = _OFF) -> str:
    """Set the connection to a server, and return its id."""
    os.environ["AIRFLOW_CONN_BENCH_STRIPE"] = json.dumps(
        {"conn_type": "stripe", "host": url, "password": KEY, "extra": {"rate_limit": rate}}
    )
    return "bench_stripe"


def stage(url: str, disputes: list[str], rate: float = _OFF) -> Work:
    """Through the operator; every dispute must end as staged."""
    from dispute_provider._tasks.record_lists import records_of

    task = operator(url, cases(disputes), rate)

    def work() -> None:
        returned = asyncio.run(task.aexecute(context()))
        states = Counter(record.state for record in records_of(returned))
        if states != {"staged": len(disputes)}:
            raise RuntimeError(f"of {len(disputes)} disputes not all were staged: {dict(states)}")

    return work


def approve(staged: Any, around: Any) -> Any:
    """Return the records of a review whose policy approves everything.

    :param around: the context of the task.
    """
    from dispute_provider._evidence.policy import ApprovalPolicy
    from dispute_provider.operators.evidence import ReviewEvidenceOperator

    verdicts = ("ready", "weak", "missing", "unknown")
    everything = ApprovalPolicy("everything", {"eur": 10_000, "usd": 10_000}, verdicts)
    review = ReviewEvidenceOperator(task_id="review", staged=staged, policy=everything)
    with patch.object(ExecutorSafeguard, "test_mode", new=True):
        return review.execute(around)


def submit(approved: Any, around: Any) -> Any:
    """Return the records of a submission.

    :param around: the context of the task.
    """
    from dispute_provider.operators.evidence import SubmitEvidenceOperator

    return asyncio.run(SubmitEvidenceOperator(task_id="submit", approved=approved).aexecute(around))


def contest(url: str, disputes: list[str], rate: float = _OFF) -> Counter[str]:
    """Stage, approve by a policy and submit disputes through the operators; return the counts of the ends."""
    from dispute_provider._tasks.record_lists import records_of

    around = context()
    staged = asyncio.run(operator(url, cases(disputes), rate).aexecute(around))
    return Counter(record.state for record in records_of(submit(approve(staged, around), around)))


def calls(url: str, disputes: list[str]) -> Work:
    """Make staging's calls only: encoded, checked and within the rate, without the work between them."""
    from dispute_provider._tasks.batch import Apis, all_of

    conn_id = connection(url)

    async def work() -> None:
        async with Apis() as apis:
            api = await apis.of(conn_id)

            async def stage(dispute: str) -> None:
                await api.call("GetDisputesDispute", dispute=dispute, expand=EXPAND)
                await api.call("PostDisputesDispute", dispute=dispute, evidence=EVIDENCE, submit=False)
                await api.call("GetDisputesDispute", dispute=dispute, expand=EXPAND)

            await all_of(disputes, stage)

    return lambda: asyncio.run(work())
