"""Call Airflow's REST API: what tests need in addition to the demo."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness.rest import Rest

_PAGE = 100


class Client(Rest):
    """A client of one user that many threads may share; see :class:`tests.harness.rest.Rest`."""

    def __init__(self, url: str, user: str, password: str) -> None:
        super().__init__(url, user, password)
        # SQLite fails concurrent requests.
        self._lock = threading.Lock()

    def _send(self, method: str, path: str, **options: Any) -> Any:
        with self._lock:
            return super()._send(method, path, **options)

    def start(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run with a configuration; return its id."""
        # To SQLite it is the last whole second, so that a run of now would wait for the next one.
        due = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        body = {"logical_date": None, "run_after": due, "conf": conf}
        run = self._ask("POST", f"dags/{dag_id}/dagRuns", json=body)
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self._read(f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task(self, dag_id: str, run_id: str, task: str) -> dict[str, Any]:
        return dict(self._read(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}"))

    def form(self, dag_id: str, run_id: str, review: str = "review/-1") -> dict[str, Any] | None:
        """Return the review of a run; None if there is none yet.

        :param review: its task and map index.
        """
        found = self._read(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{review}/hitlDetails")
        return dict(found) if found else None

    def respond(
        self, dag_id: str, run_id: str, chosen: list[str], note: str, review: str = "review/-1"
    ) -> None:
        """Answer a review."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{review}/hitlDetails"
        self._ask("PATCH", path, json={"chosen_options": chosen, "params_input": {"note": note}})

    def delete(self, dag_id: str, run_id: str) -> None:
        """Delete a run and everything that belongs to it."""
        self._ask("DELETE", f"dags/{dag_id}/dagRuns/{run_id}")

    def clear(self, dag_id: str, run_id: str, tasks: list[str]) -> None:
        """Clear tasks, so that they run again."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": tasks, "only_failed": False}
        self._ask("POST", f"dags/{dag_id}/clearTaskInstances", json=body)

    def mark(self, dag_id: str, run_id: str, task: str, state: str) -> None:
        """Set a task's state by hand."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}"
        self._ask("PATCH", path, json={"new_state": state})

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        found = self._read(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
        return list(found["task_instances"])

    def xcom_keys(self, dag_id: str, dag_run_id: str, task_id: str, map_index: str) -> list[str]:
        path = f"dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries"
        return [entry["key"] for entry in self._read(path, map_index=map_index)["xcom_entries"]]

    def edit_xcom(self, dag_id: str, dag_run_id: str, task_id: str, value: Any) -> None:
        """Replace a task's return value, as users with the permission can in the UI."""
        path = f"dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        self._ask("PATCH", path, json={"value": value, "map_index": -1})

    def connections(self) -> list[str]:
        return [each["connection_id"] for each in self._read("connections")["connections"]]

    def get(self, path: str) -> Any:
        """Return the JSON of any path of the server."""
        return self._client.get(path).raise_for_status().json()

    def description(self) -> dict[str, Any]:
        """Return the OpenAPI document of the REST API."""
        return dict(self.get("/openapi.json"))

    def pages(self, path: str, **params: Any) -> Iterator[str]:
        """Yield the raw responses of a path; all pages of a list."""
        offset, total = 0, 1
        while offset < total:
            answer = self._client.get(path, params={**params, "limit": _PAGE, "offset": offset})
            yield answer.text
            is_list = answer.headers["content-type"] == "application/json" and isinstance(answer.json(), dict)
            total = answer.json().get("total_entries", 0) if is_list else 0
            offset += _PAGE

    def test_connection(self, connection: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the Test button of a connection's form."""
        return dict(self._ask("POST", "connections/test", json=connection))

    def close(self) -> None:
        self._client.close()
