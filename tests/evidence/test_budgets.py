"""Limits of texts and documents: exact at each limit, with the arithmetic in the message."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispute_provider._contracts import contract
from dispute_provider._evidence.limits import Limits, MeasuredDocument, exceeded, to_leave_out, unfit, usage

STRIPE = Limits.of(contract.load("stripe"))
MOOV = Limits.of(contract.load("moov"))
SMALL = Limits(("application/pdf",), 10, total_bytes=20, total_pages=5, documents_per_name=1)


def test_the_contracts_have_the_documented_limits():
    assert STRIPE.types == ("application/pdf", "image/jpeg", "image/png")
    assert (STRIPE.document_bytes, STRIPE.total_bytes) == (5_000_000, 4_500_000)
    assert [STRIPE.pages(network) for network in (None, "visa", "mastercard", "Mastercard")] == [
        49,
        49,
        19,
        19,
    ]
    assert (STRIPE.documents_per_name, STRIPE.total_text) == (1, 150_000)
    assert (STRIPE.text["uncategorized_text"], STRIPE.text["service_date"]) == (20_000, 5_000)
    assert MOOV.types == ("application/pdf", "image/jpeg", "image/tiff")
    assert (MOOV.document_bytes, MOOV.total_bytes, MOOV.pages("visa"), MOOV.total_text) == (
        4_000_000,
        None,
        None,
        None,
    )
    assert set(MOOV.text.values()) == {750}


@pytest.mark.parametrize(
    ("api", "operation"), [("stripe", "PostFiles"), ("moov", "uploadDisputeEvidenceFile")]
)
def test_the_upload_accepts_what_a_case_may_hold(api, operation):
    part = contract.load(api)[operation].schema["properties"]["file"]
    limits = Limits.of(contract.load(api))
    assert set(part["x-contentTypes"]) == set(limits.types)
    assert part["x-maxBytes"] == limits.document_bytes


@pytest.mark.parametrize("limits", [STRIPE, MOOV])
def test_one_document_is_exact_at_its_limit(limits):
    assert unfit(limits, limits.document_bytes, "image/jpeg") is None
    problem, remedy = unfit(limits, limits.document_bytes + 1, "image/jpeg") or ("", "")
    assert (
        problem == f"it has {limits.document_bytes + 1:,} bytes, and the limit is {limits.document_bytes:,}"
    )
    assert "smaller" in remedy


@pytest.mark.parametrize(
    ("limits", "content_type", "message"),
    [
        (
            STRIPE,
            "image/tiff",
            ("it is a TIFF, which the API does not accept", "save it as PDF, JPEG or PNG"),
        ),
        (MOOV, "image/png", ("it is a PNG, which the API does not accept", "save it as PDF, JPEG or TIFF")),
        (SMALL, "image/png", ("it is a PNG, which the API does not accept", "save it as PDF")),
        (MOOV, "image/tiff", None),
        (STRIPE, None, None),
    ],
)
def test_each_api_accepts_its_types(limits, content_type, message):
    assert unfit(limits, 1, content_type) == message


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([3_100_000, 1_400_000], None),
        (
            [3_100_000, 1_900_000],
            "a.pdf (receipt) 3.1 + customer_signature 1.9 = 5.0 MB, and the limit is 4.5 MB",
        ),
        (
            [2_250_000, 2_250_001],
            "a.pdf (receipt) 2.250000 + customer_signature 2.250001 = 4.500001 MB, "
            "and the limit is 4.500000 MB",
        ),
        ([4_600_000, None], "a.pdf (receipt) has 4.6 MB, and the limit is 4.5 MB"),
        (
            [2_260_000, 2_260_000],
            "a.pdf (receipt) 2.26 + customer_signature 2.26 = 4.52 MB, and the limit is 4.50 MB",
        ),
    ],
)
def test_the_sum_of_sizes_is_shown(sizes, message):
    documents = [
        MeasuredDocument("receipt", sizes[0], path="a.pdf"),
        MeasuredDocument("customer_signature", sizes[1]),
    ]
    assert [each.problem for each in exceeded(STRIPE, documents)] == ([message] if message else [])


@pytest.mark.parametrize(
    ("network", "pages", "message"),
    [
        ("visa", [30, 19], None),
        ("visa", [30, 20], "receipt 30 + customer_signature 20 = 50 pages, and the limit is 49 pages"),
        (None, [30, 20], "receipt 30 + customer_signature 20 = 50 pages, and the limit is 49 pages"),
        ("mastercard", [10, 9], None),
        (
            "mastercard",
            [10, 10],
            "receipt 10 + customer_signature 10 = 20 pages, and the limit is 19 pages for Mastercard",
        ),
        ("mastercard", [20, None], "receipt has 20 pages, and the limit is 19 pages for Mastercard"),
    ],
)
def test_the_sum_of_pages_is_shown_for_each_network(network, pages, message):
    documents = [
        MeasuredDocument("receipt", 1, pages[0]),
        MeasuredDocument("customer_signature", 1, pages[1]),
    ]
    assert [each.problem for each in exceeded(STRIPE, documents, network)] == ([message] if message else [])


def test_a_field_that_accepts_one_document():
    [found] = exceeded(STRIPE, [MeasuredDocument("receipt", 1, 1), MeasuredDocument("receipt", 1, 1)])
    assert (found.pointer, found.problem) == ("/evidence/receipt", "2 documents, and the limit is 1")
    assert not exceeded(MOOV, [MeasuredDocument("receipt", 1, 1)] * 9)


def test_the_last_optional_documents_are_left_out_first():
    documents = [
        MeasuredDocument("a", 8, 1, "a", optional=True),
        MeasuredDocument("b", 8, 1, "b"),
        MeasuredDocument("c", 8, 1, "c", optional=True),
    ]
    assert to_leave_out(SMALL, documents) == {
        "c": "a (a) 0.000008 + b (b) 0.000008 + c (c) 0.000008 = 0.000024 MB, and the limit is 0.000020 MB"
    }
    assert [*to_leave_out(SMALL, [*documents, MeasuredDocument("d", 10, 1, "d")])] == ["c", "a"]
    assert not to_leave_out(SMALL, documents[:2])
    assert not to_leave_out(SMALL, [MeasuredDocument("x", 30, 9, "x")])


def test_usage_is_one_line():
    documents = [MeasuredDocument("receipt", 700_000, 3), MeasuredDocument("customer_signature", 500_000, 4)]
    texts = [
        ("uncategorized_text", "x" * 12_000),
        ("enhanced_evidence", {"a": ["\U0001f600", {"b": "x" * 32}]}),
    ]
    used = usage(STRIPE, documents, texts, "visa")
    assert used.text == "12,034 of 150,000 characters · 2 documents · 1.2 of 4.5 MB · 7 of 49 pages"
    assert used.longest == {"uncategorized_text": (12_000, 20_000)}
    assert usage(STRIPE, documents, [], "mastercard").text.endswith("7 of 19 pages")
    unknown = usage(STRIPE, [*documents, MeasuredDocument("refund_policy")], [])
    assert unknown.text.endswith("3 documents · at least 1.2 of 4.5 MB · at least 7 of 49 pages")
    small = usage(STRIPE, [MeasuredDocument("receipt", 894)], [])
    assert small.text == "0 of 150,000 characters · 1 document · under 0.1 of 4.5 MB"
    assert usage(STRIPE, [MeasuredDocument("receipt")], []).text.endswith("characters · 1 document")
    assert usage(MOOV, documents, [("receipt", "ab"), ("receipt", "abc")]).text == (
        "5 characters · 2 documents · 1.2 MB · 7 pages"
    )
    assert usage(MOOV, [], [("receipt", "ab"), ("receipt", "abc")]).longest == {"receipt": (3, 750)}


sizes = st.lists(st.integers(0, 5_000_000), min_size=1, max_size=9)


@settings(max_examples=150, deadline=None)
@given(sizes, st.integers(-1, 1))
def test_the_total_is_exact_at_its_limit_and_the_shown_sum_adds_up(parts, offset):
    *others, _ = parts
    last = 4_500_000 + offset - sum(others)
    documents = [MeasuredDocument("x", size) for size in ([*others, last] if last >= 0 else parts)]
    total = sum(each.size or 0 for each in documents)
    found = [each.problem for each in exceeded(MOOV_WITH_TOTAL, documents)]
    assert bool(found) == (total > 4_500_000)
    for problem in found:
        *addends, shown, limit = (
            int(number.replace(".", "").replace(",", "")) for number in re.findall(r"[\d,]+\.\d+", problem)
        )
        assert shown > limit
        assert sum(addends) == shown or len(documents) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.booleans()), max_size=8))
def test_the_remaining_documents_fit_or_are_required(pieces):
    documents = [
        MeasuredDocument(str(i), size, pages, str(i), optional=optional)
        for i, (size, pages, optional) in enumerate(pieces)
    ]
    gone = to_leave_out(SMALL, documents)
    stay = [each for each in documents if each.path not in gone]
    assert all(each.optional for each in documents if each.path in gone)
    assert not exceeded(SMALL, stay) or not any(each.optional for each in stay)
    if not exceeded(SMALL, documents):
        assert not gone


MOOV_WITH_TOTAL = Limits(MOOV.types, MOOV.document_bytes, total_bytes=4_500_000)
