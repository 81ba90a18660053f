"""The evidence store as workers reach it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.chaos.world.worker import here


def install() -> None:
    """Have the evidence store fail as the disruptions of an episode says, for good."""
    from dispute_provider._state import evidence_store

    original = evidence_store._place

    def place(sha256: str) -> Any:
        path = original(sha256)
        worker = here()
        return _Path(path, worker) if worker else path

    evidence_store._place = place


class _Path:
    """A path whose reading and moving may fail, before or after it is done."""

    def __init__(self, path: Any, worker: Any) -> None:
        self._path, self._worker = path, worker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def read_bytes(self) -> Any:
        return self._worker.try_store("evidence", self._path.read_bytes)

    def exists(self) -> bool:
        return bool(self._worker.try_store("evidence", self._path.exists))

    def with_name(self, name: str) -> _Path:
        return _Path(self._path.with_name(name), self._worker)

    def replace(self, target: _Path) -> None:
        move: Callable[[], Any] = lambda: self._path.replace(target._path)  # noqa: E731
        self._worker.try_store("evidence", move)
