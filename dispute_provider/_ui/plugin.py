"""Puts the evidence viewer into Airflow's UI. Every process of Airflow imports this: it must cost nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

_Message = MutableMapping[str, Any]
_App = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


class Viewer:
    """The viewer as an ASGI application, which is built when it is first asked for something."""

    def __init__(self) -> None:
        self._app: _App | None = None

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if self._app is None:
            from dispute_provider._ui.app import create

            self._app = create()
        await self._app(scope, receive, send)


class DisputeEvidencePlugin(AirflowPlugin):
    """A tab *Evidence* at every task, and what answers it."""

    name = "dispute_evidence"
    fastapi_apps = [  # noqa: RUF012  # Airflow's own way to declare it
        {"name": "Dispute evidence", "app": Viewer(), "url_prefix": "/dispute-evidence"}
    ]
    external_views = [  # noqa: RUF012  # Airflow's own way to declare it
        {
            "name": "Evidence",
            "destination": "task_instance",
            "url_route": "evidence",
            # Without a slash in front it follows Airflow to wherever that is served from.
            "href": (
                "dispute-evidence/view?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"
            ),
        }
    ]
