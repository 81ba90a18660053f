"""Convert evidence between Stripe's answers and requests and this package's :class:`Evidence`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, fields, groups, lists
from dispute_provider._contracts.json_data import Json
from dispute_provider._evidence.file_types import BY_SUFFIX
from dispute_provider._evidence.merging import Merged
from dispute_provider._evidence.snapshot import Evidence, Snapshot, canonical_json, contents


def params(contract: Contract) -> Mapping[str, Json]:
    """Return the schemas of the evidence that a request accepts, by name."""
    return fields(contract, "DisputeEvidenceParams")


def held(contract: Contract, evidence: Mapping[str, Any]) -> list[Evidence]:
    """Return the pieces in a dispute's ``evidence``, without empty members.

    :param evidence: as the API sent it. A member is a text, a file's id, an expanded file, or an object. Any
        other value is converted to a text: its JSON.
    """
    known = params(contract)
    found = [
        piece_of(name, value, is_file=known.get(name, {}).get("x-kind") in ("file", "files"))
        for name, value in _flat(contract, evidence)
    ]
    return [piece for piece in found if piece]


def _flat(contract: Contract, evidence: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each non-empty member with its name; those of groups with their paths, lists of files split."""
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
    """Convert one member of a dispute's ``evidence``; return None if it is empty."""
    if not isinstance(value, str):
        value = without_nothing(value)
    if not value:
        return None
    if isinstance(value, str):
        return Evidence(name, id=value) if is_file else Evidence(name, text=value)
    if not isinstance(value, Mapping):
        return Evidence(name, text=canonical_json(value).decode())
    if not is_file:
        return Evidence(name, value=value)
    # The API's type of a file is its file name extension.
    file_type = BY_SUFFIX.get(value.get("type") or "")
    return Evidence(
        name,
        id=value["id"],
        filename=value.get("filename"),
        size=value.get("size"),
        content_type=file_type.content_type if file_type else None,
        expires=datetime.fromtimestamp(value["expires_at"], UTC) if value.get("expires_at") else None,
    )


def changes(contract: Contract, before: Snapshot, merged: Merged, files: Iterable[str]) -> dict[str, Any]:
    """Return the evidence to send, by name; an empty text clears a field.

    Only a whole object can be cleared. The dispute after the write shows what remains of one.

    :param files: the ids of the missing documents, in their order.
    """
    ids = iter(files)
    listed = lists(contract)
    evidence: dict[str, Any] = {held.name: "" for held in merged.stale}
    evidence |= _changed_lists(before, merged, listed)
    for piece in merged.missing:
        if piece.document is not None:
            file = next(ids)
            evidence[piece.name] = [*evidence[piece.name], file] if piece.name in listed else file
        elif piece.value is not None:
            evidence[piece.name] = {**(evidence.get(piece.name) or {}), **piece.value}
        else:
            evidence[piece.name] = piece.text
    for piece in merged.wanted:
        if piece.value is not None and evidence.get(piece.name) == "":
            del evidence[piece.name]
    return evidence


def _changed_lists(before: Snapshot, merged: Merged, names: Collection[str]) -> dict[str, Any]:
    """Return the lists of files that change, without new files. A list is always sent in full."""
    gone = {held.id for held in merged.stale}
    missing = {piece.name for piece in merged.missing}
    changed = missing.union(held.name for held in merged.stale).intersection(names)
    kept = {
        name: [held.id for held in before.evidence if held.name == name and held.id not in gone]
        for name in changed
    }
    return {name: files if files or name in missing else "" for name, files in kept.items()}


def sendable(contract: Contract, evidence: Iterable[Evidence]) -> dict[str, Any]:
    """Return evidence for a request.

    Evidence with members that the contract does not describe is left out. The API has it already, and keeps
    it.
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
    """Return evidence in the nested structure of a request.

    A list of files is always sent in full, because Stripe does not document whether a request adds to the
    list.

    :param evidence: by name or path; an empty text clears the field.
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
    """Return whether the contract describes every member of a value."""
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
    """Return a value without nulls and empty parts; None if nothing is left."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        kept = {name: without_nothing(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, "", {}, [])} or None
    if isinstance(value, list):
        return [without_nothing(item) for item in value] or None
    return value
