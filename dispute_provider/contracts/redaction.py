"""Replace customers' texts in an answer by what may be shown of them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from dispute_provider.contracts import contract
from dispute_provider.contracts.contract import Operation
from dispute_provider.contracts.json_data import Json

SECRET = "[redacted: a secret]"  # noqa: S105  # what stands in a secret's place
_EVIDENCE = "evidence"
# Members that hold customers' texts, whatever their type: evidence, and what a charge says of who paid it.
_CUSTOMER = {_EVIDENCE, "text", "billing_details", "receipt_email", "receipt_url", "shipping"}


def redacted_answer(api: str, data: Any) -> Any:
    """An answer without the texts of its evidence, what a charge says of its customer, and tokens.

    Ids of documents stay.
    """
    if isinstance(data, list):
        return [redacted_answer(api, item) for item in data]
    if not isinstance(data, Mapping):
        return data
    return {name: _member(api, name, value) for name, value in data.items()}


def _member(api: str, name: str, value: Any) -> Any:
    if name == _EVIDENCE and isinstance(value, Mapping):
        documents = _document_names(api)
        return {key: item if key in documents else _without_texts(item) for key, item in value.items()}
    if name in _CUSTOMER:
        return _without_texts(value)
    if isinstance(value, str) and name.endswith("_token"):
        return SECRET
    return redacted_answer(api, value)


def _without_texts(value: Any) -> Any:
    if isinstance(value, str):
        return f"[redacted: {len(value):,} characters]" if value else value
    if isinstance(value, Mapping):
        return {name: _without_texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return value


def _document_names(api: str) -> set[str]:
    """The kinds of evidence that are documents, and stand in an answer as ids or as what they refer to."""
    loaded = contract.load(api)
    kinds = loaded.resolve(loaded.named_schemas["CaseEvidence"])["properties"].items()
    return {name for name, schema in kinds if loaded.resolve(schema).get("x-kind") == "file"}


def redacted_arguments(
    operation: Operation, arguments: Mapping[str, Any], *, show_texts: bool = False
) -> dict[str, Any]:
    """Arguments without the texts of their body, told apart by length and digest; secrets never show."""
    return {
        name: value
        if name in operation.parameters
        else _redacted(operation, operation.schema["properties"].get(name, {}), value, show_texts)
        for name, value in arguments.items()
    }


def _redacted(operation: Operation, schema: Json, value: Any, show_texts: bool) -> Any:
    schema = operation.contract.resolve(schema)
    if schema.get("writeOnly"):
        return SECRET
    if isinstance(value, str) and not show_texts and value and not _harmless(operation, schema):
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"[{len(value):,} characters, sha256 {digest[:8]}]"
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        return {
            name: _redacted(operation, known.get(name, others), item, show_texts)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(operation, schema.get("items", {}), item, show_texts) for item in value]
    return value


def _harmless(operation: Operation, schema: Json) -> bool:
    """Whether a string is one of a few words, a document's id or path, or of a call without evidence."""
    about_evidence = {"disputes", "evidence", "files"} & set(operation.document["tags"])
    is_document = "x-maxBytes" in schema or schema.get("x-kind") == "file"
    return "enum" in schema or is_document or not about_evidence
