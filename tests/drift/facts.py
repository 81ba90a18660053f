"""The facts of an OpenAPI document: calls, limits, required fields and scopes, without a sentence of it.

``python -m tests.drift.facts FOLDER`` writes those of the reference contracts in a folder to ``tests/facts``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.drift.comparison import operations, resolve, shape

FOLDER = Path(__file__).parents[1] / "facts"
APIS = ("moov", "stripe")
_LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties")


def walk(operation: Mapping[str, Any], doc: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every field of an operation: its path, its type, and its :func:`shape`.

    A path is ``path/id``, ``query/limit``, ``header/…``, ``request/evidence/receipt`` or
    ``answer/data/items/status``.
    """
    for raw in operation.get("parameters", []):
        parameter = resolve(raw, doc)
        yield from _below(f"{parameter['in']}/{parameter['name']}", parameter["schema"], doc)
    answers = [("answer", each) for status, each in operation["responses"].items() if status[0] == "2"]
    for at, body in [("request", operation.get("requestBody", {})), *answers]:
        for content in resolve(body, doc).get("content", {}).values():
            yield from _below(at, content.get("schema", {}), doc)


def _below(at: str, schema: dict[str, Any], doc: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, rules in shape(schema, doc).items():
        yield at, kind, rules
        if kind == "array":
            yield from _below(f"{at}/items", rules["items"], doc)
        elif kind == "object":
            for name, child in rules.get("properties", {}).items():
                yield from _below(f"{at}/{name}", child, doc)


def facts(doc: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts of each operation of a document that the APIs' own clients do not tell.

    :returns: by operation: ``call``, ``statuses`` of its answers, ``scopes``, the paths of ``required``
        fields, and the ``limits`` of what is sent, by path.
    """
    return {name: _facts(call, operation, doc) for name, (call, operation) in operations(doc).items()}


def _facts(call: str, operation: Mapping[str, Any], doc: dict[str, Any]) -> dict[str, Any]:
    limits: dict[str, dict[str, Any]] = {}
    required = {
        f"{parameter['in']}/{parameter['name']}"
        for raw in operation.get("parameters", [])
        if (parameter := resolve(raw, doc)).get("required")
    }
    for path, kind, rules in walk(operation, doc):
        found = {name: rules[name] for name in _LIMITS if name in rules}
        if found and not path.startswith("answer"):
            limits.setdefault(path, {}).update(found)
        if kind == "object":
            required |= {f"{path}/{name}" for name in rules["required"]}
    scopes = set(re.findall(r"`(/\S+?\.(?:read|write))` scope", operation.get("description", "")))
    scopes |= {scope for choice in operation.get("security", []) for scope in choice.get("oauth2", [])}
    return {
        "call": call,
        "statuses": sorted(operation["responses"]),
        "scopes": sorted(scopes),
        "required": sorted(required),
        "limits": {path: limits[path] for path in sorted(limits)},
    }


def main(folder: Path) -> None:
    """Write the facts of the reference contracts in a folder."""
    FOLDER.mkdir(exist_ok=True)
    for api in APIS:
        doc = json.loads((folder / f"{api}-disputes.openapi.json").read_text("utf-8"))
        (FOLDER / f"{api}.json").write_text(_lines(facts(doc)), "utf-8")


def _lines(found: dict[str, dict[str, Any]]) -> str:
    """JSON with a line for each kind of fact of an operation."""
    operations = [
        f'"{name}": {{\n' + ",\n".join(f'  "{key}": {json.dumps(each[key])}' for key in each) + "\n}"
        for name, each in sorted(found.items())
    ]
    return "{\n" + ",\n".join(operations) + "\n}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
