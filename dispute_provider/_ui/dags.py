"""Know which DAGs the page can start."""

from __future__ import annotations

from typing import Literal

from airflow.models.dag import DagModel


def missing(dag_id: str) -> Literal["", "dag", "paused"]:
    """Return why a run would not start: there is no such DAG, or it is paused."""
    found = DagModel.get_current(dag_id)
    if found is None or found.is_stale:
        return "dag"
    return "paused" if found.is_paused else ""
