"""Parse the JSON or YAML text of a case within the limits of :mod:`dispute_provider._evidence.case_size`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml

from dispute_provider._evidence.case import refused
from dispute_provider._evidence.case_size import (
    LONGEST_NUMBER,
    MAX_DEPTH,
    MAX_VALUES,
    TOO_DEEP,
    TOO_LONG_A_NUMBER,
    TOO_MANY_VALUES,
)

# libyaml is much faster. PyYAML's wheels contain it; a build from source may not.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_TYPES = {_CORE + name for name in ("str", "int", "float", "bool", "null", "seq", "map")}
_NUMBERS = {_CORE + "int", _CORE + "float"}
# Dates, and a lone "=", stay text, so that the bank reads them as they were written.
_STAY_TEXTS = {_CORE + "timestamp", _CORE + "value"}
_QUOTE = "correct it; quote any text that starts with * & ! % @ or contains ': ' or ' #'"


def parse_json(content: bytes, source: str) -> Any:
    """Parse a case in JSON.

    :param source: its name in errors.
    :raises InvalidCaseError: if it is not UTF-8, not JSON, or exceeds a limit.
    """
    try:
        return json.loads(_text(content, source))
    except json.JSONDecodeError as error:
        # The source of a line of a JSON Lines file already has its line number.
        where = f"line {error.lineno}" if b"\n" in content else f"column {error.colno}"
        raise refused(source, f"{where} is not valid JSON: {error.msg}", "correct it") from None
    except RecursionError:
        raise refused(source, *TOO_DEEP) from None
    except ValueError:
        # Python converts no more than 4,300 digits.
        raise refused(source, *TOO_LONG_A_NUMBER) from None


def parse_yaml(content: bytes, source: str) -> Any:
    """Parse a case in YAML.

    :param source: its name in errors.
    :raises InvalidCaseError: if it is not UTF-8, not YAML, not plain data, or exceeds a limit.
    """
    text = _text(content, source)
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise refused(source, f"line {line} has a control character", "remove it")
    try:
        _require_bounds(text)
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader
    except _RefusedError as error:
        raise refused(source, f"line {error.line}: {error.problem}", error.remedy) from None
    except RecursionError:
        raise refused(source, *TOO_DEEP) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # libyaml reports an error at the end of a file on the line after its last.
        where = f"line {min(mark.line, text.rstrip().count(chr(10))) + 1}" if mark else "it"
        raise refused(source, f"{where} is not valid YAML", _QUOTE) from None


def _text(content: bytes, source: str) -> str:
    try:
        # Editors on Windows write a byte order mark.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} is not UTF-8"
        raise refused(source, where, "save the file as UTF-8") from None


class _RefusedError(Exception):
    """A problem in a YAML text, with its line number."""

    def __init__(self, mark: Any, problem: str, remedy: str) -> None:
        self.line = mark.line + 1
        self.problem = problem
        self.remedy = remedy


def _require_bounds(text: str) -> None:
    """Count the values and levels of a YAML text from its events, before creating any object.

    An alias counts as many values as it refers to, so the cost is linear in the size of the text.

    :raises _RefusedError: at the first event that exceeds a limit.
    :raises yaml.YAMLError: if the text is not YAML.
    """
    values = 0
    sizes: dict[str, int] = {}
    collections: list[tuple[str, int]] = []
    for event in yaml.parse(text, Loader=_SafeLoader):
        anchor: str = getattr(event, "anchor", None) or ""
        if isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                problem = f"the alias *{anchor[:40]!a} refers to an object that contains it, or to nothing"
                raise _RefusedError(event.start_mark, problem, "replace the alias by its text")
            values += sizes[anchor]
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if anchor:
                sizes[anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            values += 1
            sizes.pop(anchor, None)
            collections.append((anchor, values))
            if len(collections) > MAX_DEPTH:
                raise _RefusedError(event.start_mark, *TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = collections.pop()
            if anchor:
                sizes[anchor] = values - before + 1
        # The events include keys, so twice as many are allowed.
        if values > 2 * MAX_VALUES:
            raise _RefusedError(event.start_mark, *TOO_MANY_VALUES)


@cache
def _loader() -> Any:
    class Loader(_SafeLoader):  # type: ignore[misc]  # of a type that is only known when it is imported
        """A loader that creates plain data only, and names the line of each error."""

        yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own way to configure a loader
            first: [(tag, pattern) for tag, pattern in resolvers if tag not in _STAY_TEXTS]
            for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            if node.tag not in _TYPES:
                raise _RefusedError(
                    node.start_mark, "it has a YAML tag, which a case cannot have", "remove it"
                )
            if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
                raise _RefusedError(node.start_mark, *TOO_LONG_A_NUMBER)
            try:
                return super().construct_object(node, deep)
            except (ValueError, LookupError):
                # An explicit tag that does not match its value, such as !!bool "x".
                raise _RefusedError(
                    node.start_mark, "it has a YAML tag that does not match its value", "remove it"
                ) from None

    return Loader
