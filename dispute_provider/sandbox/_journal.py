"""Keep every request and its answer, and describe them on request."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dispute_provider.sandbox._forms import Upload
from dispute_provider.sandbox._wire import Call, Response, basic_credentials, json_bytes

_SECRET_FIELDS = frozenset({"client_secret", "refresh_token", "token"})


@dataclass(slots=True)
class JournalEntry:
    """One request and its answer."""

    seq: int
    call: Call
    answer: Response | None
    """None if the connection was ended instead."""


class Journal:
    """Every API request, in order of completion."""

    def __init__(self) -> None:
        self._entries: list[JournalEntry] = []
        self._last = 0

    def append(self, call: Call, answer: Response | None) -> None:
        self._last += 1
        if call.content_type == "multipart/form-data":
            # Entries show only the length and hash of a file, so its bytes need not be kept.
            call.decoded = _plain(call.decoded, frozenset())
            call.body = json_bytes(
                {"length": len(call.body), "sha256": hashlib.sha256(call.body).hexdigest()}
            )
        self._entries.append(JournalEntry(self._last, call, answer))

    def clear(self) -> None:
        self._entries.clear()

    def describe(self, since: int = 0) -> list[dict[str, Any]]:
        return [_described(entry) for entry in self._entries if entry.seq > since]


def _described(entry: JournalEntry) -> dict[str, Any]:
    call, answer = entry.call, entry.answer
    secret = call.path.startswith("/oauth2/")
    return {
        "seq": entry.seq,
        "time": call.time,
        "api": call.api,
        "operation": call.operation,
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "headers": {**call.headers, **_redacted(call.headers.get("authorization"))},
        "content_type": call.headers.get("content-type"),
        "raw_body": _raw(call),
        "body": _plain(call.decoded, _SECRET_FIELDS if secret else frozenset()),
        "status": answer.status if answer else None,
        "answer_summary": answer.body[:300].decode("utf-8", "replace") if answer and not secret else None,
        "request_id": call.request_id,
        "changed": call.changed,
        "submitted": call.submitted,
        "dispute": call.dispute,
        "account": call.account,
        "fault": call.fault,
    }


def _redacted(authorization: str | None) -> dict[str, str]:
    if authorization is None:
        return {}
    scheme, _, secret = authorization.partition(" ")
    basic = basic_credentials(authorization)
    return {"authorization": f"{scheme} …{(basic[0] if basic else secret)[-4:]}"}


def _raw(call: Call) -> Any:
    if call.path.startswith("/oauth2/"):
        return "(redacted)" if call.body else ""
    if call.content_type == "multipart/form-data":
        return json.loads(call.body)
    try:
        return call.body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(call.body).decode()}


def _plain(value: Any, secret: frozenset[str]) -> Any:
    if isinstance(value, Upload):
        return {
            "filename": value.filename,
            "content_type": value.content_type,
            "length": len(value.content),
            "sha256": hashlib.sha256(value.content).hexdigest(),
        }
    if isinstance(value, dict):
        return {key: "(redacted)" if key in secret else _plain(item, secret) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, secret) for item in value]
    return value
