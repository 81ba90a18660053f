"""Test what the judge of the chaos campaign reads in the reasons of records."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import dispute_provider
from dispute_provider._evidence.record import Record, State
from dispute_provider._workflow.reviewing import decide
from tests.chaos.facts import LOST
from tests.chaos.judging.judge import judge
from tests.chaos.judging.reasons import WORDS
from tests.chaos.transcript import Approval, Completion, Shown, Transcript


def answered(chosen: list[str], params: dict[str, list[str]]) -> Transcript:
    """Return the transcript of a run of two disputes whose form has lost a third; its answer holds them."""
    event = {
        "chosen_options": chosen,
        "params_input": params,
        "responded_by_user": {"id": "7", "name": "ana"},
        "responded_at": datetime.now(UTC),
    }
    records = [Record("stripe", "stripe_default", name, State.STAGED, "") for name in ("a", "b")]
    ends = [ruling.record for ruling in decide.decide(records, event, decide.Rules(), datetime.now(UTC))]
    assert [end.state for end in ends] == ["held", "held"]
    dispute = {"api": "stripe", "submissions": [], "outcome": None, "evidence": {}}
    return Transcript(
        given={"run1": ["a", "b"]},
        approvals=[Approval("run1/1", "review", "a", 100.0, Shown(50.0, "chargeback#0", ()))],
        completions=[Completion("run1/1", 0.0, 200.0, tuple(end.to_dict() for end in ends))],
        dues={"a": [(100_000.0, 0.0)], "b": [(100_000.0, 0.0)]},
        disputes={"a": dispute, "b": dispute},
    )


@pytest.mark.parametrize(
    ("chosen", "params"),
    [(["Submit c · older"], {}), (["Submit none"], {"reject": ["c"]}), (["Submit none"], {"concede": ["c"]})],
)
@pytest.mark.parametrize("has_changed", [True, False])
def test_an_answer_to_an_older_form_is_excused_by_a_change_of_any_of_its_disputes(
    chosen, params, has_changed
):
    transcript = answered(chosen, params)
    if has_changed:
        transcript.disturbed.append((80.0, "b", "text"))
    assert [each.kind for each in judge(transcript)] == ([] if has_changed else [LOST])


@pytest.mark.parametrize("words", WORDS)
def test_the_package_gives_reasons_with_these_words(words):
    assert any(words in text for text in texts())


def texts() -> Iterator[str]:
    """Yield the strings of the modules that end records, without docstrings."""
    for room in ("_workflow", "_tasks"):
        for path in Path(dispute_provider.__path__[0], room).rglob("*.py"):
            nodes = [*ast.walk(ast.parse(path.read_text("utf-8")))]
            statements = [node.value for node in nodes if isinstance(node, ast.Expr)]
            literals = [node for node in nodes if isinstance(node, ast.Constant) and node not in statements]
            yield from (node.value for node in literals if isinstance(node.value, str))
