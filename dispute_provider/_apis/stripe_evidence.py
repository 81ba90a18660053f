"""Evidence as Stripe's answers hold it, and as its requests take it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, fields, groups, lists
from dispute_provider._contracts.json_data import Json
from dispute_provider._evidence.file_types import BY_SUFFIX
from dispute_provider._evidence.snapshot import Evidence, canonical_json, contents


def params(contract: Contract) -> Mapping[str, Json]:
    """The schemas of the evidence that a request takes, by name."""
    return fields(contract, "DisputeEvidenceParams")


def held(contract: Contract, evidence: Mapping[str, Any]) -> Iterator[Evidence]:
    """Yield what a dispute's ``evidence`` holds, piece by piece; members that hold nothing are left out.

    :param evidence: as the API sent it. A member is a text, a file's id, an expanded file, or a structure.
        What is none of these, of a name that we do not know, is held as its JSON.
    """
    known = params(contract)
    for name, value in _flat(contract, evidence):
        is_file = known.get(name, {}).get("x-kind") in ("file", "files")
        if piece := piece_of(name, value, is_file=is_file):
            yield piece


def _flat(contract: Contract, evidence: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each filled member with its name, those of groups under their paths, each file of a list."""
    for member, value in evidence.items():
        if not value:
            # Most of the fields of a dispute are empty.
            continue
        name = f"{group}{member}"
        if name in groups(contract) and isinstance(value, Mapping):
            yield from _flat(contract, value, f"{name}{SEPARATOR}")
        elif name in lists(contract) and isinstance(value, list):
            yield from ((name, item) for item in value)
        else:
            yield name, value


def piece_of(name: str, value: Any, *, is_file: bool) -> Evidence | None:
    """Read one member of a dispute's ``evidence``; None where it holds nothing."""
    if not (value := without_nothing(value)):
        return None
    if isinstance(value, str):
        return Evidence(name, id=value) if is_file else Evidence(name, text=value)
    if not isinstance(value, Mapping):
        return Evidence(name, text=canonical_json(value).decode())
    if not is_file:
        return Evidence(name, value=value)
    # The API names a file's type by its usual ending.
    file_type = BY_SUFFIX.get(value.get("type") or "")
    return Evidence(
        name,
        id=value["id"],
        filename=value.get("filename"),
        size=value.get("size"),
        content_type=file_type.content_type if file_type else None,
        expires=datetime.fromtimestamp(value["expires_at"], UTC) if value.get("expires_at") else None,
    )


def sendable(contract: Contract, evidence: Iterable[Evidence]) -> dict[str, Any]:
    """Evidence as a request takes it.

    What has members that the contract does not know is left out: it is at the API, and stays there.
    """
    known = params(contract)
    return nested(
        contract,
        contents(
            entry
            for entry in evidence
            if entry.name in known and _is_known(contract, known[entry.name], entry.content)
        ),
    )


def nested(contract: Contract, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence by name as a request nests it.

    A list of files is sent whole, for Stripe's documents do not say whether one is added to what is there.

    :param evidence: by name; an empty text clears.
    """
    request: dict[str, Any] = {}
    for name, value in evidence.items():
        *path, member = name.split(SEPARATOR)
        place = request
        for step in path:
            place = place.setdefault(step, {})
        is_alone = name in lists(contract) and isinstance(value, str) and value
        place[member] = [value] if is_alone else value
    return request


def _is_known(contract: Contract, schema: Json, value: Any) -> bool:
    """Whether the contract knows every member of a structure."""
    schema = contract.resolve(schema)
    if isinstance(value, Mapping):
        members = schema.get("properties", {})
        return all(
            name in members and _is_known(contract, members[name], item) for name, item in value.items()
        )
    if isinstance(value, list):
        return all(_is_known(contract, schema.get("items", {}), item) for item in value)
    return True


def without_nothing(value: Any) -> Any:
    """A structure without its nulls and empty parts: what the API holds, not what it could hold."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        kept = {name: without_nothing(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, "", {}, [])} or None
    if isinstance(value, list):
        return [without_nothing(item) for item in value] or None
    return value
