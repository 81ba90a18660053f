"""The evidence store as workers reach it."""

from __future__ import annotations

from typing import Any

from tests.chaos.world.worker import here


def install() -> None:
    """Have the evidence store fail as the disruptions of an episode says, for good."""
    from dispute_provider._state import evidence_store

    original = evidence_store._place

    def place(sha256: str) -> Any:
        found = original(sha256)
        worker = here()
        return _Place(found, worker) if worker else found

    evidence_store._place = place


class _Place:
    """A file whose reading and moving may fail, before or after it is done."""

    def __init__(self, place: Any, worker: Any) -> None:
        self._place, self._worker = place, worker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def read(self) -> Any:
        return self._worker.try_store("evidence", self._place.read)

    def move_here(self, other: Any) -> None:
        self._worker.try_store("evidence", lambda: self._place.move_here(other))
