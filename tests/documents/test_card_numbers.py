"""Card numbers are found in every usual notation, and distinguished from other long numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispute_provider._documents.card_numbers import card_numbers, has_card_number

VISA = "4242424242424242"
# The test numbers that payment services publish, one issuer per line.
PUBLISHED = [
    VISA, "4000056655665556", "4111111111111111", "4222222222222", "4012888888881881",
    "5555555555554444", "2223003122003222", "5105105105105100", "2720992593319364",
    "378282246310005", "371449635398431",
    "3056930009020004", "36227206271667", "30569309025904", "38520000023237",
    "6011111111111117", "6011000990139424", "6445644564456445",
    "3566002020360505", "3530111333300000",
    "6200000000000005", "6205500000000000004",
    "6759649826438453", "5018123456789006",
]  # fmt: skip


def luhn(digits: str) -> int:
    """Return the check digit of a number."""
    total = sum(int(d) if i % 2 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(digits)))
    return -total % 10


@pytest.mark.parametrize("number", PUBLISHED)
def test_numbers_of_all_issuers_are_found(number):
    assert luhn(number[:-1]) == int(number[-1])
    assert card_numbers(f"Paid with {number}, thanks.") == [10]


@pytest.mark.parametrize("number", PUBLISHED)
def test_a_mistyped_number_is_not_a_card_number(number):
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not has_card_number(f"Paid with {wrong}, thanks.")


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242.4242.4242.4242",
        "4242\u00a04242\u00a04242\u00a04242",
        "4242\u20114242\u20114242\u20114242",
        "4242424\u200b242424242",
        "4242\u200b 4242\u200b 4242\u200b 4242",
        "４２４２ ４２４２ ４２４２ ４２４２",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "Visa 4242 4242 4242 4242 12/27 123",
        "card:4242424242424242;exp=1227",
        "order_4242424242424242",
        "3782 822463 10005",
        "3056 930902 5904",
        "1. 4242 4242 4242 4242",
        "qty 1 4242424242424242",
    ],
)
def test_a_number_is_found_in_every_notation(text):
    assert len(card_numbers(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242 **** **** 4242",
        "XXXX-XXXX-XXXX-4242",
        "94242424242424242",
        "42424242424242429",
        "x4242424242424242",
        "4242424242424242a",
        "0.4242424242424242",
        "4242424242424242.5",
        "9400 4242 4242 4242 4242 90",
        "DE12 4242 4242 4242 4242 00",
        "+4242424242424242",
        "4006381333931",
        "1Z999AA10123456784",
        "2026-11-22 07:44:09 192.168.100.200",
        "du_1QkExample0001",
        "4242 4242\n4242 4242",
        "4242  4242  4242  4242",
        "1234567890123452",
    ],
)
def test_other_numbers_are_not_reported(text):
    assert not has_card_number(text)


def test_numbers_are_reported_by_position_without_digits():
    text = f"First {VISA}, then 5555 5555 5555 4444.\n{VISA}"
    assert card_numbers(text) == [6, 29, text.rindex(VISA)]


@settings(max_examples=60, deadline=None)
@given(
    prefix=st.sampled_from(["4", "51", "2221", "34", "36", "6011", "3528", "62"]),
    digits=st.text("0123456789", min_size=15, max_size=15),
    around=st.tuples(st.text("abc ,;\n", max_size=9), st.text("abc ,;\n", max_size=9)),
)
def test_a_complete_number_is_found_between_other_words(prefix, digits, around):
    length = {"34": 15, "36": 14}.get(prefix, 16)
    number = (prefix + digits)[: length - 1]
    number += str(luhn(number))
    before, after = around
    text = f"{before} {number} {after}"
    assert len(before) + 1 in card_numbers(text)


@settings(max_examples=60, deadline=None)
@given(st.text("0123456789", min_size=20, max_size=60))
def test_a_longer_run_of_digits_is_not_a_card_number(digits):
    assert not has_card_number(digits)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_searched(text):
    assert all(0 <= place < len(text) for place in card_numbers(text))
