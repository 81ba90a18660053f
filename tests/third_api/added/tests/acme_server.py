"""A stand-in for Acme: it keeps cases and documents, and is strict where an API can be."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support import Asked, Peer, Reply

KEY = "acme_key_of_these_tests"
PAGE = 2


class RefusedError(Exception):
    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status, self.code, self.detail = status, code, detail


class Acme:
    """Answers requests: ``Peer(Acme())``.

    :ivar cases: by their references, as answers hold them.
    :ivar papers: by their references, with their content.
    :ivar sent: references of the cases whose answers arrived, in their order.
    """

    def __init__(self) -> None:
        self.cases: dict[str, dict[str, Any]] = {}
        self.papers: dict[str, dict[str, Any]] = {}
        self.sent: list[str] = []
        self.keys: dict[str, Any] = {}
        self.calls: list[str] = []
        self.url = ""

    def open_case(self, ref: str, **members: Any) -> str:
        self.cases[ref] = {
            "caseRef": ref,
            "state": "OPEN",
            "amount": {"value": "49.99", "currency": "EUR"},
            "answerUntil": "2099-01-10T12:00:00Z",
            "motive": "GOODS_NOT_RECEIVED",
            "scheme": "visa",
            "schemeCode": "13.1",
            "sentAt": None,
            "draft": {},
            **members,
        }
        return ref

    def __call__(self, asked: Asked) -> Reply:
        trace = {"X-Trace": f"tr_{len(self.calls) + 1}", "Content-Type": "application/json"}
        self.calls.append(f"{asked.method} {urlsplit(asked.path).path}")
        try:
            status, answer, headers = self._answer(asked)
        except RefusedError as refused:
            errors = [{"code": refused.code, "detail": refused.detail, "field": "x"}]
            return Reply(refused.status, json.dumps({"errors": errors}).encode(), trace)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Reply(status, body, {**trace, **headers})

    def _answer(self, asked: Asked) -> tuple[int, Any, Mapping[str, str]]:
        if asked.path.startswith("/links/"):
            return self._linked(asked)
        if asked.headers.get("acme-key") != KEY:
            raise RefusedError(401, "no_key", f"the key {asked.headers.get('acme-key')} is unknown")
        if asked.headers.get("acme-revision") != "3":
            raise RefusedError(400, "no_revision", "a revision is required")
        url = urlsplit(asked.path)
        match [asked.method, *url.path.strip("/").split("/")]:
            case ["GET", "merchant"]:
                return 200, {"merchantRef": "m_1", "label": "Jane's shop"}, {}
            case ["GET", "cases"]:
                return self._page(asked.headers.get("x-cursor"), parse_qs(url.query))
            case ["GET", "cases", ref]:
                return 200, self._case(ref), {}
            case ["PUT", "cases", ref, "draft"]:
                self._open(ref)["draft"] = json.loads(asked.body)
                return 200, self._case(ref), {}
            case ["POST", "answers"]:
                body = json.loads(asked.body)
                return 200, self._once(body, lambda: self._send(body["case"])), {}
            case ["POST", "cases", ref, "concession"]:
                self._once(json.loads(asked.body), lambda: self._end(ref, "CONCEDED"))
                return 204, b"", {}
            case ["POST", "papers"]:
                parts = _parts(asked)
                return 201, self._once(parts, lambda: self._keep(parts)), {}
            case ["POST", "papers", ref, "confirmation"]:
                self.papers[ref]["state"] = "ready"
                return 200, self._paper(ref), {}
            case ["POST", "papers", ref, "details"]:
                return 200, self._paper(ref), {}
        raise RefusedError(404, "no_such_call", asked.path)

    def _linked(self, asked: Asked) -> tuple[int, Any, Mapping[str, str]]:
        paper = self.papers[asked.path.removeprefix("/links/").partition("?")[0]]
        if "acme-key" in asked.headers or not asked.path.endswith("?token=t"):
            raise RefusedError(403, "no_key_wanted", "a link needs no key")
        return 200, paper["content"], {"Content-Type": paper["format"]}

    def _page(self, cursor: str | None, query: Mapping[str, list[str]]) -> tuple[int, Any, Mapping[str, str]]:
        found = [case for case in self.cases.values() if case["state"] in query["state"]]
        first = int(cursor or 0)
        more = {"X-Next-Cursor": str(first + PAGE)} if len(found) > first + PAGE else {}
        return 200, {"cases": found[first : first + PAGE]}, more

    def _case(self, ref: str) -> dict[str, Any]:
        if ref not in self.cases:
            raise RefusedError(404, "no_such_case", "there is no such case")
        return self.cases[ref]

    def _open(self, ref: str) -> dict[str, Any]:
        case = self._case(ref)
        if case["state"] != "OPEN":
            raise RefusedError(409, "case_frozen", "the case is closed")
        for paper in [case["draft"].get("proof")]:
            if paper and self.papers[paper]["state"] != "ready":
                raise RefusedError(422, "paper_pending", "the paper was not confirmed")
        return case

    def _once(self, body: Mapping[str, Any], act: Any) -> Any:
        """Act once for each key."""
        if not (key := body.get("requestKey")):
            raise RefusedError(400, "no_request_key", "a requestKey is required")
        if key not in self.keys:
            self.keys[key] = act()
        return self.keys[key]

    def _end(self, ref: str, state: str) -> dict[str, Any]:
        case = self._open(ref)
        case |= {"state": state, "sentAt": "2026-11-29T00:00:00Z"}
        return dict(case)

    def _send(self, ref: str) -> dict[str, Any]:
        self._end(ref, "ANSWERED")
        self.sent.append(ref)
        return {"receiptRef": f"rc_{len(self.sent)}", "state": "FILED"}

    def _keep(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        ref = f"fl_{len(self.papers) + 1}"
        content, content_type = parts["content"]
        details = parts["details"]
        self.papers[ref] = {
            "fileRef": ref,
            "state": "pending",
            "name": details["name"],
            "bytes": len(content),
            "format": content_type,
            "openedOn": "2026-11-29",
            "note": details.get("note", ""),
            "covered": "cover" in parts,
            "content": content,
        }
        return self._paper(ref)

    def _paper(self, ref: str) -> dict[str, Any]:
        shown = {name: value for name, value in self.papers[ref].items() if name != "content"}
        return {"link": f"{self.url}/links/{ref}?token=t", **shown}


@contextmanager
def connected(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve Acme on loopback, and yield the id of a connection to it."""
    with Peer(acme) as peer:
        acme.url = peer.url
        connection = {"conn_type": "acme", "host": peer.url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(connection))
        yield "acme_default"


def _parts(asked: Asked) -> dict[str, Any]:
    """The parts of an upload: objects where they are JSON, and say so."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    parts: dict[str, Any] = {}
    for part in email.message_from_bytes(head + asked.body).get_payload():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if part.get_content_type() == "application/json":
            parts[name] = json.loads(content)
        elif part.get_filename():
            parts[name] = (content, part.get_content_type())
        else:
            parts[name] = content.decode()
    if not isinstance(parts["details"], dict):
        raise RefusedError(400, "no_details", "details is no JSON")
    return parts
