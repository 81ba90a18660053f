"""Calls shared by the tests of Stripe's API in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from dispute_provider.sandbox import Sandbox

PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
CONTRACT = json.loads((Path(__file__).parents[2] / "schemas" / "stripe.openapi.json").read_text())


def upload(
    stripe: httpx.Client,
    content: bytes = PDF,
    purpose: str = "dispute_evidence",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    part = {"file": ("r.pdf", content, "application/octet-stream")}
    return stripe.post("/files", data={"purpose": purpose}, files=part, headers=headers)


def refusal(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["message"]
    return error


def keeps_contract(shown: dict[str, Any], path: str, method: str) -> None:
    operation = CONTRACT["paths"][path][method]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(shown, {**schema, "components": CONTRACT["components"]})


def dispute_of(sandbox: Sandbox, **fields: Any) -> str:
    return str(sandbox.create_dispute(api="stripe", **fields)["id"])
