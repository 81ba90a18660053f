"""The staging tasks of a run: their cases, connections and reviews."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Twins:
    """Second cases for some disputes of a run, and where they come from.

    :param where: ``batch``: the same staging task; ``task``: another staging task, one review for both;
        ``chunk``: another staging task and another review, one submission for both.
    """

    where: str
    cases: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Staging:
    """One staging task: its review, its connection and its cases."""

    review: str
    connection: str
    cases: list[dict[str, Any]]


def stagings(
    cases: dict[str, dict[str, Any]], twins: Twins | None, connections: Mapping[str, str]
) -> dict[str, Staging]:
    """Return the staging tasks by name: one for each connection, and for twins their own where they have one.

    :param connections: the name of the connection to each API.
    """
    plan: dict[str, Staging] = {}

    def add(name: str, review: str, case: dict[str, Any]) -> None:
        connection = connections[case["provider"]]
        plan.setdefault(f"{name}-{connection}", Staging(review, connection, [])).cases.append(case)

    for case in cases.values():
        add("stage", "review", case)
    if twins:
        of_its_own = twins.where != "batch"
        review = "review-second" if twins.where == "chunk" else "review"
        for case in twins.cases.values():
            add("stage-second" if of_its_own else "stage", review, case)
    return plan


def draw_connections(dice: random.Random, other: float) -> dict[str, str]:
    """Return the connection of a run to each API.

    :param other: how likely the run has connections of its own to the same accounts.
    """
    if dice.random() < other:
        return {"stripe": "stripe_second", "moov": "moov_second"}
    return {"stripe": "stripe_default", "moov": "moov_token" if dice.random() < 0.2 else "moov_default"}
