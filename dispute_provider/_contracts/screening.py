"""Recognise most valid data with a compiled validator, hundreds of times as fast as the one that explains.

The compiled one knows JSON Schema alone. So each keyword of ours is put in words that are at least as strict:
what passes is valid, and holds nothing that the contract does not know; of what does not pass, nothing is
known yet. The strictness must not turn around: a contract keeps such keywords out of ``not``, ``if`` and
``oneOf``.
"""

from __future__ import annotations

import re
from typing import Any

from jsonschema_rs import Draft202012Validator

from dispute_provider._contracts.formats import FORMATS, LAST_UNIX_TIME
from dispute_provider._contracts.json_data import Json, holds_json
from dispute_provider._contracts.lengths import document_names, text_of_others

_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs")
_LISTS = ("allOf", "anyOf", "prefixItems")
_SINGLE = ("items", "contains", "additionalProperties", "propertyNames", "then", "else")
_OF_STRINGS = ("uuid", "date", "date-time")


class _Pattern:
    """A regular expression as Python reads it: other dialects differ in what is a space, or an end."""

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
    """One schema's.

    :param answer: whether it is an answer's, in which null stands for absent in members that are neither
        ``required`` nor ``x-expected``.
    """

    def __init__(self, schema: Json, *, answer: bool = False) -> None:
        self._validator = Draft202012Validator(
            _in_plain_words(schema, nulls=answer),
            formats={name: lambda value, name=name: FORMATS.conforms(value, name) for name in _OF_STRINGS},
            validate_formats=True,
            keywords={"x-pattern": _Pattern, "x-maxTextLength": _MaxTextLength},
        )

    def passes(self, instance: Any, *, is_json: bool = False) -> bool:
        """Whether it is valid, and there is nothing to say about it.

        :param is_json: whether it is known to be just what JSON in UTF-8 can hold.
        """
        try:
            return (is_json or holds_json(instance)) and self._validator.is_valid(instance)
        except (ValueError, RecursionError):
            # What has no form in JSON, or in UTF-8.
            return False


def _in_plain_words(schema: Any, *, nulls: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "x-maxBytes" in schema:
        # A file is no JSON.
        return False
    plain: Json = {}
    rules: list[Json] = []
    for keyword, value in schema.items():
        match keyword:
            case "components":
                plain[keyword] = {"schemas": _each(value["schemas"], nulls)}
            case "maxLength":
                # Half as many are within the limit even if each counts two.
                single = {"maxLength": value, "pattern": r"^[\u0000-\uffff]*$"}
                rules.append({"anyOf": [{"maxLength": value // 2}, single]})
            case "pattern":
                plain["x-pattern"] = value
            case "format" if value == "unix-time":
                rules.append({"minimum": 0, "maximum": LAST_UNIX_TIME})
            case "format" if value not in _OF_STRINGS:
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
                plain[keyword] = [_in_plain_words(each, nulls=nulls) for each in value]
            case _ if keyword in _SINGLE:
                plain[keyword] = _in_plain_words(value, nulls=nulls)
            case _:
                plain[keyword] = value
    return plain | {"allOf": [*plain.get("allOf", ()), *rules]} if rules else plain


def _or_null(schema: Json) -> Json:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*types, "null"]} if "null" not in types else schema


def _each(schemas: Json, nulls: bool) -> Json:
    return {name: _in_plain_words(schema, nulls=nulls) for name, schema in schemas.items()}
