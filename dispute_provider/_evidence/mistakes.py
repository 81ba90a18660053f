"""Find the usual mistakes in a case's evidence, and how to correct each of them. Pure.

The case schema reports the same values in general terms. These messages state what to write instead, for the
case's API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, fields, groups
from dispute_provider._contracts.json_data import Json, escape
from dispute_provider._registry import APIS
from dispute_provider.exceptions import Violation

_TEXTS = ("short-text", "long-text", "text-or-file")
_DOCUMENTS = ("file", "files", "text-or-file")
_LISTS = ("files", "text-or-file")
_FILE_NAME = re.compile(
    r"[^\s/\\]{1,200}\.(pdf|jpe?g|png|tiff?|heic|heif|webp|avif|gif|bmp|docx?|eml|msg|txt|html?)",
    re.IGNORECASE,
)
# A web address, that of a store, or a document within the text.
_ADDRESS = re.compile(r"(?!file:)(?:[a-z][a-z0-9+.-]+:/|.*://|data:)", re.IGNORECASE)
_OF_ONE_MACHINE = re.compile(r"[/\\]|~/|[a-z]:|file:/|\$\{?\w+\}?[/\\]|%\w+%[/\\]", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 60
_OF_A_DOCUMENT = ("file", "exhibits", "optional", "caption")
# What people call fields of a case.
_OTHER_NAMES = {"api": "provider", "id": "dispute", "dispute_id": "dispute", "documents": "evidence"}
_QUOTED = "put it in quotes"
_LIST = "write a list, with its items in brackets: [ ]"
_YAML_BOOLEAN = "is a boolean, as YAML reads yes, no, on and off"
_TRUE_OR_FALSE = "write true or false, without quotes"


def mistakes_in_facts(schema: Json, case: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield the mistakes in what a case or a template says about itself, such as values without quotes.

    :param schema: the schema of cases or templates.
    :param case: as its owner gives it, not validated.
    """
    for name in case:
        if name not in schema["properties"]:
            yield _unknown(schema, case, name)
    for name, field in schema["properties"].items():
        if name in case:
            yield from _mistakes_in_fact(field, case[name], f"/{name}")


def _unknown(schema: Json, case: Mapping[str, Any], name: Any) -> Violation:
    """Return what is wrong with a name that a case or a template does not have."""
    known, provider = list(schema["properties"]), case.get("provider")
    pointer = f"/{ascii(escape(name))[1:-1][:_LONGEST_NAME]}"
    if str(name) != str(name).lstrip():
        return Violation(pointer, "begins with spaces that do not indent", "write ordinary spaces before it")
    if provider in APIS and _meant(fields(contract.load(provider)), str(name)):
        return Violation(pointer, "is evidence, and not in evidence", "indent it below evidence:")
    others = {each: meant for each, meant in _OTHER_NAMES.items() if meant in known}
    meant = _meant([*known, *others], str(name))
    meant = others.get(meant or "", meant)
    remedy = f"did you mean {meant}?" if meant else f"must be one of: {', '.join(sorted(known))}"
    return Violation(pointer, f"is no field of a {schema['title'].lower()}", remedy)


def _mistakes_in_fact(field: Json, value: Any, pointer: str) -> Iterator[Violation]:
    match field.get("type"), value:
        case ("string", bool()):
            yield Violation(pointer, _YAML_BOOLEAN, _QUOTED)
        case ("string", int() | float()):
            yield Violation(pointer, "is a number", _QUOTED)
        case (("string" | "boolean"), None):
            yield Violation(pointer, "is empty", "write its value, or remove the line")
        case ("object", None):
            yield Violation(pointer, "is empty", "list its values below it, or write {}")
        case ("object", str()):
            yield Violation(pointer, "is a text", "list its values below it, with a space after each colon")
        case ("object", list()):
            yield Violation(pointer, "is a list", "list its values as name: value, without dashes")
        case ("array", str()):
            yield Violation(pointer, "is a text", _LIST)
        case ("array", list()):
            for index, item in enumerate(value):
                yield from _mistakes_in_fact(field.get("items", {}), item, f"{pointer}/{index}")
        case ("boolean", str()):
            yield Violation(pointer, "is a text", _TRUE_OR_FALSE)
        case ("boolean", int() | float()) if not isinstance(value, bool):
            yield Violation(pointer, "is a number", _TRUE_OR_FALSE)
        case ("object", Mapping()) if inner := field.get("additionalProperties"):
            for key, item in value.items():
                if isinstance(key, str):
                    yield from _mistakes_in_fact(inner, item, f"{pointer}/{escape(key)}")
                else:
                    at = f"{pointer}/{escape(key)[:_LONGEST_NAME]}"
                    yield Violation(at, "has a key without quotes", _QUOTED)


def mistakes(api: Contract, evidence: Mapping[str, Any], at: str, group: str = "") -> Iterator[Violation]:
    """Yield the mistakes in evidence.

    :param evidence: as a case gives it, not validated.
    :param at: the JSON pointer to it.
    :param group: the path of its group, with a separator at the end; empty, the default, for all evidence.
    """
    known = fields(api)
    for member, value in evidence.items():
        name, pointer = f"{group}{member}", f"{at}/{escape(member)}"
        if name in groups(api) and isinstance(value, Mapping):
            yield from mistakes(api, value, pointer, f"{name}{SEPARATOR}")
        elif name in known:
            yield from _mistakes_of(api, name, known[name], value, pointer)
        elif not group and member in _OF_A_DOCUMENT:
            yield Violation(pointer, "belongs to the field above it", "indent it further than that field")
        elif not group:
            meant = _meant(known, str(member))
            names = sorted({each.partition(SEPARATOR)[0] for each in known})
            remedy = f"did you mean {meant}?" if meant else f"must be one of: {', '.join(names)}"
            shown = ascii(escape(member))[1:-1][:_LONGEST_NAME]
            yield Violation(f"{at}/{shown}", f"is no evidence field of {api.title}", remedy)


def _mistakes_of(api: Contract, name: str, field: Json, value: Any, pointer: str) -> Iterator[Violation]:
    kind = field.get("x-kind")
    if isinstance(value, list) and kind in _LISTS:
        for index, item in enumerate(value):
            yield from _mistake(api, name, kind, item, f"{pointer}/{index}")
    else:
        yield from _mistake(api, name, kind, value, pointer)


def _mistake(api: Contract, name: str, kind: str | None, value: Any, pointer: str) -> Iterator[Violation]:
    takes_text, takes_document = kind in _TEXTS, kind in _DOCUMENTS
    example = f"{{file: {name.rpartition(SEPARATOR)[2]}.pdf}}"
    match value:
        case None:
            yield Violation(pointer, "is empty", "write its value, or remove the line")
        case str() if takes_text and not _shows(value):
            yield Violation(pointer, "is empty", "write its value, or remove the line")
        case bool() if takes_text:
            yield Violation(pointer, _YAML_BOOLEAN, _QUOTED)
        case int() | float() if takes_text:
            yield Violation(pointer, "is a number", _QUOTED)
        case str() if not takes_text and takes_document:
            yield Violation(pointer, "is a text", f"name a document in the case's folder: {example}")
        case str() if takes_text and _FILE_NAME.fullmatch(value):
            remedy = f"name the document: {example}" if takes_document else _write_the_text(api)
            yield Violation(pointer, "is the name of a file, which the bank would read as a text", remedy)
        case {"file": list()} if takes_document:
            remedy = _one_of_several(kind, example)
            yield Violation(f"{pointer}/file", "is a list", remedy)
        case {"file": str(path)} if takes_document:
            yield from _misplaced(path, f"{pointer}/file")
        case {"exhibits": str()} if takes_document:
            yield Violation(f"{pointer}/exhibits", "is a text", _LIST)
        case {"exhibits": list(exhibits)} if takes_document:
            for index, each in enumerate(exhibits):
                at = f"{pointer}/exhibits/{index}"
                match each:
                    case {"file": str(path)}:
                        yield from _misplaced(path, f"{at}/file")
                    case str():
                        yield from _misplaced(each, at)
        case {"file": _} if not takes_document and takes_text:
            yield Violation(pointer, "is a document", _write_the_text(api))
        case list() if takes_document:
            yield Violation(pointer, "is a list", _one_of_several(kind, example))
        case list() if takes_text:
            yield Violation(pointer, "is a list", "write one text; its lines may follow a |, indented")


def _shows(text: str) -> bool:
    """Return whether a text has more than spaces and characters that show nothing."""
    return any(each.isprintable() and each != " " for each in text)


def _misplaced(path: str, pointer: str) -> Iterator[Violation]:
    """Yield what is wrong with a path that does not lead into the case's folder."""
    name = re.split(r"[/\\]", path)[-1]
    example = f"{{file: {name if _FILE_NAME.fullmatch(name) else 'receipt.pdf'}}}"
    if _ADDRESS.match(path):
        remedy = f"download it to the case's folder, and name the file: {example}"
        yield Violation(pointer, "is an address, and documents are read from the case's folder", remedy)
    elif _OF_ONE_MACHINE.match(path) or ".." in re.split(r"[/\\]", path):
        remedy = f"put the file in the case's folder, and name it: {example}"
        yield Violation(pointer, "is a path outside the case's folder", remedy)
    elif _CONTROLS.search(path):
        remedy = "rename the file, and name it without them"
        yield Violation(pointer, "has characters that do not print, such as a tab or a line break", remedy)
    elif "\\" in path:
        yield Violation(pointer, "is a path with backslashes", "separate folders by /")


def _write_the_text(api: Contract) -> str:
    documents = sorted(name for name, field in fields(api).items() if field.get("x-kind") in _DOCUMENTS)
    return f"write the text itself; a document belongs in one of: {', '.join(documents)}"


def _one_of_several(kind: str | None, example: str) -> str:
    if kind in _LISTS:
        return f"write one item for each document: [{example}, …]"
    return f"name one document: {example}; join several into one PDF: {{exhibits: [a.pdf, b.jpg]}}"


def _meant(known: Iterable[str], name: str) -> str | None:
    """Return the name that a misspelt one stands for; None if that is unclear."""
    by_form = {_form(each): each for each in known}
    close = get_close_matches(_form(name), by_form, n=1, cutoff=0.85)
    return by_form[close[0]] if close else None


def _form(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())
