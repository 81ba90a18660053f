"""Helpers of the tests of the viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from papers import pdf

from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._tasks.signing import STAGED, Signer
from dispute_provider.hooks.stripe import StripeHook

DAG, ELSEWHERE = "viewed", "viewed_elsewhere"
USERS = {"ada": "admin", "oda": "op", "ana": "user", "bob": "user", "vic": "viewer"}
PREFIX = "/dispute-evidence"


@dataclass(frozen=True)
class Site:
    """The API server, and what is put into its database.

    :param run_id: of a run of each DAG, with tasks ``stage``, ``review``, ``nothing`` and ``mapped`` (twice).
    """

    server: Any
    tokens: Mapping[str, str]
    run_id: str

    def client(self, user: str | None) -> Any:
        """A browser's view of it: logged in by cookie, or not at all."""
        from fastapi.testclient import TestClient

        cookies = {"_token": self.tokens[user]} if user else {}
        return TestClient(self.server, cookies=cookies, follow_redirects=False)

    def get_as_it_stands(self, path: str, user: str) -> tuple[int, bytes]:
        """Ask for a path that no client has tidied up; the status and the body of the answer."""
        answered: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            answered.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"airflow"), (b"authorization", f"Bearer {self.tokens[user]}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("airflow", 80),
            "root_path": "",
            "app": self.server,
        }
        asyncio.run(self.server(scope, receive, send))
        return answered[0]["status"], b"".join(part.get("body", b"") for part in answered[1:])

    def address(self, task: str, *, dag: str = DAG, map_index: int | str = -1) -> str:
        return f"{PREFIX}/dags/{dag}/runs/{quote(self.run_id, safe='')}/tasks/{task}/{map_index}"

    def returns(self, task: str, value: Any, *, dag: str = DAG, map_index: int = -1) -> None:
        """Have a task return something."""
        from airflow.models.xcom import XComModel

        here = {"dag_id": dag, "run_id": self.run_id, "task_id": task, "map_index": map_index}
        XComModel.set(key="return_value", value=value, serialize=False, **here)

    def waits(self, task: str, shown: Any) -> None:
        """Have a review wait for its answer, parked as Airflow does it."""
        self._update(task, state="awaiting_input", next_kwargs={"shown": shown})

    def _update(self, task: str, **values: Any) -> None:
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import update

        here = (
            TaskInstance.dag_id == DAG,
            TaskInstance.run_id == self.run_id,
            TaskInstance.task_id == task,
        )
        with create_session() as session:
            session.execute(update(TaskInstance).where(*here).values(**values))


def signed(*records: Record, scope: str = STAGED) -> list[dict[str, Any]]:
    """What a task returns: records as staging signs them, or as a task of the run that is the scope."""
    signer = Signer(scope)
    return [signer.sign(record).to_dict() for record in records]


RECEIPT = pdf(pages=3, text="Receipt no. 7")


@dataclass(frozen=True)
class Staged:
    """A dispute with evidence of ours on the sandbox, and the record of it."""

    record: Record
    hook: StripeHook

    @property
    def shown(self) -> list[dict[str, Any]]:
        return signed(self.record)

    @property
    def sha256(self) -> str:
        """Of its document."""
        [sha256] = self.record.documents.values()
        return sha256

    def edit(self, **evidence: str) -> None:
        """Have a colleague write to it in the API's own dashboard."""
        self.hook.call("PostDisputesDispute", dispute=self.record.dispute, evidence=evidence, submit=False)

    def read(self) -> Snapshot:
        record = self.record
        return self.hook.with_api(lambda api: api.read(record.dispute, record.account, details=True))

    def submit(self) -> None:
        self.hook.call("PostDisputesDispute", dispute=self.record.dispute, submit=True)
