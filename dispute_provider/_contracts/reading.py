"""Read an answer by need: what no code relies on never makes an answer unusable. Pure.

An answer's schema says what is needed:

- ``required``: without it the object is unusable;
- ``x-expected``: the API documents that it always sends it; its absence is a warning;
- ``x-mustRead``: members (a list of names, or ``true`` for all) or items (``true``) that may be absent, but
  must be readable where they are present, because leaving them out would change what the object means.

Null stays null and counts as absent, unless the schema of the member allows null. Any other member that does
not fit its schema is left out with a warning, and so is an item of a list. Unknown members pass as they are;
unknown values (``x-knownValues``) pass with a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dispute_provider._contracts.json_data import Json, holds_json
from dispute_provider._contracts.screening import Screen
from dispute_provider._contracts.validation import escape, wrong_with_value
from dispute_provider.exceptions import Violation

# Keywords that the reader itself applies; the others are those of a single value.
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
    """An item of a list that cannot be used.

    :param within: JSON pointer to the list.
    :param index: its place there, from 0.
    :param item: the item as the API sent it.
    :param problem: what is wrong with it, with JSON pointers relative to the item.
    """

    within: str
    index: int
    item: Any = field(repr=False)
    problem: str


class Reading(NamedTuple):
    """What was read of an answer. A tuple is the quickest to make, and each answer makes one.

    :param value: the answer without what was left out.
    :param problems: why the answer cannot be used; empty if it can.
    :param warnings: what was left out, is missing or has an unknown value, each with its JSON pointer.
    :param broken: the items of lists that were left out.
    :param is_recognized: whether it is at least a list, or has a member, that the contract describes. What
        is not may be a gateway's, and another try may help.
    """

    value: Any
    problems: Sequence[Violation] = ()
    warnings: tuple[str, ...] = ()
    broken: tuple[BrokenItem, ...] = ()
    is_recognized: bool = True

    @property
    def explanation(self) -> str:
        """The problems in one line, at most five of them."""
        return _explained(self.problems)


# By the id of the schema, which stays its own as long as the schema is kept.
_screens: dict[int, Screen] = {}


def read(schema: Json, data: Any, *, is_json: bool) -> Reading:
    """Read an answer by its schema.

    :param is_json: whether the data is known to be just what JSON in UTF-8 can hold.
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
    """Reads one answer, and collects what is to be said about it."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self.warnings: list[str] = []
        self.broken: list[BrokenItem] = []

    def read(self, schema: Json, value: Any, pointer: str) -> Any:
        """The value without what was left out.

        :raises _UnusableError: if it cannot be used.
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
        """Whether a value, or an item of it where a list is due, has a member that the schema describes."""
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
        if value and not kept and "items" in schema and not self.recognizes(schema, value):
            # A gateway's answer, not a list of broken items.
            problems.append(Violation(pointer, "lists nothing that the contract describes", ""))
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
            # A gateway's answer, not a list of broken items.
            problems.append(Violation(pointer, "lists nothing that the contract describes", ""))
        if problems:
            raise _UnusableError(problems)
        return kept

    def _unknown(self, value: Any, pointer: str) -> Any:
        """A value that the contract says nothing about, if it can be encoded again."""
        try:
            if holds_json(value):
                return value
        except (ValueError, RecursionError):
            pass
        raise _UnusableError([Violation(pointer, "has no form in UTF-8, or is nested too deeply", "")])

    def _schema_for(self, schema: Json, value: Any) -> Json:
        """The schema with its references followed; of alternatives, the one for the value's type."""
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
    said = f"{problem.pointer or '/'} {problem.problem}"
    return f"{said}, {problem.remedy}" if problem.remedy else said


def _explained(problems: Sequence[Violation]) -> str:
    return " | ".join(map(_text, problems[:5]))
