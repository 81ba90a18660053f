"""Tell from its name whether a file of a case root is a case, or only looks like one. Pure."""

from __future__ import annotations

import re

SUFFIXES = (".json", ".yaml", ".yml")
HIDDEN = "it is hidden, as its name or its folder's starts with a dot; rename it"
RENAME = "its name is not case.yaml or case.json; rename it"
_BESIDE = "the case beside it is read; remove one of the two"
_MANY = "sweeps read one case from a file; write each into a file of its own, or stage the file in a DAG"
_LINES = ".jsonl"
# Another suffix, or what editors add to the names of their copies: case.yaml.txt, case.yaml~, #case.yaml#.
_LOOK_ALIKE = re.compile(r".*\.(?:json|ya?ml)(\.[^.]+|[^\w.]+)", re.IGNORECASE)
_NAMED_CASE = re.compile(r"case(?![^\W_])", re.IGNORECASE)


def is_case_file(name: str) -> bool:
    """Return whether a file in a case root is a case."""
    stem, suffix = _parts(name)
    return bool(stem) and suffix in SUFFIXES


def is_case(name: str) -> bool:
    """Return whether a file in the folder of a dispute is its case."""
    stem, suffix = _parts(name)
    return stem.lower() == "case" and suffix in SUFFIXES


def is_named_case(name: str) -> bool:
    """Return whether a name begins as that of a case, as ``case (1).yaml`` does."""
    return is_case_file(name) and name.lower().startswith("case")


def objection(name: str) -> str:
    """Return why a file that looks like a case is not read as one; empty for any other file."""
    found = _LOOK_ALIKE.fullmatch(name)
    if name.startswith(".") and (found or is_case_file(name)):
        return HIDDEN
    if found:
        ending = found[1] if found[1].strip() else "a space"
        return f"its name ends in {ending}; rename it to case.yaml or case.json"
    return _MANY if name.lower().endswith(_LINES) else ""


def objection_in_folder(name: str, has_case: bool) -> str:
    """Return why a file in the folder of a dispute, other than its case, is not read; empty for other files.

    :param has_case: whether the case is there, beside which data may stand.
    """
    if has_case:
        return _BESIDE if objection(name) not in ("", _MANY) or is_named_case(name) else ""
    looks_like_one = is_case_file(name) or _NAMED_CASE.match(name)
    return objection(name) or (RENAME if looks_like_one else "")


def _parts(name: str) -> tuple[str, str]:
    """Split a name at its last dot into a stem, empty without a dot, and a suffix in lower case."""
    stem, dot, suffix = name.rpartition(".")
    return stem, dot + suffix.lower()
