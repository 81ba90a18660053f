"""Call Airflow's public REST API with a user name and a password."""

from __future__ import annotations

import time
from typing import Any

import httpx

REVIEW, SWEEP = "dispute_review", "dispute_sweep"
_FINISHED = {"success", "failed"}
# Airflow 3.3's API server blocks while it writes its audit log. If a task's request holds SQLite's lock
# at that moment, one of the two fails with 500, and has to be repeated.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 8.0)


class Rest:
    """A client of one user, which logs in on its first call.

    :raises httpx.HTTPError: from all methods except :meth:`is_healthy`, if a request fails.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._login = {"username": user, "password": password}

    def is_healthy(self) -> bool:
        """Return whether all components of Airflow are healthy."""
        try:
            health = self._client.get("/api/v2/monitor/health").raise_for_status().json()
        except httpx.HTTPError:
            return False
        return all(part["status"] == "healthy" for part in health.values())

    def has_dag(self, dag_id: str) -> bool:
        return self._read(f"dags/{dag_id}") is not None

    def unreadable_dags(self) -> str:
        """Return the errors of DAG files that could not be imported; empty if there are none."""
        found = self._read("importErrors", limit=100)["import_errors"]
        return "\n".join(f"--- {error['filename']}\n{error['stack_trace']}" for error in found)

    def add(self, kind: str, thing: dict[str, Any]) -> None:
        """Create a resource.

        :param kind: ``connections``, ``pools`` and so on.
        """
        self._ask("POST", kind, json=thing)

    def trigger(self, dag_id: str) -> str:
        """Start a run; return its id."""
        return str(self._ask("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None})["dag_run_id"])

    def runs(self, dag_id: str) -> dict[str, bool]:
        """Return whether each run has finished, by run id, in the order of their start."""
        found = self._read(f"dags/{dag_id}/dagRuns", order_by="run_after", limit=100)
        return {run["dag_run_id"]: run["state"] in _FINISHED for run in found["dag_runs"]}

    def reviews(self) -> list[dict[str, Any]]:
        """Return the required actions without an answer."""
        path = f"dags/{REVIEW}/dagRuns/~/hitlDetails"
        return list(self._read(path, response_received=False, state="awaiting_input")["hitl_details"])

    def answer(self, run_id: str, chosen: list[str], fields: dict[str, Any]) -> None:
        """Answer a review."""
        path = f"dags/{REVIEW}/dagRuns/{run_id}/taskInstances/review/-1/hitlDetails"
        self._ask("PATCH", path, json={"chosen_options": chosen, "params_input": fields})

    def xcom(
        self, dag_id: str, run_id: str, task: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Return an XCom of a task; None if there is none."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        found = self._read(path, map_index=map_index, deserialize=True)
        return found["value"] if found else None

    def _read(self, path: str, **params: Any) -> Any:
        """Return a resource; None if it does not exist."""
        try:
            return self._ask("GET", path, params=params)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                return None
            raise

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, and repeat it after a 5xx, which Airflow has rolled back."""
        for pause in (*_PAUSES, None):
            try:
                return self._send(method, path, **options)
            except httpx.HTTPStatusError as error:
                if error.response.status_code < 500 or pause is None:
                    raise
            except httpx.TransportError:
                if method != "GET" or pause is None:
                    raise
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, **options: Any) -> Any:
        """Send one request; return the JSON of its answer, None if it is empty."""
        if "Authorization" not in self._client.headers:
            answer = self._client.post("/auth/token", json=self._login).raise_for_status()
            self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        answer = self._client.request(method, f"/api/v2/{path}", **options).raise_for_status()
        return answer.json() if answer.content else None
