"""The review form and what its answers mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from disputes import batch, record, snapshot
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispute_provider._explain import markdown
from dispute_provider._workflow.reviewing import review


def test_one_dispute_is_shown_in_full():
    held = snapshot("du_1", text="All of it.")
    form = review.form([record(held)], {"du_1": held})

    assert form.subject == "due 1 Dec 00:00 UTC · 12.00 USD · Fraudulent · du_1"
    assert "All of it." in form.body
    assert record(held).digest in form.body
    assert record(held).digest[:12] in form.options[0]
    assert not form.multiple


def test_a_batch_is_sorted_by_deadline_and_totals_per_currency():
    soon = snapshot("du_soon", due=datetime(2026, 11, 24, tzinfo=UTC), currency="jpy", amount=5000)
    later = snapshot("du_later")
    form = review.form([record(later), record(soon)], {"du_soon": soon, "du_later": later})

    assert form.subject == "due 24 Nov 00:00 UTC · 2 disputes · 5,000 JPY + 12.00 USD · Stripe"
    for now, due in (
        (datetime(2026, 11, 24, tzinfo=UTC), "today"),
        (datetime(2026, 11, 23, 23, tzinfo=UTC), "24 Nov"),
    ):
        opened = review.form([record(soon)], {"du_soon": soon}, now=now)
        assert opened.subject.startswith(f"due {due} 00:00 UTC · 5,000 JPY · ")
    assert form.body.index("du\\_soon") < form.body.index("du\\_later")
    assert form.options[0].startswith("Submit all 2")
    assert form.options[1] == review.NONE_OPTION


def test_a_reason_that_is_a_code_of_the_network_is_written_in_words():
    held = snapshot("du_1")
    shown = replace(record(held), provider="moov", dispute_reason="10.4", network_code="10.4")
    form = review.form([shown], {"du_1": held})
    assert form.subject == "due 1 Dec 00:00 UTC · 12.00 USD · Card-absent fraud · du_1"
    assert re.search(r"Reason.*Card-absent fraud", form.body)
    both = review.form([shown, replace(shown, dispute="du_2")], {"du_1": held, "du_2": held})
    assert both.body.count("| Card-absent fraud |") == 2


IDS = [f"du_{number}" for number in range(5)]


@given(st.data())
def test_only_disputes_named_in_the_answer_are_approved_or_conceded(data):
    records, _ = batch(data.draw(st.integers(2, 5)))
    inquiries = data.draw(st.sets(st.sampled_from(IDS)))
    records = [replace(r, stage="inquiry") if r.dispute in inquiries else r for r in records]
    labels = {review.submit_option(each): each.dispute for each in records}
    giving_up = {review.concede_option(each): each.dispute for each in records}
    everything = review.all_option(records)
    options = [*labels, everything, review.NONE_OPTION, "Submit du_0 · an older form"]
    chosen = data.draw(st.lists(st.sampled_from(options), unique=True))
    some = st.lists(st.sampled_from(IDS), unique=True, max_size=2)
    conceded = data.draw(st.lists(st.sampled_from([*giving_up, "du_0"]), unique=True, max_size=2))
    meant = " ".join(giving_up.get(label, label) for label in conceded)
    params = {
        "reject": data.draw(some),
        "edit": data.draw(some),
        "concede": conceded,
        "concede_confirm": data.draw(st.sampled_from([meant, meant, meant, "", "du_0", "yes"])),
        "hold_for": data.draw(st.sampled_from(["", "", "Ben"])),
    }

    decisions = review.decide(records, chosen, params)

    if isinstance(decisions, str):
        return
    assert set(decisions) == {each.dispute for each in records}, "each is decided"
    for dispute, decision in decisions.items():
        otherwise = {name for name in ("reject", "edit") if dispute in params[name]}
        given_up = any(giving_up.get(label) == dispute for label in conceded)
        if decision.action == review.SUBMIT:
            assert everything in chosen or any(labels.get(option) == dispute for option in chosen)
            assert not otherwise
            assert not given_up
            assert review.NONE_OPTION not in chosen
        if decision.action == review.CONCEDE:
            assert given_up
            assert dispute in params["concede_confirm"].split()
            assert dispute not in inquiries
            assert not otherwise
        if given_up:
            assert decision.action == review.CONCEDE, "never silently something else"


@given(st.data())
def test_a_single_dispute_needs_its_own_option(data):
    [record], _ = batch(1)
    options = [
        review.single_option(record),
        review.concede_option(record),
        review.HOLD_OPTION,
        review.EDIT_OPTION,
        review.REJECT_OPTION,
        review.submit_option(record),
        review.single_option(replace(record, digest="0" * 64)),
        review.concede_option(replace(record, digest="0" * 64)),
    ]
    chosen = data.draw(st.lists(st.sampled_from(options), max_size=2))
    params = {
        "concede_confirm": data.draw(st.sampled_from(["", "du_0", "du_1", "du_0 du_1"])),
        "reject": data.draw(st.sampled_from([[], ["du_0"]])),
        "concede": data.draw(st.sampled_from([[], [options[1]]])),
    }

    decisions = review.decide([record], chosen, params)

    named = {options[0]: review.SUBMIT, options[1]: review.CONCEDE}
    if isinstance(decisions, str):
        return
    assert decisions["du_0"].action == named.get(chosen[0], decisions["du_0"].action)
    if decisions["du_0"].action in (review.SUBMIT, review.CONCEDE):
        assert chosen in ([options[0]], [options[1]])
        assert (params["concede_confirm"] == "du_0") == (chosen == [options[1]])


def test_a_dispute_with_its_own_choice_is_excluded_from_all():
    records, _ = batch(5)
    params = {
        "reject": ["du_1"],
        "edit": ["du_2"],
        "concede": [review.concede_option(records[3])],
        "concede_confirm": "du_3",
        "note": "as discussed",
    }
    decided = review.decide(records, [review.all_option(records)], params)
    assert {dispute: decision.action for dispute, decision in decided.items()} == {
        "du_0": review.SUBMIT,
        "du_1": review.REJECT,
        "du_2": review.EDIT,
        "du_3": review.CONCEDE,
        "du_4": review.SUBMIT,
    }
    assert decided["du_3"].reason == "concession approved: as discussed"
    assert "opens a new review" in decided["du_2"].meaning


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"concede_confirm": ""}, "the confirmation does not match"),
        ({"concede_confirm": "du_1"}, "the confirmation does not match"),
        ({"concede_confirm": "du_0, du_1"}, "the confirmation does not match"),
        ({"concede": []}, "concedes no dispute"),
        ({"reject": ["du_0"]}, "both reject and concede for du_0"),
        ({"edit": ["du_0"]}, "both edit and concede for du_0"),
        ({"concede": ["du_0"]}, "not in this review"),
    ],
)
def test_a_concession_that_is_not_confirmed_or_contradicts_itself_voids_the_answer(change, why):
    records, _ = batch(2)
    params = {"concede": [review.concede_option(records[0])], "concede_confirm": "du_0"}
    assert review.decide(records, [review.NONE_OPTION], params)["du_0"].action == review.CONCEDE
    assert why in review.decide(records, [review.NONE_OPTION], params | change)


def test_a_choice_that_contradicts_itself_or_belongs_to_another_form_is_void():
    records, _ = batch(3)
    none, everything = review.NONE_OPTION, review.all_option(records)
    assert "both none and some" in review.decide(records, [none, everything], {})
    assert "both none and some" in review.decide(records, [none, review.submit_option(records[0])], {})
    [alone] = records[:1]
    for field in ("reject", "edit"):
        answer = review.decide([alone], [review.single_option(alone)], {field: ["du_0"]})
        assert "fields that this form does not have" in answer
    older = replace(alone, digest="0" * 64)
    confirmed = {"concede_confirm": "du_0"}
    assert "not in this form" in review.decide([alone], [review.concede_option(older)], confirmed)
    params = {"concede": [review.concede_option(older)], **confirmed}
    assert "not in this review" in review.decide(records, [none], params)


def test_an_inquiry_is_never_conceded_and_the_form_does_not_offer_it():
    records, snapshots = batch(2, stage="inquiry")
    for some in (records, records[:1]):
        form = review.form(some, snapshots)
        assert not any("Concede" in option for option in form.options)
        assert not {"concede", "concede_confirm"} & set(form.fields)
    params = {"concede": [review.concede_option(records[0])], "concede_confirm": "du_0"}
    assert "inquiry" in review.decide(records, [review.NONE_OPTION], params)
    alone = review.decide(records[:1], [review.concede_option(records[0])], {"concede_confirm": "du_0"})
    assert "inquiry" in alone


def test_a_hold_has_a_reason_and_an_assignee():
    [record], _ = batch(1)
    fields = {"hold_reason": "Needs documents", "hold_for": "Ben", "note": "no receipt"}
    decided = review.decide([record], [review.HOLD_OPTION], fields)
    assert decided["du_0"].meaning == "held by the reviewer (needs documents, assigned to Ben)"
    assert decided["du_0"].reason.endswith("assigned to Ben): no receipt")
    for option in (review.single_option(record), review.REJECT_OPTION):
        assert "holds no dispute" in review.decide([record], [option], fields)
    untouched = {"hold_reason": review.LATER, "hold_for": "", "note": None, "concede_confirm": None}
    assert review.decide([record], [review.single_option(record)], untouched)["du_0"].action == review.SUBMIT


def test_an_option_of_an_older_form_voids_the_answer():
    records, _ = batch(3)
    older = review.submit_option(replace(records[0], digest="0" * 64))
    assert isinstance(review.decide(records, [older], {}), str)
    assert isinstance(review.decide(records, [review.all_option(records[:2])], {}), str)
    assert isinstance(review.decide(records[:1], [older], {}), str)


@pytest.mark.parametrize(
    "params",
    [
        {"note": 1},
        {"reject": "du_1"},
        {"note": "x" * 2001},
        {"edit": [{}]},
        {"concede": {"du_0": True}},
        {"hold_reason": "because"},
        {"hold_for": "x" * 101},
        {"concede_confirm": ["du_0"]},
    ],
)
def test_fields_of_the_wrong_kind_void_the_answer(params):
    records, _ = batch(2)
    assert isinstance(review.decide(records, [review.all_option(records)], params), str)


def test_none_and_single_choices():
    records, _ = batch(2)
    held = review.decide(records, [review.NONE_OPTION], {"note": "busy"})
    assert {decision.action for decision in held.values()} == {review.HOLD}
    assert "busy" in held["du_0"].reason
    for option, action in (
        (review.HOLD_OPTION, review.HOLD),
        (review.EDIT_OPTION, review.EDIT),
        (review.REJECT_OPTION, review.REJECT),
    ):
        assert review.decide(records[:1], [option], {})["du_0"].action == action


@given(st.text())
def test_no_text_ends_its_code_fence(text):
    shown = markdown.fenced(text)
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
    row = next((line for line in body.split("\n") if line.startswith("| Additional information | `")), None)
    if row is None:
        assert markdown.fenced(text) in body
        return
    inside = row.removeprefix("| Additional information | `").removesuffix("` |")
    assert inside == markdown.one_line(text), "all of it, on one line"
    assert not re.search(r"[`|]|  |^ | $", inside)


def test_a_batch_names_stage_and_preparation_and_notes_only_where_there_are_any():
    records, snapshots = batch(2)
    assert "| Notes |" not in review.form(records, snapshots).body
    noted = [replace(records[0], notes=("changed",), prepared_by="Ben", customer_contacted=False), records[1]]
    body = review.form(noted, snapshots).body
    assert "| Notes |" in body
    assert "du\\_0 · 1.00 USD · Chargeback\n\nPrepared by: Ben · Customer contacted: **No**\n\n| | |" in body


@given(st.text())
def test_plain_text_is_one_line_without_markdown(text):
    shown = markdown.plain(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]()<>`|!]", shown)


def test_a_note_names_texts_that_are_too_long_for_the_form():
    snapshots = {f"du_{n}": snapshot(f"du_{n}", text="x" * 20_000) for n in range(20)}
    form = review.form([record(held) for held in snapshots.values()], snapshots)
    assert "too long for this form" in form.body
    assert len(form.body) < 250_000
    assert len(form.options) == 22, "what is not shown can still be chosen"
