"""Say what is wrong with the data of a case."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._evidence.case_entries import Entry
from dispute_provider._registry import APIS
from dispute_provider.exceptions import Violation

_A_CASE = "write one case, with provider, dispute and evidence"
_A_TEMPLATE = "write one template, with provider and evidence"


def case_violations(data: Any) -> list[Violation]:
    """Return what is wrong with a case, apart from its evidence."""
    return _violations("case.schema.json", data, _A_CASE)


def template_violations(data: Any) -> list[Violation]:
    """Return what is wrong with a template, apart from its evidence."""
    return _violations("template.schema.json", data, _A_TEMPLATE)


def _violations(name: str, data: Any, meant: str) -> list[Violation]:
    """Return what is wrong with data by a schema, the usual mistakes first.

    :param name: the schema's file.
    :param meant: what to write instead, if the data is no object.
    """
    from dispute_provider._contracts.validation import violations
    from dispute_provider._evidence.mistakes import mistakes_in_facts

    schema = contract.read_schema(name)
    if not isinstance(data, Mapping):
        kind = {type(None): "empty", str: "a text", list: "a list"}.get(type(data), "a single value")
        return [Violation("", f"is {kind}", meant)]
    usual = list(mistakes_in_facts(schema, data))
    explained = {each.pointer for each in usual}
    return usual + [
        each
        for each in violations(schema, data)
        if each.pointer not in explained and not (each.pointer == "" and each.problem.startswith("unknown: "))
    ]


def evidence_violations(data: Mapping[str, Any]) -> list[Violation]:
    """Return what is wrong with the evidence of a case that is otherwise valid."""
    from dispute_provider._contracts.validation import violations
    from dispute_provider._evidence.mistakes import mistakes

    try:
        api = contract.load(data["provider"])
    except FileNotFoundError:
        return [Violation("/provider", "is no API known here", f"must be one of: {', '.join(APIS)}")]
    usual = list(mistakes(api, data["evidence"], "/evidence"))
    explained = {each.pointer for each in usual}
    found = usual + [
        replace(each, pointer=f"/evidence{each.pointer}")
        for each in violations(api.evidence, data["evidence"])
        if f"/evidence{each.pointer}" not in explained
        and not (each.pointer == "" and each.problem.startswith("unknown: "))
    ]
    if data.get("account") and "x-case-account" not in api.document:
        found.append(Violation("/account", f"is not used: {api.title} has no accounts", "remove it"))
    return found


def without_lengths(
    data: Mapping[str, Any],
    entries: tuple[Entry, ...],
    found: list[Violation],
    always: Callable[[], Collection[str]],
) -> tuple[list[Violation], bool]:
    """Return what is wrong besides texts that will become documents, and whether there are any of these.

    If that is not switched on, what is said about their length names the switch.
    """
    from dispute_provider._evidence.long_texts import CURE, find, shortened

    try:
        long = find(contract.load(data["provider"]), [(each.name, each.value) for each in entries])
    except FileNotFoundError:
        return found, False
    if not long:
        return found, False
    texts = {str(entries[each.place].value) for each in long}
    short = {**data, "evidence": shortened(data["evidence"], texts)}
    others = evidence_violations(short)
    given = data.get("prepare")
    if "convert" in {*(given if isinstance(given, list) else ()), *always()}:
        return others, True
    return [
        each if each in others else replace(each, remedy=f"{each.remedy}, {CURE}") for each in found
    ], False
