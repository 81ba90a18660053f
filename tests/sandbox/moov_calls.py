"""Calls shared by the tests of Moov's API in the sandbox."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, Sandbox

PDF = b"%PDF-1.4\n%%EOF\n"
TIFF = b"II*\x00" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
CONTRACT = json.loads((Path(__file__).parents[2] / "schemas" / "moov.openapi.json").read_text())
READ, WRITE = (f"/accounts/{MOOV_ACCOUNT}/transfers.{kind}" for kind in ("read", "write"))
CLIENT = {"client_id": MOOV_PUBLIC_KEY, "client_secret": MOOV_SECRET_KEY}


def dispute_of(sandbox: Sandbox, **fields: Any) -> str:
    return f"/disputes/{sandbox.create_dispute(api='moov', **fields)['id']}"


def text(moov: httpx.Client, path: str, text: Any = "We sent it.", kind: str = "receipt") -> httpx.Response:
    return moov.post(f"{path}/evidence-text", json={"text": text, "evidenceType": kind})


def file(
    moov: httpx.Client, path: str, content: bytes = PDF, mime: str = "application/pdf", kind: str = "receipt"
) -> httpx.Response:
    part = {"file": ("r.pdf", content, mime)}
    return moov.post(f"{path}/evidence-file", data={"evidenceType": kind}, files=part)


def keeps_contract(answer: httpx.Response, path: str, method: str) -> None:
    """Check that an operation documents the answer's status and schema."""
    operation = CONTRACT["paths"][f"/accounts/{{accountID}}/disputes{path}"][method]
    documented = operation["responses"][str(answer.status_code)]
    assert str(uuid.UUID(answer.headers["x-request-id"])) == answer.headers["x-request-id"]
    content = documented.get("content", {}).get("application/json")
    if content:
        jsonschema.validate(answer.json(), {**content["schema"], "components": CONTRACT["components"]})


def token(sandbox: Sandbox, **fields: Any) -> httpx.Response:
    body = {"grant_type": "client_credentials", "scope": READ, **fields}
    return httpx.post(f"{sandbox.url}/oauth2/token", json={**CLIENT, **body})


def bearer(sandbox: Sandbox, **fields: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(sandbox, **fields).json()['access_token']}"}
