"""Permissions of the pages, and the security headers of their responses."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends
from fastapi.responses import JSONResponse

# The page itself contains no dispute data.
LOGGED_IN = Depends(get_user)
# Customer text is shown only to users who may answer the review. The DAG is the path parameter `dag_id`.
MAY_ANSWER = Depends(requires_access_dag(method="PUT", access_entity=DagAccessEntity.HITL_DETAIL))
MAY_TRIGGER = Depends(requires_access_dag(method="POST", access_entity=DagAccessEntity.RUN))


def may_answer_in(user: Any, dag_id: str) -> bool:
    """Return whether a user may answer the reviews of a DAG, as Airflow decides it for its own form."""
    return _may(user, dag_id, "PUT", DagAccessEntity.HITL_DETAIL)


def may_trigger(user: Any, dag_id: str) -> bool:
    """Return whether a user may start runs of a DAG."""
    return _may(user, dag_id, "POST", DagAccessEntity.RUN)


def _may(user: Any, dag_id: str, method: Literal["POST", "PUT"], entity: DagAccessEntity) -> bool:
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return get_auth_manager().is_authorized_dag(
        method=method, access_entity=entity, details=details, user=user
    )


_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    ]
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class AsciiJsonResponse(JSONResponse):
    """JSON in ASCII, so that a lone surrogate in stored text does not break the response."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


class Guarded:
    """Adds the security headers to every response of an application, errors included."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in self._headers}
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names]
                message["headers"] = [*others, *self._headers]
            await send(message)

        await self._app(scope, receive, guarded)
