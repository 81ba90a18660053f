"""Edits to successful answers: fields nulled, removed or replaced, as an API's oddities or bugs would."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dispute_provider.sandbox._wire import Call, Response, json_bytes

# The member that names an object, the most particular first: an item of evidence names its dispute as well.
_IDS = ("evidenceID", "disputeID", "id", "accountID")


@dataclass(slots=True)
class Oddity:
    """One edit of every answer in which an object appears, whether alone, in a list or expanded.

    :param of: the id of the object; None edits the answer's body itself.
    :param operation: only answers to this operation; None for all.
    :param remove: JSON pointers (RFC 6901) of what is left out.
    :param set: values by JSON pointer; the pointer "" replaces the object itself.
    """

    of: str | None = None
    operation: str | None = None
    remove: list[str] = field(default_factory=list)
    set: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Oddity:
        """Raises ValueError on an unknown field or a malformed pointer."""
        if unknown := given.keys() - {item.name for item in fields(cls)}:
            raise ValueError(f"no oddity field {', '.join(sorted(unknown))}")
        oddity = cls(**given)
        for pointer in (*oddity.remove, *filter(None, oddity.set)):
            if not pointer.startswith("/"):
                raise ValueError(f"{pointer!r} is not a JSON pointer to a member")
        return oddity

    def describe(self) -> dict[str, Any]:
        return asdict(self)

    def edit(self, value: Any) -> Any:
        """The value with every object that this is about edited."""
        if isinstance(value, dict):
            value = {name: self.edit(item) for name, item in value.items()}
            named = next((value[name] for name in _IDS if name in value), None)
            return self._edited(value) if self.of is not None and named == self.of else value
        return [self.edit(item) for item in value] if isinstance(value, list) else value

    def apply(self, body: Any) -> Any:
        return self._edited(body) if self.of is None else self.edit(body)

    def _edited(self, value: Any) -> Any:
        for pointer in self.remove:
            _put(value, pointer, None, remove=True)
        for pointer, item in self.set.items():
            if not pointer:
                return item
            _put(value, pointer, item)
        return value


class Oddities:
    """The edits in force, in the order in which they were added."""

    def __init__(self) -> None:
        self.rules: list[Oddity] = []

    def apply(self, call: Call, answer: Response) -> Response:
        """The answer that goes out; errors and files stay as they are."""
        rules = [rule for rule in self.rules if rule.operation in (None, call.operation)]
        if not rules or not 200 <= answer.status < 300 or answer.content_type != "application/json":
            return answer
        body = json.loads(answer.body)
        for rule in rules:
            body = rule.apply(body)
        return Response(answer.status, json_bytes(body), answer.headers, answer.content_type)


def _put(value: Any, pointer: str, item: Any, *, remove: bool = False) -> None:
    """Set or remove what a pointer leads to; a pointer that leads nowhere does nothing."""
    *path, last = (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
    for token in path:
        value = _member(value, token)
    if isinstance(value, dict):
        if remove:
            value.pop(last, None)
        else:
            value[last] = item
    elif isinstance(value, list) and last.isdecimal() and int(last) < len(value):
        if remove:
            del value[int(last)]
        else:
            value[int(last)] = item


def _member(value: Any, token: str) -> Any:
    if isinstance(value, dict):
        return value.get(token)
    if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
        return value[int(token)]
    return None
