"""The search over all operations of all contracts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider import APIS
from dispute_provider._contracts import contract
from dispute_provider._explain.search import EFFECTS, search

ALL = [operation for api in APIS for operation in contract.load(api).operations.values()]
# What a person types, and what they look for.
FIRST = {
    "dispute": "GetDisputes",
    "evidence": "listDisputeEvidence",
    "SUBMIT": "submitDisputeEvidence",
    "update a dispute": "PostDisputesDispute",
    "moov submit": "submitDisputeEvidence",
    "file": "GetFilesFileContents",
    "upload file": "PostFiles",
    "product_description": "PostDisputesDispute",
    "tracking number": "PostDisputesDispute",
    "dispte update": "PostDisputesDispute",
    "evidnece": "listDisputeEvidence",
    "submitt": "submitDisputeEvidence",
    "422": "uploadDisputeEvidenceFile",
    "close": "PostDisputesDisputeClose",
    "accept dispute": "acceptDispute",
    "Stripe": "GetDisputes",
    "GetDisputesDispute": "GetDisputesDispute",
    "getdispute": "getDispute",
    "/v1/charges/{charge}": "GetChargesCharge",
    "text upload": "uploadDisputeEvidenceText",
    "acount moov": "getAccount",
    "revoke token": "revokeAccessToken",
    "concede": "PostDisputesDisputeClose",
    "download a document": "getDisputeEvidenceData",
    "ping": "ping",
}
WORDS = ["dispute", "evidence", "submit", "update", "account", "download", "charge"]


@pytest.mark.parametrize("query", FIRST)
def test_what_is_looked_for_comes_first(query: str) -> None:
    assert [each.id for each in search(query, ("stripe", "moov"))][:1] == [FIRST[query]]


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.id)
def test_each_operation_is_found_by_its_id_and_its_name(operation: contract.Operation) -> None:
    assert search(operation.id, APIS)[0] is operation
    assert search(f"{operation.api} {operation.summary}", APIS)[0] is operation


@pytest.mark.parametrize("query", ["", "  ", "the"])
def test_without_a_word_everything_is_listed_what_cannot_be_undone_last(query: str) -> None:
    found = search(query, APIS)
    assert sorted(each.id for each in found) == sorted(each.id for each in ALL)
    effects = [EFFECTS.index(each.effect) for each in found]
    assert effects == sorted(effects)


@pytest.mark.parametrize("query", ["nonsense", "dispute xyzzy", "499"])
def test_what_is_nowhere_is_not_found(query: str) -> None:
    assert search(query, APIS) == []


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True), st.randoms(use_true_random=False)
)
def test_order_and_case_make_no_difference(words: list[str], chance: object) -> None:
    other = [word.upper() if chance.random() < 0.5 else word for word in words]  # type: ignore[attr-defined]
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert search(" ".join(words), APIS) == search(" ".join(other), APIS)


@given(st.sampled_from(WORDS), st.data())
def test_one_typo_still_finds_what_the_word_finds(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(word) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    wrong = data.draw(
        st.sampled_from(
            [
                word[:place] + word[place + 1 :],
                word[:place] + letter + word[place + 1 :],
                word[:place] + letter + word[place:],
                word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :],
            ]
        )
    )
    assert search(word, APIS)[0] in search(wrong, APIS)


@given(st.text())
def test_any_text_can_be_searched(query: str) -> None:
    assert len(search(query, APIS)) <= len(ALL)
