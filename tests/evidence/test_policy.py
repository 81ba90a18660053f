"""A policy approves the disputes that it covers, and no others."""

from __future__ import annotations

import re

import pytest
from disputes import batch, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._evidence.record import Difference, State

POLICY = ApprovalPolicy("small sums", {"USD": 2000, "jpy": 500}, reasons=("fraudulent",))
READY = {"verdict": "ready"}


def test_it_approves_a_covered_dispute():
    assert POLICY.objection(record(snapshot("du_1"), **READY)) is None
    assert POLICY.approver == "policy small sums"


@pytest.mark.parametrize(
    ("facts", "more", "why"),
    [
        ({"amount": 2000}, READY, "20.00 USD is not below the limit of 20.00 USD"),
        ({"currency": "jpy"}, READY, "1,200 JPY is not below the limit of 500 JPY"),
        ({"currency": "eur"}, READY, "the policy has no limit in EUR"),
        ({}, {"verdict": "weak"}, "the verdict on its evidence is weak"),
        ({}, {}, "not known"),
        ({"reason": "duplicate"}, READY, "the policy does not cover the reason Duplicate"),
        ({}, {**READY, "warnings": ("a fee",)}, "warnings"),
        ({}, {**READY, "differences": (Difference("receipt", "kept"),)}, "a colleague's"),
        ({}, {**READY, "state": State.HELD}, "not staged"),
        ({}, {**READY, "digest": None}, "not staged"),
        ({}, {**READY, "amount": None}, "amount is not known"),
    ],
)
def test_an_objection_gives_the_reason(facts, more, why):
    assert why in POLICY.objection(record(snapshot("du_1", **facts), **more))


@given(st.integers(-10, 10**6), st.sampled_from(["usd", "JPY", "eur", ""]))
def test_it_approves_only_amounts_below_its_limit(amount, currency):
    held = record(snapshot("du_1", amount=amount, currency=currency), **READY)
    if POLICY.objection(held) is None:
        assert amount < {"usd": 2000, "jpy": 500}[currency.lower()]


def test_a_sample_is_stable_and_of_about_the_requested_size():
    records, _ = batch(400)
    policy = ApprovalPolicy("small sums", {"usd": 1}, sample=0.25)
    drawn = [record.dispute for record in records if policy.is_sampled(record)]
    assert drawn == [record.dispute for record in records if policy.is_sampled(record)]
    assert 60 < len(drawn) < 140
    assert all(ApprovalPolicy("all", {"usd": 1}, sample=1).is_sampled(record) for record in records)
    assert not any(POLICY.is_sampled(record) for record in records)


@pytest.mark.parametrize("wrong", [{"name": " "}, {"below": {}}, {"sample": 1.1}, {"sample": -0.1}])
def test_a_policy_without_name_limits_or_a_valid_sample_is_refused(wrong):
    with pytest.raises(ValueError, match=r"ApprovalPolicy needs|sample must be"):
        ApprovalPolicy(**{"name": "x", "below": {"usd": 1}, **wrong})


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"below": 5000}, "below must give whole numbers of minor units by currency"),
        ({"below": {"usd": "5000"}}, "not {'usd': '5000'}"),
        ({"below": {"usd": 50.0}}, "such as {'usd': 5000} for 50.00 USD"),
        ({"below": {"usd": True}}, "not {'usd': True}"),
        ({"verdicts": "ready"}, "verdicts must be a tuple of some of ready, weak, missing, unknown"),
        ({"verdicts": ("Ready",)}, "not ('Ready',)"),
        ({"reasons": "fraudulent"}, "reasons must be a tuple, such as ('fraudulent',)"),
    ],
)
def test_what_no_dispute_could_match_is_refused_with_the_dag(wrong, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        ApprovalPolicy(**{"name": "x", "below": {"usd": 1}, **wrong})
