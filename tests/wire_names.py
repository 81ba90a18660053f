"""Fail on an API's wire names outside its contract and modules: ``python -m tests.wire_names``.

What an API calls its parameters, headers, fields, operations and schemas is in ``schemas/`` and ``_apis/``.
Everything else finds them by ``x-role``, so that another API needs no change there.

A name of several words (``accountID``, ``Stripe-Account``, ``customer_name``) means nothing else: no text of
the code may be one. A name that is also a word of English (``dispute``, ``file``) may be a text of the code;
where it looks something up in a call's arguments, an answer or its headers, it is a wire name.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# An API's operators use the names of its operations, and the sandbox imitates the APIs.
OWN = ("dispute_provider/_apis/", "dispute_provider/sandbox/", "dispute_provider/operators/{api}.py")
# Variables and attributes whose keys are an API's names.
VARIABLES = {"answer", "arguments", "body", "headers", "parameters", "typed"}
ATTRIBUTES = {*VARIABLES, "data", "raw"}
# Roles, and names of Airflow and HTTP, that may equal an API's.
ALSO_OURS = {
    "idempotency-key",
    "request-id",
    "should-retry",
    "Content-Type",
    "Retry-After",
    "retry-after",
    "error_type",
    "required_actions",
}


def names_of(document: Any) -> Iterator[str]:
    """Yield every wire name of a contract, and the names of its operations and schemas."""
    if isinstance(document, list):
        for each in document:
            yield from names_of(each)
    if not isinstance(document, dict):
        return
    if "in" in document and isinstance(document.get("name"), str):
        yield document["name"]
    if isinstance(document.get("operationId"), str):
        yield document["operationId"]
    for holder in ("properties", "headers", "schemas"):
        if isinstance(document.get(holder), dict):
            yield from document[holder]
    for each in document.values():
        yield from names_of(each)


def fields_in(source: str) -> Iterator[str]:
    """Yield the annotated fields of the classes in a module: the names of our records may equal an API's."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    yield member.target.id


def is_distinctive(name: str) -> bool:
    """Return whether a name has several words or a number, and so is not an English word."""
    return not (name.isalpha() and (name.islower() or name.istitle()))


def found_in(source: str, names: Iterable[str], ours: Container[str] = ()) -> Iterator[tuple[int, str]]:
    """Yield the wire names in the code of a module, each with its line.

    :param ours: names of our own. They are reported only where they look something up.
    """
    names = set(names)
    distinctive = {name for name in names if is_distinctive(name) and name not in ours}
    # Header names are case-insensitive.
    headers = {name.lower() for name in distinctive if "-" in name}
    words = {name.lower() for name in names - distinctive - ALSO_OURS}
    tree = ast.parse(source)
    # Docstrings may use an API's fields as examples.
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            if node.value not in ALSO_OURS and (node.value in distinctive or node.value.lower() in headers):
                yield node.lineno, node.value
        elif (key := _looked_up(node)) and key.lower() in words:
            yield node.lineno, key  # type: ignore[attr-defined]  # what looks something up has a line


def _looked_up(node: ast.AST) -> str | None:
    """The key of ``arguments["dispute"]``, ``arguments.get("dispute")`` or ``"dispute" in arguments``."""
    holder: ast.expr
    match node:
        case ast.Subscript(value=holder, slice=ast.Constant(value=str(key))):
            pass
        case ast.Call(func=ast.Attribute(value=holder, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            pass
        case ast.Compare(
            left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()], comparators=[holder]
        ):
            pass
        case _:
            return None
    is_known = (
        holder.attr in ATTRIBUTES
        if isinstance(holder, ast.Attribute)
        else isinstance(holder, ast.Name) and holder.id in VARIABLES
    )
    return key if is_known else None


def check(root: Path) -> list[str]:
    """Return every misplaced wire name in a checkout, as ``file:line: name``."""
    contracts = {
        path.name.removesuffix(".openapi.json"): json.loads(path.read_bytes())
        for path in sorted((root / "schemas").glob("*.openapi.json"))
    }
    names = {name for contract in contracts.values() for name in names_of(contract)}
    own = tuple(prefix.format(api=api) for api in contracts for prefix in OWN)
    sources = {
        str(path.relative_to(root)): path.read_text("utf-8")
        for folder in ("dispute_provider", "dags")
        for path in sorted((root / folder).rglob("*.py"))
    }
    sources = {name: source for name, source in sources.items() if not name.startswith(own)}
    ours = {field for source in sources.values() for field in fields_in(source)}
    return [
        f"{module}:{line}: {name!r} is a name of an API's wire; find it by its x-role"
        for module, source in sources.items()
        for line, name in found_in(source, names, ours)
    ]


if __name__ == "__main__":
    found = check(ROOT)
    print("\n".join(found) or "No wire name outside schemas/ and _apis/.")
    sys.exit(bool(found))
