"""Every place of an answer where a text may be, by the contract's schema."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from dispute_provider._contracts.contract import Contract, Operation
from dispute_provider._contracts.json_data import Json
from dispute_provider._contracts.redaction import SHOWN

TEXT = "Jane Roe lives at 1 Elm Street"
Step = str | int
Path = tuple[Step, ...]


def string_paths(
    api: Contract, schema: Json, path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], Json]]:
    """Each place of an answer where a text may be, with its schema; and a member that no schema has."""
    schema = api.resolve(schema)
    for branch in schema.get("anyOf", ()):
        yield from string_paths(api, branch, path)
    types = schema.get("type", ())
    if "string" in ([types] if isinstance(types, str) else types):
        yield path, schema
    if "properties" in schema:
        for name, member in {**schema["properties"], "no_such_member": {"type": "string"}}.items():
            yield from string_paths(api, member, (*path, name))
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield from string_paths(api, others, (*path, "another"))
    if "items" in schema:
        yield from string_paths(api, schema["items"], (*path, 0))


def planted(value: Any, path: tuple[Step, ...], text: str) -> Any:
    """An answer with a text at a place, which is made where the answer has not got it."""
    if not path:
        return text
    step, *rest = path
    if isinstance(step, int):
        return [planted(value[0] if isinstance(value, list) and value else None, tuple(rest), text)]
    # An id becomes the object that it names, as APIs expand one.
    kept = value if isinstance(value, dict) else {"id": value if isinstance(value, str) else "id_1"}
    return {**kept, step: planted(kept.get(step), tuple(rest), text)}


def example_of(operation: Operation) -> Any:
    _, success = success_of(operation)
    return copy.deepcopy(success["content"]["application/json"]["example"])


def is_shown(schema: Json) -> bool:
    return schema.get("x-role") in SHOWN


def success_of(operation: Operation) -> tuple[int, Json]:
    """Return the status of an operation's success, and its description in the contract."""
    responses = operation.document["responses"]
    code = next(code for code in responses if code.startswith("2"))
    return int(code), operation.contract.resolve(responses[code])


def hidden_paths(operation: Operation) -> Iterator[tuple[Path, Json]]:
    """Yield the places of an operation's answer whose texts may not be shown."""
    for path, schema in string_paths(operation.contract, operation.success_schema or {}):
        if not is_shown(schema):
            yield path, schema


def apart(paths: Iterable[Path]) -> list[list[Path]]:
    """Return groups of paths, none of which leads through another of its group."""
    groups: list[list[Path]] = []
    for path in paths:
        for group in groups:
            if not any(path[: len(other)] == other or other[: len(path)] == path for other in group):
                group.append(path)
                break
        else:
            groups.append([path])
    return groups
