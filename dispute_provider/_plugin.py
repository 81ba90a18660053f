"""Register the pages and the listener. Every Airflow process imports this module, so it must be cheap."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from dispute_provider import _preloading

_Message = MutableMapping[str, Any]
_App = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


class Viewer:
    """ASGI application of the Evidence tab and the desk; it is built on the first request."""

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
    """The *Evidence* tab of task instances, *Disputes* in the navigation, and the application behind both.

    Its listener makes tasks start faster.
    """

    name = "dispute_evidence"
    listeners = [_preloading]  # noqa: RUF012  # Airflow's own way to declare it
    fastapi_apps = [  # noqa: RUF012  # Airflow's own way to declare it
        {"name": "Dispute evidence", "app": Viewer(), "url_prefix": "/dispute-evidence"}
    ]
    external_views = [  # noqa: RUF012  # Airflow's own way to declare it
        {
            "name": "Evidence",
            "destination": "task_instance",
            "url_route": "evidence",
            # A relative address works under any base URL of Airflow.
            "href": (
                "dispute-evidence/view?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"
            ),
        },
        {
            "name": "Disputes",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "disputes",
            "href": "dispute-evidence/desk",
            "icon": "dispute-evidence/desk-icon.svg",
            "icon_dark_mode": "dispute-evidence/desk-icon-dark.svg",
        },
    ]
