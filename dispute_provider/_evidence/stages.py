"""Determine which evidence an API accepts at which stage of a dispute. Pure.

``x-stage`` on a field of the API's contract names the only stage that accepts it; that stage accepts no other
field. A field without ``x-stage`` is accepted at every other stage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR
from dispute_provider._contracts.request import Request
from dispute_provider._evidence.case import Case
from dispute_provider.exceptions import InvalidRequestError, Violation


@cache
def _stages(api: Contract) -> Mapping[str, str]:
    """Return the stage of each field or nested field that has one."""
    properties = api.resolve(api.evidence)["properties"]
    return {name: field["x-stage"] for name, field in properties.items() if "x-stage" in field}


def stage_of(api: Contract, name: str) -> str | None:
    """Return the only stage that accepts a field; None if every stage without special fields accepts it."""
    return _stages(api).get(name.partition(SEPARATOR)[0])


@lru_cache(maxsize=4096)
def is_taken(api: Contract, name: str, stage: str) -> bool:
    """Return whether a stage accepts a field."""
    return stage_of(api, name) == _own(api, stage)


def takes_the_same(api: Contract, one: str, other: str) -> bool:
    """Return whether two stages accept the same fields."""
    return _own(api, one) == _own(api, other)


def _own(api: Contract, stage: str) -> str | None:
    """Return a stage that has special fields; None for the others, which all accept the same fields."""
    return stage if stage in _stages(api).values() else None


def misplaced(api: Contract, names: Iterable[str], stage: str) -> list[str]:
    """Return the fields that a stage does not accept, in their order, without repetition."""
    return [name for name in dict.fromkeys(names) if not is_taken(api, name, stage)]


def taken(api: Contract, stage: str) -> str:
    """Return what a stage accepts as text: ``it is at the appeal stage, which accepts only appeal``."""
    own = [name for name, of in _stages(api).items() if of == stage]
    if own:
        return f"it is at the {stage} stage, which accepts only {', '.join(own)}"
    return f"it is at the {stage} stage, which does not accept {', '.join(_stages(api))}"


def part_for(api: Contract, case: Case, stage: str) -> tuple[Case, list[str]]:
    """Return the part of a case that a stage accepts, and the names of the evidence for other stages."""
    others = misplaced(api, case.names, stage)
    if not others:
        return case, []
    left = tuple(entry for entry in case.evidence if entry.name not in others)
    return dataclasses.replace(case, evidence=left), others


def refusal(api: Contract, names: Sequence[str], stage: str) -> str | None:
    """Return why a stage accepts nothing of a case, and what to do; None if it accepts any of it.

    A case without evidence is accepted at every stage: the evidence already on the dispute can be reviewed.

    :param names: the names of the case's evidence.
    """
    others = misplaced(api, names, stage)
    if not others or set(names).difference(others):
        return None
    return (
        f"{taken(api, stage)}, and its case has only {', '.join(others)}. "
        "To do: add evidence for this stage to the case, or answer the dispute in the API's dashboard"
    )


def require_taken(request: Request, stage: str) -> None:
    """Refuse a call with evidence that the dispute's stage does not accept.

    :raises InvalidRequestError: with every field that it does not accept; nothing was sent.
    """
    api, operation = request.operation.contract, request.operation
    evidence = operation.given("evidence", request.arguments)
    names = evidence if isinstance(evidence, Mapping) else ()
    if others := misplaced(api, names, stage):
        raise InvalidRequestError.before_sending(
            operation.id,
            [
                Violation(f"/{operation.argument('evidence')}/{name}", taken(api, stage), "remove it")
                for name in others
            ],
        )
