"""Validate an answer leniently: a problem with data that no code needs does not make it unusable. Pure.

The schema of the answer states what is needed:

- ``required``: if the member is missing or malformed, the object is unusable.
- ``x-expected``: the API documents the member as always present. If it is missing, a warning is returned.
- ``x-mustRead``: members (a list of names, or ``true`` for all) or items (``true``) that may be absent. If
  one is present but malformed, the object is unusable, because its meaning would change without that member
  or item.

Null is kept, and counts as absent unless the member's schema allows it. Any other malformed member or item is
removed with a warning. Unknown members are kept unchanged. Unknown values (``x-knownValues``) are kept with a
warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dispute_provider._contracts.json_data import Json, escape, holds_json
from dispute_provider._contracts.screening import Screen
from dispute_provider._contracts.validation import wrong_with_value
from dispute_provider.exceptions import Violation

# Keywords that _Reader applies itself. The others apply to a single value.
_STRUCTURE = frozenset(
    ("$ref", "anyOf", "components", "properties", "additionalProperties", "required", "items")
)
_JSON_TYPES: dict[type, frozenset[str]] = {
    type(None): frozenset(["null"]),
    bool: frozenset(["boolean"]),
    int: frozenset(["integer", "number"]),
    float: frozenset(["number"]),
    str: frozenset(["string"]),
    list: frozenset(["array"]),
    dict: frozenset(["object"]),
}


@dataclass(frozen=True, slots=True)
class BrokenItem:
    """An unusable item of a list.

    :param within: JSON pointer to the list.
    :param index: its index in the list, from 0.
    :param item: the item as the API sent it.
    :param problem: what is wrong with it, with JSON pointers relative to the item.
    """

    within: str
    index: int
    item: Any = field(repr=False)
    problem: str


class Reading(NamedTuple):
    """The result of reading an answer. (A tuple, because it is the fastest to create.)

    :param value: the answer without its unusable members and items.
    :param problems: why the answer is unusable; empty if it is usable.
    :param warnings: what was removed, is missing or has an unknown value, each with its JSON pointer.
    :param broken: the items that were removed from lists.
    :param is_recognized: whether the answer has at least one member, or is a list, that the contract
        describes. Otherwise a gateway may have answered, and a retry may help.
    """

    value: Any
    problems: Sequence[Violation] = ()
    warnings: tuple[str, ...] = ()
    broken: tuple[BrokenItem, ...] = ()
    is_recognized: bool = True

    @property
    def explanation(self) -> str:
        """The first five problems, on one line."""
        return _explained(self.problems)


# By the id of the schema. Contracts keep their schemas alive, so an id is not reused.
_screens: dict[int, Screen] = {}


def read(schema: Json, data: Any, *, is_json: bool) -> Reading:
    """Read an answer.

    :param schema: the schema of the answer, with ``components``.
    :param data: the decoded answer.
    :param is_json: whether the decoder guarantees that JSON in UTF-8 can represent the data.
    """
    if (screen := _screens.get(id(schema))) is None:
        screen = _screens[id(schema)] = Screen(schema, answer=True)
    if screen.passes(data, is_json=is_json):
        return Reading(data)
    reader = _Reader(schema)
    try:
        value = reader.read(schema, data, "")
    except _UnusableError as unusable:
        recognized = reader.recognizes(schema, data)
        return Reading(None, unusable.problems, is_recognized=recognized)
    except RecursionError:
        return Reading(None, [Violation("", "is nested too deeply", "")], is_recognized=False)
    return Reading(value, (), tuple(reader.warnings), tuple(reader.broken))


class _UnusableError(Exception):
    def __init__(self, problems: list[Violation]) -> None:
        self.problems = problems
        super().__init__()


class _Reader:
    """Reads one answer, and collects its warnings."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self.warnings: list[str] = []
        self.broken: list[BrokenItem] = []

    def read(self, schema: Json, value: Any, pointer: str) -> Any:
        """Return a value without its unusable members and items.

        :raises _UnusableError: if the value itself is unusable.
        """
        schema = self._schema_for(schema, value)
        if not schema:
            return self._unknown(value, pointer)
        own = {name: rule for name, rule in schema.items() if name not in _STRUCTURE}
        if found := wrong_with_value(own, value):
            raise _UnusableError([Violation(pointer, each.problem, each.remedy) for each in found])
        known = schema.get("x-knownValues")
        if known is not None and isinstance(value, str) and value not in known:
            self.warnings.append(f"{pointer or '/'} has a value that the contract does not list")
        if isinstance(value, dict):
            return self._members(schema, value, pointer)
        return self._items(schema, value, pointer) if isinstance(value, list) else value

    def recognizes(self, schema: Json, value: Any) -> bool:
        """Return whether a value, or an item of it, has a member that the schema describes."""
        schema = self._resolved(schema)
        if isinstance(value, dict):
            return not value.keys().isdisjoint(schema.get("properties", {}))
        if not isinstance(value, list) or "items" not in schema:
            return False
        items = self._resolved(schema["items"])
        return not value or "properties" not in items or any(self.recognizes(items, item) for item in value)

    def _members(self, schema: Json, value: Json, pointer: str) -> Json:
        properties: Json = schema.get("properties", {})
        others = schema.get("additionalProperties")
        required, expected = schema.get("required", ()), schema.get("x-expected", ())
        must_read = schema.get("x-mustRead", ())
        absent = {name: "is missing" for name in (*required, *expected) if name not in value}
        kept: Json = {}
        problems: list[Violation] = []
        for name, item in value.items():
            at = f"{pointer}/{escape(name) if name in properties else _printable(name)}"
            rules = properties.get(name, others if isinstance(others, dict) else {})
            if item is None and rules and not self._takes_null(rules):
                absent[name] = "is null"
                kept[name] = None
                continue
            try:
                kept[self._unknown(name, at)] = self.read(rules, item, at)
            except _UnusableError as unusable:
                if name in required or must_read is True or name in must_read:
                    problems += unusable.problems
                else:
                    self.warnings += [f"{_text(problem)}: left out" for problem in unusable.problems]
        for name, how in absent.items():
            if name in required:
                problems.append(Violation(f"{pointer}/{escape(name)}", how, ""))
            elif name in expected:
                self.warnings.append(f"{pointer}/{escape(name)} {how}")
        if problems:
            raise _UnusableError(problems)
        return kept

    def _items(self, schema: Json, value: list[Any], pointer: str) -> list[Any]:
        kept: list[Any] = []
        problems: list[Violation] = []
        for index, item in enumerate(value):
            try:
                kept.append(self.read(schema.get("items", {}), item, f"{pointer}/{index}"))
            except _UnusableError as unusable:
                if schema.get("x-mustRead"):
                    problems += unusable.problems
                    continue
                within = len(f"{pointer}/{index}")
                relative = [Violation(p.pointer[within:], p.problem, p.remedy) for p in unusable.problems]
                self.broken.append(BrokenItem(pointer, index, item, _explained(relative)))
                self.warnings += [f"{_text(problem)}: left out" for problem in unusable.problems]
        if value and not kept and "items" in schema and not self.recognizes(schema, value):
            # Probably from a gateway, and not a list of broken items.
            problems.append(Violation(pointer, "contains no item that the contract describes", ""))
        if problems:
            raise _UnusableError(problems)
        return kept

    def _unknown(self, value: Any, pointer: str) -> Any:
        """Return a value that the contract does not describe, if it can be encoded again."""
        try:
            if holds_json(value):
                return value
        except (ValueError, RecursionError):
            pass
        raise _UnusableError([Violation(pointer, "cannot be encoded as UTF-8, or is nested too deeply", "")])

    def _schema_for(self, schema: Json, value: Any) -> Json:
        """Return a schema with its ``$ref`` resolved; for ``anyOf``, the alternative for the value's type."""
        schema = self._resolved(schema)
        if "anyOf" not in schema:
            return schema
        branches = [self._schema_for(branch, value) for branch in schema["anyOf"]]
        fitting = [branch for branch in branches if _types(branch) & _JSON_TYPES[type(value)]]
        return (fitting or [{"type": sorted({name for branch in branches for name in _types(branch)})}])[0]

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            target: Any = self._root
            for token in schema["$ref"].removeprefix("#/").split("/"):
                target = target[token]
            schema = {**target, **{name: rule for name, rule in schema.items() if name != "$ref"}}
        return schema

    def _takes_null(self, schema: Json) -> bool:
        chosen = self._schema_for(schema, None)
        return not chosen or "null" in _types(chosen)


def _types(schema: Json) -> set[str]:
    given = schema.get("type", [])
    return {given} if isinstance(given, str) else set(given)


def _printable(name: str) -> str:
    return ascii(escape(name))[1:-1][:60]


def _text(problem: Violation) -> str:
    text = f"{problem.pointer or '/'} {problem.problem}"
    return f"{text}, {problem.remedy}" if problem.remedy else text


def _explained(problems: Sequence[Violation]) -> str:
    return " | ".join(map(_text, problems[:5]))
