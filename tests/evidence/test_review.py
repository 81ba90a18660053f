"""The review form and what its answers mean."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider.evidence import review
from dispute_provider.evidence.record import Record, State
from dispute_provider.evidence.snapshot import Dispute, Evidence, Snapshot


def snapshot(dispute: str, text: str = "Delivered.", **facts: object) -> Snapshot:
    held = Dispute(
        provider="stripe",
        account=None,
        id=dispute,
        stage="chargeback",
        status="needs_response",
        submissions=0,
        submitted=False,
        submitted_at=None,
        closed=None,
        due=datetime(2026, 12, 1, tzinfo=UTC),
        amount=1200,
        currency="usd",
        reason="fraudulent",
    )
    return Snapshot(replace(held, **facts), (Evidence("uncategorized_text", text=text),))  # type: ignore[arg-type]


def record(held: Snapshot) -> Record:
    return Record("stripe", "stripe_default", held.dispute.id, State.STAGED, "").seen(held)


def batch(count: int) -> tuple[list[Record], dict[str, Snapshot]]:
    snapshots = {f"du_{n}": snapshot(f"du_{n}", amount=100 * (n + 1)) for n in range(count)}
    return [record(held) for held in snapshots.values()], snapshots


def test_one_dispute_is_shown_in_full():
    held = snapshot("du_1", text="All of it.")
    form = review.form([record(held)], {"du_1": held})

    assert form.subject == "2026-12-01 00:00 UTC · 12.00 USD · fraudulent · du_1"
    assert "All of it." in form.body
    assert record(held).digest in form.body
    assert record(held).digest[:12] in form.options[0]
    assert not form.multiple


def test_a_batch_is_sorted_by_deadline_and_totals_per_currency():
    soon = snapshot("du_soon", due=datetime(2026, 11, 24, tzinfo=UTC), currency="jpy", amount=5000)
    later = snapshot("du_later")
    form = review.form([record(later), record(soon)], {"du_soon": soon, "du_later": later})

    assert form.subject == "2026-11-24 00:00 UTC · 2 stripe disputes · 5,000 JPY + 12.00 USD"
    assert form.body.index("du\\_soon") < form.body.index("du\\_later")
    assert form.options[0].startswith("Submit all 2")
    assert form.options[1] == review.NONE_OPTION


@given(st.data())
def test_nothing_is_approved_that_the_answer_does_not_name(data):
    records, _ = batch(data.draw(st.integers(2, 6)))
    labels = {review.submit_option(each): each.dispute for each in records}
    everything = review.all_option(records)
    options = [*labels, everything, review.NONE_OPTION, "Submit du_0 · an older form"]
    chosen = data.draw(st.lists(st.sampled_from(options), unique=True))
    rejected = data.draw(st.lists(st.sampled_from([*labels.values(), "du_x"]), unique=True))

    decisions = review.decide(records, chosen, {"reject": rejected})

    if isinstance(decisions, str):
        return
    assert set(decisions) == {each.dispute for each in records}, "each is decided"
    for dispute, decision in decisions.items():
        named = everything in chosen or any(labels.get(option) == dispute for option in chosen)
        if decision.action == review.SUBMIT:
            assert named
            assert dispute not in rejected
            assert review.NONE_OPTION not in chosen


def test_an_option_of_an_older_form_voids_the_answer():
    records, _ = batch(3)
    older = review.submit_option(replace(records[0], digest="0" * 64))
    assert isinstance(review.decide(records, [older], {}), str)
    assert isinstance(review.decide(records, [review.all_option(records[:2])], {}), str)
    assert isinstance(review.decide(records[:1], [older], {}), str)


@pytest.mark.parametrize("params", [{"note": 1}, {"reject": "du_1"}, {"note": "x" * 2001}])
def test_fields_of_the_wrong_kind_void_the_answer(params):
    records, _ = batch(2)
    assert isinstance(review.decide(records, [review.all_option(records)], params), str)


def test_none_and_single_choices():
    records, _ = batch(2)
    held = review.decide(records, [review.NONE_OPTION], {"note": "busy"})
    assert {decision.action for decision in held.values()} == {review.HOLD}
    assert "busy" in held["du_0"].reason
    for option, action in ((review.HOLD_OPTION, review.HOLD), (review.REJECT_OPTION, review.REJECT)):
        assert review.decide(records[:1], [option], {})["du_0"].action == action


@given(st.text())
def test_no_text_closes_its_fence_or_hides_in_it(text):
    shown = review.fenced(text)
    fence = re.match(r"`+", shown)[0]
    lines = shown.split("\n")
    assert lines[0] == fence + "text"
    assert lines[-1] == fence
    assert not any(fence in line for line in lines[1:-1])
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x7f]", shown)


@given(st.text())
def test_a_text_in_line_with_its_name_keeps_every_space_and_cannot_leave_its_backticks(text):
    held = snapshot("du_1", text=text)
    body = review.form([record(held)], {"du_1": held}).body
    row = next((line for line in body.split("\n") if line.startswith("| uncategorized\\_text | `")), None)
    if row is None:
        assert review.fenced(text) in body
        return
    inside = row.removeprefix("| uncategorized\\_text | `").removesuffix("` |")
    assert inside == review.one_line(text), "all of it, on one line"
    assert not re.search(r"[`|]|  |^ | $", inside)


def test_a_batch_names_stage_and_preparation_and_notes_only_where_there_are_any():
    records, snapshots = batch(2)
    assert "| Notes |" not in review.form(records, snapshots).body
    noted = [replace(records[0], notes=("changed",), prepared_by="Ben", customer_contacted=False), records[1]]
    body = review.form(noted, snapshots).body
    assert "| Notes |" in body
    assert "du\\_0 · 1.00 USD · chargeback\n\nPrepared by Ben · customer: not contacted\n\n| | |" in body


@given(st.text())
def test_plain_text_is_one_line_without_live_markdown(text):
    shown = review.plain(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]()<>`|!]", shown)


def test_texts_too_long_for_a_form_are_said_to_be_left_out():
    snapshots = {f"du_{n}": snapshot(f"du_{n}", text="x" * 20_000) for n in range(20)}
    form = review.form([record(held) for held in snapshots.values()], snapshots)
    assert "too long for this form" in form.body
    assert len(form.body) < 250_000
    assert len(form.options) == 22, "what is not shown can still be chosen"
