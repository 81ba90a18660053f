"""Tell which evidence an API takes at which stage of a dispute. Pure.

The API's contract says so: ``x-stage`` on a field names the one stage that takes it, and that stage takes no
other field. A field without ``x-stage`` is taken at every other stage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import cache

from dispute_provider._contracts.contract import Contract, Request
from dispute_provider._contracts.evidence_fields import SEPARATOR
from dispute_provider._evidence.case import Case
from dispute_provider.exceptions import InvalidRequestError, Violation


@cache
def _stages(api: Contract) -> Mapping[str, str]:
    """Return the stage of each field or group that belongs to one."""
    properties = api.resolve(api.evidence)["properties"]
    return {name: field["x-stage"] for name, field in properties.items() if "x-stage" in field}


def stage_of(api: Contract, name: str) -> str | None:
    """Return the one stage that takes a field; None if every stage without fields of its own takes it."""
    return _stages(api).get(name.partition(SEPARATOR)[0])


def is_taken(api: Contract, name: str, stage: str) -> bool:
    """Return whether a stage takes a field."""
    return stage_of(api, name) == _own(api, stage)


def takes_the_same(api: Contract, one: str, other: str) -> bool:
    """Return whether two stages take the same fields."""
    return _own(api, one) == _own(api, other)


def _own(api: Contract, stage: str) -> str | None:
    """Return a stage that has fields of its own; None for the others, which all take the same."""
    return stage if stage in _stages(api).values() else None


def misplaced(api: Contract, names: Iterable[str], stage: str) -> list[str]:
    """Return those of the fields that a stage does not take, in their order, each once."""
    return [name for name in dict.fromkeys(names) if not is_taken(api, name, stage)]


def taken(api: Contract, stage: str) -> str:
    """Return what a stage takes, in words: ``it is at the appeal stage, which takes only appeal``."""
    own = [name for name, of in _stages(api).items() if of == stage]
    if own:
        return f"it is at the {stage} stage, which takes only {', '.join(own)}"
    return f"it is at the {stage} stage, which does not take {', '.join(_stages(api))}"


def part_for(api: Contract, case: Case, stage: str) -> tuple[Case, list[str]]:
    """Return the part of a case that a stage takes, and the names of the rest, which is for other stages."""
    others = misplaced(api, (entry.name for entry in case.evidence), stage)
    if not others:
        return case, []
    left = tuple(entry for entry in case.evidence if entry.name not in others)
    return dataclasses.replace(case, evidence=left), others


def refusal(api: Contract, case: Case, stage: str) -> str | None:
    """Return why a stage takes nothing of a case, and what to do; None if it takes a part, or all.

    A case without any evidence is refused nowhere: what the dispute holds already can be reviewed.
    """
    part, others = part_for(api, case, stage)
    if part.evidence or not others:
        return None
    return (
        f"{taken(api, stage)}, and its case has only {', '.join(others)}. "
        "To do: add to the case what this stage takes, or answer the dispute in the API's dashboard"
    )


def require_taken(request: Request, stage: str) -> None:
    """Refuse a call whose evidence the dispute's stage does not take.

    :raises InvalidRequestError: with every field that it does not take; nothing was sent.
    """
    api, operation = request.operation.contract, request.operation
    evidence = operation.given("evidence", request.arguments)
    names = evidence if isinstance(evidence, Mapping) else ()
    if others := misplaced(api, names, stage):
        raise InvalidRequestError.before_sending(
            operation.id,
            [
                Violation(f"/{operation.argument('evidence')}/{name}", taken(api, stage), "leave it out")
                for name in others
            ],
        )
