"""As much of Airflow as a run needs: workers that can be killed, tries, state stores, XComs, pools, forms."""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeVar

from sqlalchemy.util import await_only

from dispute_provider.transport.transport import HttpRequest, HttpResponse, Transport
from tests.chaos.clock import now
from tests.chaos.faults import HOLD

T = TypeVar("T")
# Workers that start within so many seconds of one another may have read before either has written.
_AT_ONCE = 0.05
TRY = "X-Chaos-Try"
"""Header that says in the journal which run, generation, task and try sent a request."""
# How the addresses end of what concedes, and of Moov's submission; Stripe's is an update that says so.
_FINAL = ("/close", "/accept", "/evidence/submit")
_worker: contextvars.ContextVar[Worker | None] = contextvars.ContextVar("worker", default=None)


class KilledError(BaseException):
    """The worker process is gone, as by SIGKILL. No handler of the product's may see it as an error."""


@dataclass(frozen=True)
class Crash:
    """Where a worker is killed: at the nth time that it comes to a point."""

    point: str
    nth: int = 1


# Points, and how likely each is to be drawn. "final" is the submission itself.
_POINTS = {
    "before request": 3,
    "after request": 3,
    "before final": 2,
    "during final": 7,
    "after final": 5,
    "during write": 2,
    "before store": 2,
    "after store": 4,
    "before return": 4,
}


def draw_crash(dice: random.Random, rate: float) -> Crash | None:
    if dice.random() >= rate:
        return None
    (point,) = dice.choices(list(_POINTS), list(_POINTS.values()))
    several = {
        "before request": 12,
        "after request": 12,
        "during write": 3,
        "before store": 3,
        "after store": 3,
    }
    return Crash(point, dice.randint(1, several.get(point, 1)))


class Worker:
    """One worker process: everything that it has started ends when it is killed, but for what it has sent."""

    def __init__(self, name: str, crash: Crash | None, dice: random.Random) -> None:
        self.name = name
        self.dead = False
        self.form: dict[str, Any] = {}
        self._crash = crash
        self._counts: dict[str, int] = {}
        self._dice = dice
        self.tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work.

        :raises KilledError: if the worker was killed.
        """
        context = contextvars.copy_context()
        context.run(_worker.set, self)
        task = asyncio.get_running_loop().create_task(work, context=context)
        try:
            result = await task
            self.pass_point("before return")
        except asyncio.CancelledError:
            if self.dead:
                raise KilledError from None
            raise
        finally:
            left = [task for task in self.tasks if not task.done()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        return result

    def kill(self) -> None:
        self.dead = True
        for task in self.tasks:
            task.cancel()

    def pass_point(self, point: str) -> None:
        """Say that a point is reached.

        :raises KilledError: if it is where the worker dies, or if it is dead.
        """
        if self.dead:
            raise KilledError
        if self._is_here(point):
            self.kill()
            raise KilledError

    def _is_here(self, point: str) -> bool:
        self._counts[point] = self._counts.get(point, 0) + 1
        return self._crash == Crash(point, self._counts[point])

    async def send(self, transport: Transport, request: HttpRequest) -> HttpResponse:
        """Let a request through, marked as this worker's."""
        final = _is_final(request)
        headers = {**request.headers, TRY: self.name}
        self.pass_point("before request")
        if final:
            self.pass_point("before final")
        during = "during final" if final else "during write" if request.method != "GET" else ""
        if during and self._is_here(during):
            headers[HOLD] = f"{self._dice.uniform(2, 150):.3f}"
            asyncio.get_running_loop().call_later(self._dice.uniform(0.5, 1.5), self.kill)
        response = await transport.send(replace(request, headers=headers))
        # What comes "after" a request comes after a success.
        if response.status < 300:
            if final:
                self.pass_point("after final")
            self.pass_point("after request")
        return response


def _is_final(request: HttpRequest) -> bool:
    """Whether it submits or concedes."""
    return request.method == "POST" and (
        request.url.endswith(_FINAL) or b"submit=true" in (request.body or b"")
    )


class WorkersTransport:
    """Has each request go through the worker that makes it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: HttpRequest) -> HttpResponse:
        worker = _worker.get()
        if worker is None:
            return await self._transport.send(request)
        return await worker.send(self._transport, request)

    async def close(self) -> None:
        await self._transport.close()


def install() -> None:
    """Have reviews park here instead of in Airflow, and read inside the episode's event loop, for good."""
    from airflow.providers.standard.operators import hitl

    from dispute_provider.operators import review_evidence

    hitl.upsert_hitl_detail = _keep_form  # type: ignore[assignment]
    review_evidence.asyncio = SimpleNamespace(run=await_only)  # type: ignore[assignment]


def _keep_form(**form: Any) -> None:
    """Stands in for Airflow's call that puts a form before people."""
    if worker := _worker.get():
        worker.pass_point("before store")
        worker.form = form


def own_tasks(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """A loop's task factory that notes whose task each is."""
    task = asyncio.Task(work, loop=loop, **options)
    context = options.get("context") or contextvars.copy_context()
    if worker := context.get(_worker):
        worker.tasks.add(task)
    return task


class StateStore:
    """A state store as one worker sees it; values go through JSON."""

    def __init__(self, data: dict[str, str], worker: Worker) -> None:
        self._data = data
        self._worker = worker

    def get(self, key: str, default: Any = None) -> Any:
        self._worker.pass_point("read store")
        return json.loads(self._data[key]) if key in self._data else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._worker.pass_point("before store")
        self._data[key] = json.dumps(value)
        self._worker.pass_point("after store")

    def delete(self, key: str) -> None:
        self._worker.pass_point("before store")
        self._data.pop(key, None)
        self._worker.pass_point("after store")


class SharedStore(StateStore):
    """What all runs share, without a lock: two that start together read it before either has written."""

    def __init__(
        self, data: dict[str, str], at_start: dict[str, str], started: float, worker: Worker
    ) -> None:
        super().__init__(data, worker)
        self._at_start, self._started = at_start, started

    def get(self, key: str, default: Any = None) -> Any:
        self._worker.pass_point("read store")
        data = self._at_start if now() - self._started < _AT_ONCE else self._data
        return json.loads(data[key]) if key in data else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        super().set(key, value)
        self._at_start[key] = self._data[key]

    def delete(self, key: str) -> None:
        super().delete(key)
        self._at_start.pop(key, None)


class AssetStateStores:
    def __init__(self, data: dict[str, dict[str, str]], worker: Worker) -> None:
        self._data = data
        self._at_start = {uri: dict(values) for uri, values in data.items()}
        self._started = now()
        self._worker = worker

    def __getitem__(self, asset: Any) -> StateStore:
        data, at_start = (stores.setdefault(asset.uri, {}) for stores in (self._data, self._at_start))
        return SharedStore(data, at_start, self._started, self._worker)


@dataclass
class TaskInstance:
    """What Airflow keeps of one task of one run over all its tries."""

    task_id: str
    try_number: int = 0
    max_tries: int = 0
    state: dict[str, str] = field(default_factory=dict)
    xcom: str | None = None
    pushed: dict[str, Any] = field(default_factory=dict)
    # The form of the first try stays, whatever later tries would show; only its answer is forgotten.
    form: Any = None


class Airflow:
    """What all runs share."""

    def __init__(self) -> None:
        self.assets: dict[str, dict[str, str]] = {}
        self.pools: dict[str, asyncio.Lock] = {}

    def pool(self, name: str) -> asyncio.Lock:
        return self.pools.setdefault(name, asyncio.Lock())

    def context(self, run_id: str, instance: TaskInstance, worker: Worker) -> Any:
        """What `execute` is given; what it pushes under a key stays with the instance."""
        about = SimpleNamespace(
            id=f"{run_id}-{instance.task_id}-{instance.try_number}",
            task_id=instance.task_id,
            run_id=run_id,
            map_index=-1,
            try_number=instance.try_number,
            max_tries=instance.max_tries,
            xcom_push=lambda key, value: instance.pushed.__setitem__(key, json.loads(json.dumps(value))),
        )
        return {
            "dag_run": SimpleNamespace(
                dag_id="chaos", run_id=run_id, conf={}, logical_date=None, start_date=moment()
            ),
            "run_id": run_id,
            "ti": about,
            "task_instance": about,
            "task_state_store": StateStore(instance.state, worker),
            "asset_state_store": AssetStateStores(self.assets, worker),
            "params": {},
        }


def moment() -> datetime:
    """Now, on the episode's clock."""
    return datetime.fromtimestamp(now(), UTC)
