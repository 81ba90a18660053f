"""More cases are new than a sweep stages: each gets its turn, though others cannot be staged every time."""

from __future__ import annotations

from pathlib import Path

from running import run
from sweeping import write_case
from test_asking_again import HOUR

from dispute_provider.operators._find_cases import LARGEST_SWEEP, FindCasesOperator
from dispute_provider.sandbox import Sandbox


def found(connection: str) -> list[str]:
    """Return the disputes whose cases a sweep stages, in its order; this one stages none, so all stay new."""
    paths = run(FindCasesOperator(task_id="find", conn_id=connection))
    return [Path(path).parent.name for path in paths]


def test_disputes_that_cannot_be_staged_keep_no_place_from_others(
    sandbox: Sandbox, stripe_connection: str, cases: Path
) -> None:
    stuck = [f"du_stuck_{number:03}" for number in range(LARGEST_SWEEP + 10)]
    later = ["du_later_1", "du_later_2"]
    for hours, disputes in ((100, stuck), (200, later)):
        for dispute in disputes:
            sandbox.create_dispute(api="stripe", id=dispute, due_in=hours * HOUR)
            write_case(cases, dispute)

    first, second, third = (found(stripe_connection) for _ in range(3))

    assert len(first) == len(second) == len(third) == LARGEST_SWEEP
    assert set(first) < set(stuck), "those that are due sooner come first"
    assert set(later) <= set(second)
    assert {*first, *second, *third} == {*stuck, *later}


def test_at_least_half_of_a_sweep_is_left_to_cases_that_could_not_be_staged(
    sandbox: Sandbox, stripe_connection: str, cases: Path
) -> None:
    """The API may have failed, and the disputes that it failed for are due first."""
    tried = [f"du_tried_{number:03}" for number in range(LARGEST_SWEEP)]
    new = [f"du_new_{number:03}" for number in range(LARGEST_SWEEP)]
    for hours, disputes in ((10, tried), (200, new)):
        for number, dispute in enumerate(disputes):
            sandbox.create_dispute(api="stripe", id=dispute, due_in=hours * HOUR + number)
            write_case(cases, dispute)

    assert found(stripe_connection) == tried
    write_case(cases, tried[-1], "Delivered, and signed for.")
    half = LARGEST_SWEEP // 2
    assert found(stripe_connection) == [*tried[:half], tried[-1], *new[: half - 1]]
    assert found(stripe_connection) == [tried[0], *tried[half:-1], *new[half - 1 : -1]]
