"""Find the texts that are longer than their API takes, and the fields that take documents instead. Pure.

A text becomes a document of the same name if the API takes documents there, else of the field that
``x-longTexts`` in its contract names.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR, fields
from dispute_provider._contracts.lengths import text_length
from dispute_provider._evidence.limits import Limits

EITHER = "text-or-file"
"""The kind of fields that take a text or documents."""
CURE = "or switch it on to make a document of it: prepare: [convert]"


@dataclass(frozen=True, slots=True)
class LongText:
    """A text that becomes a document.

    :param place: its place in the case's evidence.
    :param field: the name of the field that takes the document.
    :param problem: how long it is, and how long it may be.
    """

    place: int
    field: str
    problem: str


def find(api: Contract, evidence: Sequence[tuple[str, Any]]) -> list[LongText]:
    """Return the texts that are too long, alone or together; of those together, the longest.

    :param evidence: the name and the value of each piece of a case's evidence.
    """
    limits = Limits.of(api)
    lengths = [text_length(value) for _, value in evidence]
    found: dict[int, LongText] = {}
    for place, (name, value) in enumerate(evidence):
        most = limits.text.get(name)
        if most is not None and lengths[place] > most and (field := _field_for(api, name, value)):
            problem = f"has {lengths[place]:,} characters, and the limit is {most:,}"
            found[place] = LongText(place, field, problem)
    if (most := limits.total_text) is None:
        return list(found.values())
    # The texts of a group belong to another stage, and have a limit of their own.
    for group in {_group(name) for name, _ in evidence}:
        together = [place for place, (name, _) in enumerate(evidence) if _group(name) == group]
        units = sum(lengths[place] for place in together if place not in found)
        for place in sorted(set(together) - found.keys(), key=lambda place: (-lengths[place], place)):
            if units > most and (field := _field_for(api, *evidence[place])):
                share = f"{lengths[place]:,} of the {units:,} characters of all texts"
                found[place] = LongText(place, field, f"has {share}, and their limit is {most:,}")
                units -= lengths[place]
    return [found[place] for place in sorted(found)]


def _group(name: str) -> str:
    return name.rpartition(SEPARATOR)[0]


def _field_for(api: Contract, name: str, value: Any) -> str | None:
    """Return the field that takes a document in place of a text; None if there is none."""
    if not isinstance(value, str) or name not in fields(api):
        return None
    kind = fields(api)[name].get("x-kind")
    if kind == EITHER:
        return name
    *group, _ = name.split(SEPARATOR)
    holder = api.resolve(api.evidence)
    for member in group:
        holder = api.resolve(holder["properties"][member])
    into = holder.get("x-longTexts") if kind == "long-text" else None
    return SEPARATOR.join([*group, into]) if into else None


def shortened(evidence: Any, texts: Container[str]) -> Any:
    """Return the evidence of a case file with a dash for each of some texts."""
    if isinstance(evidence, Mapping):
        return {name: shortened(each, texts) for name, each in evidence.items()}
    if isinstance(evidence, list):
        return [shortened(each, texts) for each in evidence]
    return "-" if isinstance(evidence, str) and evidence in texts else evidence
