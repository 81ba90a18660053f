"""As much of Airflow as a run needs: tries, state stores, XComs, forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy.util import await_only

from dispute_provider._ledger.stores import MemoryStore
from tests.chaos.world.clock import now
from tests.chaos.world.worker import Worker, here

# Workers that start within so many seconds of one another may have read before either has written.
_AT_ONCE = 0.05


def install() -> None:
    """Have reviews park here instead of in Airflow, and read inside the episode's event loop, for good."""
    from airflow.providers.standard.operators import hitl

    from dispute_provider.operators import _review_evidence as review_evidence

    hitl.upsert_hitl_detail = _keep_form  # type: ignore[assignment]
    review_evidence.asyncio = SimpleNamespace(run=await_only)  # type: ignore[assignment]


def _keep_form(**form: Any) -> None:
    """Stands in for Airflow's call that puts a form before people."""
    if worker := here():
        worker.pass_point("before store")
        worker.form = form


class StateStore:
    """A state store as one worker sees it; values go through JSON."""

    def __init__(self, data: dict[str, str], worker: Worker) -> None:
        self._data = data
        self._worker = worker

    def get(self, key: str, default: Any = None) -> Any:
        self._worker.pass_point("read store")
        return self._worker.try_store("store", lambda: self._read(key, default))

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._worker.pass_point("before store")
        self._worker.try_store("store", lambda: self._write(key, json.dumps(value)))
        self._worker.pass_point("after store")

    def delete(self, key: str) -> None:
        self._worker.pass_point("before store")
        self._worker.try_store("store", lambda: self._remove(key))
        self._worker.pass_point("after store")

    def _read(self, key: str, default: Any) -> Any:
        return json.loads(self._data[key]) if key in self._data else default

    def _write(self, key: str, value: str) -> None:
        self._data[key] = value

    def _remove(self, key: str) -> None:
        self._data.pop(key, None)


class SharedStore(StateStore):
    """What all runs share, without a lock: two that start together read it before either has written."""

    def __init__(
        self, data: dict[str, str], at_start: dict[str, str], started: float, worker: Worker
    ) -> None:
        super().__init__(data, worker)
        self._at_start, self._started = at_start, started

    def _read(self, key: str, default: Any) -> Any:
        data = self._at_start if now() - self._started < _AT_ONCE else self._data
        return json.loads(data[key]) if key in data else default

    def _write(self, key: str, value: str) -> None:
        self._data[key] = self._at_start[key] = value

    def _remove(self, key: str) -> None:
        self._data.pop(key, None)
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
    """A deployment: what all its runs share.

    :param ledger: its ledger's store.
    """

    def __init__(self, ledger: MemoryStore) -> None:
        self.assets: dict[str, dict[str, str]] = {}
        self.ledger = ledger
        self._runs = 0

    def new_run_id(self) -> str:
        """Return the id of the next run; another deployment's runs may have the same."""
        self._runs += 1
        return f"scheduled__{self._runs}"

    def context(self, run: str, run_id: str, instance: TaskInstance, worker: Worker) -> Any:
        """Return what `execute` is given; what it pushes under a key stays with the instance.

        :param run: names the run among those of all deployments.
        """
        about = SimpleNamespace(
            id=f"{run}-{instance.task_id}-{instance.try_number}",
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
