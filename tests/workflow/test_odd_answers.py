"""Odd answers: each oddity stays with its dispute, and only what the code needs stops that one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from faults_page import rows
from flows import VERDICTS, contest
from sweeping import Sweep, write_case

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._tasks.record_lists import records_of as read_records
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import MOOV_ACCOUNT

ANY_SUM = ApprovalPolicy("any sum", {"usd": 10_000}, verdicts=VERDICTS)
HOOKS = {"stripe": StripeHook, "moov": MoovHook}
UNKNOWN = "never_seen_before"
# Without these it is unknown which dispute it is, the amount, the due date, or what would be submitted.
NEEDED = {
    "stripe": {
        "/id",
        "/amount",
        "/currency",
        "/status",
        "/evidence",
        "/evidence_details",
        "/evidence_details/due_by",
        "/evidence_details/submission_count",
    },
    "moov": {
        "/disputeID",
        "/amount",
        "/amount/value",
        "/amount/currency",
        "/respondBy",
        "/status",
        "/phase",
    },
}
# Values that can be read and end a dispute otherwise: no response is possible, or a person has to look.
ENDS = {
    "stripe": {
        ("/evidence_details/due_by", "null"): ("refused", "the API accepts no response to it"),
        ("/status", "unknown"): ("held", "its status, never_seen_before, is unknown to this version"),
    },
    "moov": {("/status", "unknown"): ("refused", "")},
}
# How a dispute is submitted by the API itself has rules of its own.
ASIDE = {"/intended_submission_method"}


class Odd(NamedTuple):
    pointer: str
    how: str
    edit: dict[str, Any]


def pointers(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, item in children:
        yield f"{at}/{name}", item
        yield from pointers(item, f"{at}/{name}")


def oddities(document: Any) -> Iterator[Odd]:
    """Each path of a document nulled, removed, of another type; and each text of an unknown value."""
    for pointer, item in pointers(document):
        if pointer in ASIDE:
            continue
        yield Odd(pointer, "null", {"set": {pointer: None}})
        yield Odd(pointer, "removed", {"remove": [pointer]})
        wrong: Any = {"odd": 1} if isinstance(item, list) else ["odd"]
        yield Odd(pointer, "wrong type", {"set": {pointer: wrong}})
        if isinstance(item, str):
            yield Odd(pointer, "unknown", {"set": {pointer: UNKNOWN}})


def as_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def new(sandbox: Any, kind: str) -> dict[str, Any]:
    evidence = {"stripe": {"customer_name": "Jo Doe"}, "moov": {"receipt": "Paid."}}[kind]
    return sandbox.create_dispute(api=kind, amount=100, evidence=evidence)


def case(kind: str, dispute: str) -> dict[str, Any]:
    field = {"stripe": "uncategorized_text", "moov": "cover-letter"}[kind]
    return {"provider": kind, "dispute": dispute, "evidence": {field: "Delivered."}}


def quick(connect: Any, kind: str) -> str:
    extra = {"stripe": {"rate_limit": 1000}, "moov": {"rate_limit": 1000, "account": MOOV_ACCOUNT}}[kind]
    return connect(kind, extra=extra)


def is_needed(kind: str, odd: Odd) -> bool:
    """Whether a dispute with this oddity must not be read."""
    if odd.how == "unknown":
        # It has no form that could be a date, an id or a currency.
        return kind == "moov" and odd.pointer in ("/disputeID", "/respondBy", "/amount/currency")
    if odd.how == "null" and odd.pointer == "/evidence_details/due_by":
        return False
    what_goes_out = odd.how == "wrong type" and odd.pointer.startswith("/evidence/")
    return odd.pointer in NEEDED[kind] or what_goes_out


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_an_odd_dispute_affects_no_other(kind, engine, sandbox, connect):
    conn_id = quick(connect, kind)
    model = new(sandbox, kind)["object"]
    odd_ones: dict[str, Odd] = {}
    for odd in oddities(model):
        dispute = new(sandbox, kind)["id"]
        sandbox.odd(of=dispute, **odd.edit)
        odd_ones[dispute] = odd

    run = engine.run(
        contest([case(kind, each) for each in odd_ones], conn_id, policy=ANY_SUM),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
    )

    records = {record.dispute: record for record in read_records(as_json(engine.result(run, "submit")))}
    assert records.keys() == odd_ones.keys()
    wrong = []
    for dispute, odd in odd_ones.items():
        record = records[dispute]
        if is_needed(kind, odd):
            fine = record.state == "held" and odd.pointer in record.reason
        else:
            state, reason = ENDS[kind].get((odd.pointer, odd.how), ("submitted", ""))
            fine = record.state == state and reason in record.reason
        if not fine:
            wrong.append((odd.pointer, odd.how, record.state, record.reason))
    assert not wrong, f"{len(wrong)} of {len(odd_ones)}: {wrong}"


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_an_odd_listed_dispute_affects_no_other(kind, sandbox, connect):
    quick(connect, kind)
    model = new(sandbox, kind)
    odd_ones: dict[str, Odd] = {}
    for odd in oddities(model["object"]):
        dispute = new(sandbox, kind)["id"]
        sandbox.odd(of=dispute, **odd.edit)
        odd_ones[dispute] = odd

    hook = HOOKS[kind]()
    listing = hook.with_api(lambda api: api.list_open())

    named = {each.dispute: each.problem for each in listing.unreadable}
    listed = {each.id for each in listing.disputes}
    assert model["id"] in listed
    own_id = {"stripe": "/id", "moov": "/disputeID"}[kind]
    wrong = []
    for dispute, odd in odd_ones.items():
        if odd.pointer == own_id:
            continue
        if is_needed(kind, odd):
            fine = odd.pointer in named.get(dispute, "") and dispute not in listed
        else:
            fine = dispute in listed
        if not fine:
            wrong.append((odd, named.get(dispute)))
    assert not wrong, f"{len(wrong)} of {len(odd_ones)}: {wrong}"
    without_id = [each for each in listing.unreadable if own_id in each.problem]
    assert len(without_id) == sum(is_needed(kind, odd) for odd in odd_ones.values() if odd.pointer == own_id)


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_an_odd_answer_to_a_submission_leaves_it_submitted(kind, engine, sandbox, connect):
    conn_id = quick(connect, kind)
    operation = {"stripe": "PostDisputesDispute", "moov": "submitDisputeEvidence"}[kind]
    odd_ones: dict[str, Odd] = {}
    for odd in oddities(new(sandbox, kind)["object"]):
        dispute = new(sandbox, kind)["id"]
        sandbox.odd(of=dispute, operation=operation, **odd.edit)
        # A malformed answer costs some seconds of looking, so one of each will do.
        if not is_needed(kind, odd) or odd.how == "null":
            odd_ones[dispute] = odd
    if kind == "stripe":
        # Staging has the same operation, and its answer is read as well.
        odd_ones = {dispute: odd for dispute, odd in odd_ones.items() if not is_needed(kind, odd)}

    run = engine.run(
        contest([case(kind, each) for each in odd_ones], conn_id, policy=ANY_SUM),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
    )

    records = list(read_records(as_json(engine.result(run, "submit"))))
    assert {record.dispute for record in records} == odd_ones.keys()
    wrong = [(odd_ones[each.dispute], each.reason) for each in records if each.state != "submitted"]
    assert not wrong, f"{len(wrong)} of {len(odd_ones)}: {wrong}"
    for record in records:
        ambiguous = "confirmed by reading back after" in record.reason
        assert ambiguous == is_needed(kind, odd_ones[record.dispute]), record.reason
        assert len(sandbox.dispute(record.dispute)["submissions"]) == 1


def xcom(engine: Any, run: Any, task: str, key: str = "return_value") -> list[Any]:
    """The records that a task of the sweep's first connection has pushed."""
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/contest.{task}/xcomEntries/{key}"
    answer = engine.api.get(path, params={"deserialize": False, "map_index": 0}).json()
    return list(read_records(as_json(answer["value"])))


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_broken_list_item_becomes_a_held_record_and_others_continue(
    kind, engine, sandbox, connect, cases, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", connect(kind))
    good, with_id, *without_id = (new(sandbox, kind)["id"] for _ in range(8))
    amount = {"stripe": "/amount", "moov": "/amount/value"}[kind]
    sandbox.odd(of=with_id, remove=[amount])
    broken: list[Any] = [None, "text", [], 7, {}, {"id": None, "disputeID": None}]
    for dispute, instead in zip(without_id, broken, strict=True):
        sandbox.odd(of=dispute, set={"": instead})
    for dispute in (good, with_id, *without_id):
        write_case(cases, dispute, provider=kind)

    run = Sweep(engine).run()

    [staged] = xcom(engine, run, "stage")
    assert (staged.dispute, staged.state) == (good, "staged")
    held = xcom(engine, run, "find", "unreadable")
    assert sorted(each.dispute for each in held) == sorted([with_id, *["without a readable id"] * 6])
    assert {each.state for each in held} == {"held"}
    assert amount in next(each.reason for each in held if each.dispute == with_id)
    assert all(rows()["An item of a list of disputes cannot be read"].quotes(each.reason) for each in held)
    # A person has to look, so the report at the sweep's end fails.
    assert run.state == "failed"
    for dispute in (with_id, *without_id):
        sandbox.edit_dispute(dispute, submit=True)
    # Stripe lists answered disputes too, and an item without a status may be an open one.
    assert with_id not in {each.dispute for each in xcom(engine, Sweep(engine).run(), "find", "unreadable")}
    sandbox.clear_oddities()
    assert xcom(engine, Sweep(engine).run(), "find", "unreadable") == []


@pytest.mark.parametrize("has_more", ["unchanged", None, "removed"])
def test_broken_items_do_not_stop_paging(has_more, sandbox, connect):
    quick(connect, "stripe")
    ids = [each["id"] for each in sandbox.create_disputes([{"api": "stripe"}] * 230)]
    for dispute in ids[::9]:
        sandbox.odd(of=dispute, set={"": None})
    # Whole ends of pages have no id; lists run from the newest to the oldest.
    for dispute in ids[120:140]:
        sandbox.odd(of=dispute, set={"/id": 7})
    if has_more != "unchanged":
        how = {"remove": ["/has_more"]} if has_more else {"set": {"/has_more": None}}
        sandbox.odd(operation="GetDisputes", **how)
    listing = StripeHook().with_api(lambda api: api.list_open())
    bad = {*ids[::9], *ids[120:140]}
    assert [each.id for each in listing.disputes] == [each for each in reversed(ids) if each not in bad]
    assert len(listing.unreadable) == len(bad)


def test_a_page_without_any_id_ends_the_list_and_is_named(sandbox, connect):
    quick(connect, "stripe")
    ids = [each["id"] for each in sandbox.create_disputes([{"api": "stripe"}] * 210)]
    for dispute in ids[:105]:
        sandbox.odd(of=dispute, remove=["/id"])
    listing = StripeHook().with_api(lambda api: api.list_open())
    assert [each.id for each in listing.disputes] == ids[:104:-1]
    assert listing.unreadable[-1].problem.startswith("the rest of the list cannot be read")
