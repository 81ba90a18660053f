"""Parse the JSON or YAML text of a case within the limits of :mod:`dispute_provider._evidence.case_size`."""

from __future__ import annotations

import codecs
import dataclasses
import json
import re
from functools import cache
from typing import Any

import yaml

from dispute_provider._evidence.case_errors import refused
from dispute_provider._evidence.case_size import (
    LONGEST_NUMBER,
    MAX_DEPTH,
    MAX_VALUES,
    TOO_DEEP,
    TOO_LONG_A_NUMBER,
    TOO_MANY_VALUES,
)
from dispute_provider.exceptions import InvalidCaseError, Violation

# libyaml is much faster. PyYAML's wheels contain it; a build from source may not.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_TYPES = {_CORE + name for name in ("str", "int", "float", "bool", "null", "seq", "map")}
_NUMBERS = {_CORE + "int", _CORE + "float"}
# Dates, and a lone "=", stay text, so that the bank reads them as they were written.
_STAY_TEXTS = {_CORE + "timestamp", _CORE + "value"}
# Strings and brackets of JSON.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_KEEP_ONE = "keep one of them; if the API takes several under one name, give them as a list"
_LONGEST_KEY = 40
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CORRECT_YAML = (
    "indent with spaces, close quotes and brackets, and put any text in quotes that starts with "
    "* & ! % @ { [ or contains ': '"
)
_STRAIGHT = "write straight quotes: \" or '"
_CURLY = re.compile("[\u2018\u2019\u201a\u201c\u201d\u201e]")
_AS_UTF_8 = "save the file as UTF-8"
_CUT_AT_A_COMMA = "a comma ends the text before this, and this has no value"
_QUOTE_COMMAS = "put texts with commas in quotes"
_ONE_CASE = "put each case into a file of its own"
# A comment that follows a text without quotes. With a space after #, it is meant as one.
_PERHAPS_TEXT = re.compile(r"[ \t]+#\w")


def parse_json(content: bytes, source: str) -> Any:
    """Parse a case in JSON.

    :param source: its name in errors.
    :raises InvalidCaseError: if it is not UTF-8, not JSON, or exceeds a limit.
    """
    text = as_text(content, source)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _RepeatedError:
        raise refused(source, _repeated_in(text), _KEEP_ONE) from None
    except json.JSONDecodeError as error:
        # The source of a line of a JSON Lines file already has its line number.
        where = f"line {error.lineno}" if b"\n" in content else f"column {error.colno}"
        cure = _json_cure(text, error.pos)
        raise refused(source, f"{where} is not valid JSON: {error.msg}", cure) from None
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
    text = as_text(content, source)
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
        raise refused(source, f"{_place(error, text)} is not valid YAML", _yaml_cure(error, text)) from None


def _json_cure(text: str, place: int) -> str:
    """Return what to do about a text that is no JSON from some character on."""
    if _CURLY.match(text, place):
        return 'write straight quotes: "'
    if text.startswith(("//", "/*", "#"), place):
        return "remove the comment, or name the file case.yaml and write comments with #"
    if text.startswith("'", place):
        return 'write double quotes: "'
    if text.startswith(",", place) or text[:place].rstrip().endswith(","):
        return "remove the comma before the closing bracket"
    return "correct it"


def _yaml_cure(error: yaml.YAMLError, text: str) -> str:
    """Return what to do about a text that is no YAML."""
    mark = getattr(error, "problem_mark", None)
    if mark and "escape" in str(getattr(error, "problem", "")):
        return "write single quotes, between which a backslash is a backslash"
    line = text.split("\n")[mark.line : mark.line + 1] if mark else []
    return _STRAIGHT if line and _CURLY.search(line[0]) else _CORRECT_YAML


def _place(error: yaml.YAMLError, text: str) -> str:
    """Return the line of an error; of a quote or bracket that stays open, the line where it opens."""
    mark = getattr(error, "problem_mark", None)
    start = getattr(error, "context_mark", None)
    last = text.rstrip().count("\n")
    if mark and start and mark.line > last:
        mark = start
    # libyaml reports an error at the end of a file on the line after its last.
    return f"line {min(mark.line, last) + 1}" if mark else "it"


def as_text(content: bytes, source: str) -> str:
    """Decode a text in UTF-8, or in UTF-16 with a byte order mark.

    :param source: its name in errors.
    :raises InvalidCaseError: if it is neither.
    """
    # Editors on Windows write a byte order mark, and UTF-16 for "Unicode".
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        start = content.rfind(b"\n", 0, error.start) + 1
        where = f"line {line}, byte {error.start - start + 1} is not {encoding.removesuffix('-sig').upper()}"
        raise refused(source, where, _AS_UTF_8) from None
    if "\0" in text[:4]:
        # UTF-16 or UTF-32 without a mark.
        raise refused(source, "line 1 has bytes of zero, which a text in UTF-8 has not", _AS_UTF_8)
    return text


class _RepeatedError(Exception):
    """An object of a JSON text has a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedError
    return found


def _repeated_in(text: str) -> str:
    """Return which key of valid JSON is given twice, and where."""
    objects: list[dict[str, int]] = []
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{" | "[":
                objects.append({})
            case "}" | "]":
                objects.pop()
            case string if text[token.end() :].lstrip(" \t\n\r").startswith(":"):
                key = json.loads(string)
                line = text.count("\n", 0, token.start()) + 1
                if key in objects[-1]:
                    problem = _repetition(key, objects[-1][key], line)
                    return f"line {line}: {problem}" if "\n" in text else problem
                objects[-1][key] = line
    raise AssertionError("the text has no repeated key")


def _repetition(key: str, first: int, second: int) -> str:
    where = "" if first == second else f", first in line {first}"
    return f"{key[:_LONGEST_KEY]!a} is given twice{where}"


def located(error: InvalidCaseError, content: bytes) -> InvalidCaseError:
    """Return a refusal with the line of each violation in the case's JSON or YAML text."""
    try:
        root = yaml.compose(as_text(content, error.case), Loader=_SafeLoader)
    except (InvalidCaseError, yaml.YAMLError, RecursionError):
        # JSON with tabs is not always YAML.
        return error
    return InvalidCaseError(error.case, [_located(each, root) for each in error.violations])


def _located(violation: Violation, node: Any) -> Violation:
    """Return a violation with the line of its value, or of the nearest object around it."""
    line: int | None = None
    for token in violation.pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, yaml.MappingNode):
            pair = next((each for each in node.value if each[0].value == name), None)
        elif isinstance(node, yaml.SequenceNode) and name.isdecimal() and int(name) < len(node.value):
            pair = (node.value[int(name)],) * 2
        else:
            pair = None
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return dataclasses.replace(violation, line=line)


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
    values = documents = 0
    sizes: dict[str, int] = {}
    collections: list[tuple[str, int]] = []
    for event in yaml.parse(text, Loader=_SafeLoader):
        anchor: str = getattr(event, "anchor", None) or ""
        if isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                problem = f"the alias *{anchor[:40]!a} refers to an object that contains it, or to nothing"
                raise _RefusedError(event.start_mark, problem, "replace the alias by its text")
            values += sizes[anchor]
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _RefusedError(event.start_mark, "a second case starts here", _ONE_CASE)
        elif isinstance(event, yaml.ScalarEvent):
            _require_whole(event, text)
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


def _require_whole(event: Any, text: str) -> None:
    """Check that a text without quotes is not cut at a ``#``, as ``12 Main St #5`` is.

    :raises _RefusedError: if it is.
    """
    if not event.style and _PERHAPS_TEXT.match(text, event.end_mark.index):
        problem = "what follows # is a comment, and not part of the text"
        raise _RefusedError(event.end_mark, problem, "put the text in quotes, or a space after #")


@cache
def _loader() -> Any:
    class Loader(_SafeLoader):  # type: ignore[misc]  # of a type that is only known when it is imported
        """A loader that creates plain data only, and names the line of each error."""

        def __init__(self, text: str) -> None:
            super().__init__(text)
            self._given = text

        yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own way to configure a loader
            first: [(tag, pattern) for tag, pattern in resolvers if tag not in _STAY_TEXTS]
            for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            marks: dict[tuple[str, str], Any] = {}
            for key, value in node.value:
                # An alias has the place of the value that it stands for.
                start, end = key.end_mark.index, value.end_mark.index
                if node.flow_style and start <= end and ":" not in self._given[start:end]:
                    raise _RefusedError(key.start_mark, _CUT_AT_A_COMMA, _QUOTE_COMMAS)
                if isinstance(key, yaml.ScalarNode):
                    mark: Any = key.start_mark
                    first = marks.setdefault((key.tag, key.value), mark)
                    if first is not mark:
                        problem = _repetition(key.value, first.line + 1, mark.line + 1)
                        raise _RefusedError(mark, problem, _KEEP_ONE)
            return super().construct_mapping(node, deep)

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
