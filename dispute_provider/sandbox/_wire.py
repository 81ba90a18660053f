"""Model a request and an answer for both APIs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

Object = dict[str, Any]


@dataclass(slots=True)
class Call:
    """A request, with the facts about it that the journal and the fault rules use."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    time: float
    segments: list[str]
    request_id: str = ""
    api: str = ""
    operation: str = ""
    account: str | None = None
    dispute: str | None = None
    decoded: Any = None
    changed: bool = False
    submitted: bool = False
    fault: str | None = None
    hold: float = 0.0
    """Seconds between taking the idempotency key and carrying out the request."""
    stored_500: bool = False

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    @property
    def base_url(self) -> str:
        return "http://" + self.headers.get("host", "127.0.0.1")


@dataclass(slots=True)
class Response:
    """Status, body and headers. Without ``content_type``, the answer has no such header."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def json_response(status: int, value: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(status, json_bytes(value), dict(headers or {}), "application/json")


def split_path(raw_path: str) -> list[str]:
    """Return the decoded segments of a path; an escaped slash stays inside its segment."""
    return [unquote(part) for part in raw_path.strip("/").split("/")]


def basic_credentials(authorization: str) -> tuple[str, str] | None:
    """Return the user and password of a Basic header; None for any other header."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def bearer_token(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
