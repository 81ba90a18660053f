"""Validate data against a JSON Schema. Report every violation, and never quote a value.

Text is measured in UTF-16 code units. Three keywords are this package's own: ``x-maxTextLength`` (all text in
an object, without documents), ``x-maxBytes`` and ``x-contentTypes`` (both for files).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.formats import FORMATS
from dispute_provider._contracts.json_data import Json, escape
from dispute_provider._contracts.lengths import document_names, text_of_others, utf16_units
from dispute_provider._contracts.screening import Screen
from dispute_provider.exceptions import Violation


def _max_length(validator: Any, limit: int, instance: Any, schema: Json) -> Iterator[ValidationError]:
    if isinstance(instance, str) and len(instance) * 2 > limit and (units := utf16_units(instance)) > limit:
        yield ValidationError(f"has {units:,} characters")


def _max_text_length(validator: Any, limit: int, instance: Any, schema: Json) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping) and (units := text_of_others(document_names(schema), instance)) > limit:
        yield ValidationError(f"contains {units:,} characters of text in total")


def _max_bytes(validator: Any, limit: int, instance: Any, schema: Json) -> Iterator[ValidationError]:
    if isinstance(instance, FilePart) and (size := len(instance.content)) > limit:
        yield ValidationError(f"has {size:,} bytes")


def _content_types(
    validator: Any, allowed: list[str], instance: Any, schema: Json
) -> Iterator[ValidationError]:
    if isinstance(instance, FilePart) and instance.content_type not in allowed:
        yield ValidationError(f"is a file of type {ascii(instance.content_type)[1:-1][:80]}")


def _type(validator: Any, types: Any, instance: Any, schema: Json) -> Iterator[ValidationError]:
    """Accept a file only where the contract describes one, and only a file there."""
    if isinstance(instance, FilePart) != ("x-maxBytes" in schema):
        yield ValidationError(
            "", validator="type", validator_value="a file" if "x-maxBytes" in schema else types
        )
    elif not isinstance(instance, FilePart):
        yield from _standard_type(validator, types, instance, schema)


_standard_type = Draft202012Validator.VALIDATORS["type"]
_StrictValidator = extend(
    Draft202012Validator,
    {
        "maxLength": _max_length,
        "type": _type,
        "x-maxTextLength": _max_text_length,
        "x-maxBytes": _max_bytes,
        "x-contentTypes": _content_types,
    },
)


@dataclass(frozen=True)
class _Checks:
    """The validators of one schema, each created on first use."""

    schema: Json

    @cached_property
    def screen(self) -> Screen:
        return Screen(self.schema)

    @cached_property
    def validator(self) -> Validator:
        return _StrictValidator(self.schema, format_checker=FORMATS)


# By the id of the schema. It cannot be reused, because _Checks keeps the schema alive.
_checks: dict[int, _Checks] = {}


def violations(schema: Json, instance: Any) -> list[Violation]:
    """Return every violation of a schema, sorted by JSON pointer; empty if there is none."""
    if (checks := _checks.get(id(schema))) is None:
        checks = _checks[id(schema)] = _Checks(schema)
    if checks.screen.passes(instance):
        return []
    errors = checks.validator.iter_errors(instance)
    found = {violation for error in errors for violation in _explain(error)} | set(_unencodable(instance))
    return sorted(found, key=lambda violation: (violation.pointer, violation.problem))


def wrong_with_value(schema: Json, value: Any) -> list[Violation]:
    """Return the violations of one value, without a look at its members or items.

    A string must also be encodable as UTF-8. The pointers of the violations are empty.

    :param schema: without keywords about members and items.
    """
    errors = _StrictValidator(schema, format_checker=FORMATS).iter_errors(value)
    found = [violation for error in errors for violation in _explain(error)]
    return found + list(_unencodable(value) if isinstance(value, str) else ())


def _unencodable(value: Any, pointer: str = "") -> Iterator[Violation]:
    """Find lone surrogates. UTF-8 cannot encode them, so they cannot be sent to an API unchanged."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            yield Violation(
                pointer, f"has a lone surrogate at character {error.start}", "use complete Unicode characters"
            )
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unencodable(str(key), f"{pointer}/{escape(key)!a}")
            yield from _unencodable(item, f"{pointer}/{escape(key)}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unencodable(item, f"{pointer}/{index}")


def _pointer(path: Iterable[Any]) -> str:
    return "".join(f"/{escape(token)}" for token in path)


def _explain(error: ValidationError) -> Iterator[Violation]:
    """Yield the violations in a jsonschema error, in our own words, which never quote the value."""
    nearest = _nearest_branch(error) if error.validator in ("anyOf", "oneOf") else []
    if nearest:
        for suberror in nearest:
            yield from _explain(suberror)
    elif [*error.relative_schema_path][-2:-1] == ["propertyNames"]:
        about_key = _in_our_words(error)
        yield replace(about_key, problem=f"one of its keys {about_key.problem}")
    else:
        yield _in_our_words(error)


def _in_our_words(error: ValidationError) -> Violation:
    pointer = _pointer(error.absolute_path)
    limit: Any = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in limit if name not in error.instance]
            return Violation(pointer, "required but missing: " + ", ".join(missing), "provide a value")
        case "additionalProperties":
            known = sorted(error.schema.get("properties", {}))
            unknown = sorted(str(name) for name in error.instance if name not in known)
            return Violation(
                pointer,
                "unknown: " + ", ".join(ascii(name)[1:-1][:60] for name in unknown),
                "must be one of: " + ", ".join(known) if known else "must be empty",
            )
        case "type":
            return Violation(
                pointer,
                f"is {_type_name(error.instance)}",
                f"must be {_type_names([error.schema])}" if limit != "a file" else "must be a file",
            )
        case "enum" | "const":
            choices = limit if isinstance(limit, list) else [limit]
            return Violation(
                pointer, "is not an allowed value", "must be one of: " + ", ".join(map(repr, choices))
            )
        case "maxLength" | "x-maxTextLength":
            return Violation(pointer, error.message, f"at most {limit:,} are allowed: shorten it")
        case "anyOf" | "oneOf":
            kinds = _type_names(limit)
            return Violation(
                pointer, f"is {_type_name(error.instance)}", f"must be {kinds or 'another type'}"
            )
        case "x-contentTypes":
            return Violation(pointer, error.message, "must be " + " or ".join(limit))
        case "x-maxBytes":
            return Violation(pointer, error.message, f"at most {limit:,} are allowed: use a smaller file")
        case "minLength" | "minItems" | "minProperties":
            return Violation(pointer, "is too short or empty", f"at least {limit} required")
        case "maxItems" | "maxProperties":
            return Violation(
                pointer, f"has {len(error.instance):,} entries", f"at most {limit:,} are allowed"
            )
        case "minimum" | "maximum":
            bound = "at least" if error.validator == "minimum" else "at most"
            return Violation(pointer, f"is {error.instance}", f"must be {bound} {limit}")
        case "pattern" | "format":
            return Violation(
                pointer, "has the wrong format", error.schema.get("x-form") or f"must match {limit}"
            )
        case _:
            return Violation(pointer, f"violates {error.validator}", f"{error.validator}: {limit!r}"[:200])


def _nearest_branch(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the first alternative whose type matches the value: the one its author meant."""
    branches: dict[int, list[ValidationError]] = {}
    for suberror in error.context:
        branches.setdefault(suberror.relative_schema_path[0], []).append(suberror)
    meant = [
        suberrors
        for suberrors in branches.values()
        if not any(s.validator in ("type", "enum", "const") and not s.relative_path for s in suberrors)
    ]
    return meant[0] if meant else []


_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
}


def _type_names(schemas: Iterable[Json]) -> str:
    """Return the types that schemas accept as text for an error message, such as ``a string or a list``."""
    given = (schema.get("type", []) for schema in schemas)
    types = (name for each in given for name in ([each] if isinstance(each, str) else each))
    return " or ".join(dict.fromkeys(_TYPES.get(name, name) for name in types))


def _type_name(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    kind = names.get(type(value))
    return _TYPES[kind] if kind else "empty" if value is None else type(value).__name__
