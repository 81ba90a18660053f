"""Edit successful answers: set, remove or replace fields, to imitate an API's oddities and bugs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dispute_provider.sandbox._wire import Call, Response, json_bytes

# Members with an object's id, the most specific first: an item of evidence also has its dispute's id.
_IDS = ("evidenceID", "disputeID", "id", "accountID")


@dataclass(slots=True)
class Oddity:
    """One edit of every answer with an object, whether alone, in a list or expanded.

    :param of: the id of the object; None, the default, to edit the answer's body.
    :param operation: only edit answers to this operation; None, the default, for all.
    :param remove: JSON pointers (RFC 6901) of the members to remove.
    :param set: values by JSON pointer; the pointer "" replaces the object.
    """

    of: str | None = None
    operation: str | None = None
    remove: list[str] = field(default_factory=list)
    set: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Oddity:
        """Read an edit.

        :raises ValueError: for an unknown field or a malformed pointer.
        """
        if unknown := given.keys() - {item.name for item in fields(cls)}:
            raise ValueError(f"unknown oddity field {', '.join(sorted(unknown))}")
        oddity = cls(**given)
        for pointer in (*oddity.remove, *filter(None, oddity.set)):
            if not pointer.startswith("/"):
                raise ValueError(f"{pointer!r} is not a JSON pointer to a member")
        return oddity

    def describe(self) -> dict[str, Any]:
        return asdict(self)

    def edit(self, value: Any) -> Any:
        """Return a value with every matching object edited."""
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
    """The current edits, in the order in which they were added."""

    def __init__(self) -> None:
        self.rules: list[Oddity] = []

    def apply(self, call: Call, answer: Response) -> Response:
        """Return the edited answer; errors and files are not edited."""
        rules = [rule for rule in self.rules if rule.operation in (None, call.operation)]
        if not rules or not 200 <= answer.status < 300 or answer.content_type != "application/json":
            return answer
        body = json.loads(answer.body)
        for rule in rules:
            body = rule.apply(body)
        return Response(answer.status, json_bytes(body), answer.headers, answer.content_type)


def _put(value: Any, pointer: str, item: Any, *, remove: bool = False) -> None:
    """Set or remove the value at a pointer; a pointer to a missing member has no effect."""
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
