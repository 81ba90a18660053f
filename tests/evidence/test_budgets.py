"""Limits of texts and documents: exact at each bound, with the arithmetic in words."""

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


def test_the_contracts_say_what_the_apis_document():
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
def test_the_upload_takes_what_a_case_may_hold(api, operation):
    part = contract.load(api)[operation].schema["properties"]["file"]
    limits = Limits.of(contract.load(api))
    assert set(part["x-contentTypes"]) == set(limits.types)
    assert part["x-maxBytes"] == limits.document_bytes


@pytest.mark.parametrize("limits", [STRIPE, MOOV])
def test_one_document_is_exact_at_its_bound(limits):
    assert unfit(limits, limits.document_bytes, "image/jpeg") is None
    problem, remedy = unfit(limits, limits.document_bytes + 1, "image/jpeg") or ("", "")
    assert problem == f"it has {limits.document_bytes + 1:,} of {limits.document_bytes:,} bytes"
    assert "smaller" in remedy


@pytest.mark.parametrize(
    ("limits", "content_type", "said"),
    [
        (STRIPE, "image/tiff", ("it is a TIFF", "save it as one of PDF, JPEG, PNG")),
        (MOOV, "image/png", ("it is a PNG", "save it as one of PDF, JPEG, TIFF")),
        (SMALL, "image/png", ("it is a PNG", "save it as one of PDF")),
        (MOOV, "image/tiff", None),
        (STRIPE, None, None),
    ],
)
def test_each_api_takes_its_own_types(limits, content_type, said):
    assert unfit(limits, 1, content_type) == said


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([3_100_000, 1_400_000], None),
        ([3_100_000, 1_900_000], "a.pdf (receipt) 3.1 + customer_signature 1.9 MB = 5.0 of 4.5 MB"),
        (
            [2_250_000, 2_250_001],
            "a.pdf (receipt) 2.250000 + customer_signature 2.250001 MB = 4.500001 of 4.500000 MB",
        ),
        ([4_600_000, None], "a.pdf (receipt): 4.6 of 4.5 MB"),
        ([2_260_000, 2_260_000], "a.pdf (receipt) 2.26 + customer_signature 2.26 MB = 4.52 of 4.50 MB"),
    ],
)
def test_sizes_are_added_up_in_words(sizes, said):
    documents = [
        MeasuredDocument("receipt", sizes[0], path="a.pdf"),
        MeasuredDocument("customer_signature", sizes[1]),
    ]
    assert [each.problem for each in exceeded(STRIPE, documents)] == ([said] if said else [])


@pytest.mark.parametrize(
    ("network", "pages", "said"),
    [
        ("visa", [30, 19], None),
        ("visa", [30, 20], "receipt 30 + customer_signature 20 pages = 50 of 49 pages"),
        (None, [30, 20], "receipt 30 + customer_signature 20 pages = 50 of 49 pages"),
        ("mastercard", [10, 9], None),
        (
            "mastercard",
            [10, 10],
            "receipt 10 + customer_signature 10 pages = 20 of 19 pages that mastercard takes",
        ),
        ("mastercard", [20, None], "receipt: 20 of 19 pages that mastercard takes"),
    ],
)
def test_pages_are_added_up_for_each_network(network, pages, said):
    documents = [
        MeasuredDocument("receipt", 1, pages[0]),
        MeasuredDocument("customer_signature", 1, pages[1]),
    ]
    assert [each.problem for each in exceeded(STRIPE, documents, network)] == ([said] if said else [])


def test_one_document_a_field_where_the_api_says_so():
    [found] = exceeded(STRIPE, [MeasuredDocument("receipt", 1, 1), MeasuredDocument("receipt", 1, 1)])
    assert (found.pointer, found.problem) == ("/evidence/receipt", "2 documents of 1")
    assert not exceeded(MOOV, [MeasuredDocument("receipt", 1, 1)] * 9)


def test_optional_documents_make_room_the_last_ones_first():
    documents = [
        MeasuredDocument("a", 8, 1, "a", optional=True),
        MeasuredDocument("b", 8, 1, "b"),
        MeasuredDocument("c", 8, 1, "c", optional=True),
    ]
    assert to_leave_out(SMALL, documents) == {
        "c": "a (a) 0.000008 + b (b) 0.000008 + c (c) 0.000008 MB = 0.000024 of 0.000020 MB"
    }
    assert [*to_leave_out(SMALL, [*documents, MeasuredDocument("d", 10, 1, "d")])] == ["c", "a"]
    assert not to_leave_out(SMALL, documents[:2])
    assert not to_leave_out(SMALL, [MeasuredDocument("x", 30, 9, "x")])


def test_usage_is_said_in_one_line():
    documents = [MeasuredDocument("receipt", 700_000, 3), MeasuredDocument("customer_signature", 500_000, 4)]
    texts = [
        ("uncategorized_text", "x" * 12_000),
        ("enhanced_evidence", {"a": ["\U0001f600", {"b": "x" * 32}]}),
    ]
    used = usage(STRIPE, documents, texts, "visa")
    assert used.text == "texts 12,034 of 150,000 characters · documents 2 · 1.2 of 4.5 MB · 7 of 49 pages"
    assert used.longest == {"uncategorized_text": (12_000, 20_000)}
    assert usage(STRIPE, documents, [], "mastercard").text.endswith("7 of 19 pages")
    unknown = usage(STRIPE, [*documents, MeasuredDocument("refund_policy")], [])
    assert unknown.text.endswith("documents 3 · at least 1.2 of 4.5 MB · at least 7 of 49 pages")
    assert usage(MOOV, documents, [("receipt", "ab"), ("receipt", "abc")]).text == (
        "texts 5 characters · documents 2 · 1.2 MB · 7 pages"
    )
    assert usage(MOOV, [], [("receipt", "ab"), ("receipt", "abc")]).longest == {"receipt": (3, 750)}


sizes = st.lists(st.integers(0, 5_000_000), min_size=1, max_size=9)


@settings(max_examples=150, deadline=None)
@given(sizes, st.integers(-1, 1))
def test_the_total_is_exact_at_its_bound_and_the_sum_is_right(parts, beside):
    *others, _ = parts
    last = 4_500_000 + beside - sum(others)
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
def test_what_stays_fits_or_cannot_be_done_without(pieces):
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
