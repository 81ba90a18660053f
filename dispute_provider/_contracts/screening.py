"""Accept most valid data with a compiled validator, which is hundreds of times faster.

The compiled validator supports only standard keywords. Our own keywords are therefore translated into
standard ones that are at least as strict. Data that passes is valid and needs no warning. Data that does not
pass may still be valid, and must be validated in full. Negation would reverse the strictness, so contracts
must not use our keywords inside ``not``, ``if`` or ``oneOf``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from jsonschema_rs import Draft202012Validator

from dispute_provider._contracts.formats import FORMATS, LAST_UNIX_TIME, PATTERNS
from dispute_provider._contracts.json_data import Json, holds_json
from dispute_provider._contracts.lengths import document_names, text_of_others

_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs")
_LISTS = ("allOf", "anyOf", "prefixItems")
_SINGLE = ("items", "contains", "additionalProperties", "propertyNames", "then", "else")


class _Pattern:
    """The keyword ``pattern``, with the semantics of Python's regular expressions."""

    def __init__(self, schema: Json, pattern: str, path: list[Any]) -> None:
        self._search = re.compile(pattern).search

    def validate(self, instance: Any) -> None:
        if isinstance(instance, str) and not self._search(instance):
            raise ValueError


class _MaxTextLength:
    def __init__(self, schema: Json, limit: int, path: list[Any]) -> None:
        self._documents, self._limit = document_names(schema), limit

    def validate(self, instance: Any) -> None:
        if isinstance(instance, dict) and text_of_others(self._documents, instance) > self._limit:
            raise ValueError


class Screen:
    """The compiled validator of one schema.

    :param answer: whether the schema is that of an answer; False by default. In an answer, null counts as
        absent in members that are neither ``required`` nor ``x-expected``.
    """

    def __init__(self, schema: Json, *, answer: bool = False) -> None:
        self._validator = Draft202012Validator(
            _standard(schema, nulls=answer),
            formats={"date": partial(FORMATS.conforms, format="date")},
            validate_formats=True,
            keywords={"x-pattern": _Pattern, "x-maxTextLength": _MaxTextLength},
        )

    def passes(self, instance: Any, *, is_json: bool = False) -> bool:
        """Return whether data is valid and needs no warning. False does not mean that it is invalid.

        :param is_json: whether it is already known that JSON in UTF-8 can represent the data; False by
            default.
        """
        try:
            return (is_json or holds_json(instance)) and self._validator.is_valid(instance)
        except (ValueError, RecursionError):
            # JSON or UTF-8 cannot represent the data.
            return False


def _standard(schema: Any, *, nulls: bool) -> Any:
    """Return a schema with our keywords translated into standard ones."""
    if not isinstance(schema, dict):
        return schema
    if "x-maxBytes" in schema:
        # Not JSON: leave files to the full validation.
        return False
    plain: Json = {}
    rules: list[Json] = []
    for keyword, value in schema.items():
        match keyword:
            case "components":
                plain[keyword] = {"schemas": _each(value["schemas"], nulls)}
            case "maxLength":
                # JSON Schema counts code points. Only those above U+FFFF count as two UTF-16 code units.
                single = {"maxLength": value, "pattern": r"^[\u0000-\uffff]*$"}
                rules.append({"anyOf": [{"maxLength": value // 2}, single]})
            case "pattern":
                plain["x-pattern"] = value
            case "format" if value == "unix-time":
                rules.append({"minimum": 0, "maximum": LAST_UNIX_TIME})
            case "format" if value in PATTERNS:
                rules.append({"pattern": PATTERNS[value]})
            case "format" if value != "date":
                pass
            case "x-knownValues":
                rules.append({"if": {"type": "string"}, "then": {"enum": value}})
            case "x-expected":
                rules.append({"required": value})
            case "properties" if nulls:
                always = {*schema.get("required", ()), *schema.get("x-expected", ())}
                plain[keyword] = {
                    name: member if name in always else _or_null(member)
                    for name, member in _each(value, nulls).items()
                }
            case _ if keyword in _MAPS:
                plain[keyword] = _each(value, nulls)
            case _ if keyword in _LISTS:
                plain[keyword] = [_standard(each, nulls=nulls) for each in value]
            case _ if keyword in _SINGLE:
                plain[keyword] = _standard(value, nulls=nulls)
            case _:
                plain[keyword] = value
    return plain | {"allOf": [*plain.get("allOf", ()), *rules]} if rules else plain


def _or_null(schema: Any) -> Json:
    if not isinstance(schema, dict) or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*types, "null"]} if "null" not in types else schema


def _each(schemas: Json, nulls: bool) -> Json:
    return {name: _standard(schema, nulls=nulls) for name, schema in schemas.items()}
