"""Signatures: the fields they cover, the keys that make and check them, and failed checks."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispute_provider._evidence.record import Approval, Difference, Record, State
from dispute_provider._signatures import Check, Keyring, key_id_of

KEYS = Keyring([b"key"])
RECORD = Record(
    "stripe",
    "stripe_default",
    "du_1",
    State.APPROVED,
    "approved",
    documents={"file_1": "ab" * 32},
    differences=(Difference("receipt", "added"),),
    approval=Approval("submit", "ana", "2026-11-22T10:00:00+00:00"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


def content(record: Record) -> Any:
    return msgspec.to_builtins(record)


@pytest.mark.parametrize("field", sorted(set(Record.__struct_fields__) - {"signature"}))
def test_a_signature_covers_every_field_of_a_record(field: str) -> None:
    signature = KEYS.sign("dag/run", content(RECORD))
    assert KEYS.check(content(RECORD), signature, "dag/run") == Check.GOOD
    edited = msgspec.structs.replace(RECORD, **{field: "another"})
    assert KEYS.check(content(edited), signature, "dag/run") == Check.BAD


@given(one=JSON, other=JSON)
def test_a_signature_is_valid_only_for_its_content(one: Any, other: Any) -> None:
    signature = KEYS.sign("dag/run", one)
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert KEYS.check(other, signature, "dag/run") == (Check.GOOD if same else Check.BAD)


def test_signatures_outlive_versions() -> None:
    """The ledger keeps them for good."""
    mac = "fd5fcdccc1f5acd10a2b3813571b4862cdde80d6eed9f398c831ddd7adaa7588"
    assert KEYS.sign("dag/run", {"reason": "approved – ana", "by": "Zoë"}).startswith(f"{mac}.")


@given(content=JSON | st.text())
@example(content="del \x7f")
@example(content="lone \ud800")
def test_a_signature_is_the_hmac_of_json_in_ascii(content: Any) -> None:
    key = hmac.digest(b"key", b"dispute-provider record", "sha256")
    scope = hashlib.sha256(b"dag/run").hexdigest()[:32]
    encoded = json.dumps([scope, content], sort_keys=True, separators=(",", ":")).encode()
    assert KEYS.sign("dag/run", content).startswith(hmac.digest(key, encoded, "sha256").hex())


def test_a_signature_is_valid_only_for_its_scope() -> None:
    signature = KEYS.sign("dag/run", {"a": 1})
    assert KEYS.check({"a": 1}, signature, "dag/another-run") == Check.OTHER_SCOPE
    assert KEYS.check({"a": 2}, signature, "dag/another-run") == Check.BAD, "edited as well"


def test_a_signature_with_an_edited_scope_is_invalid() -> None:
    here, there = KEYS.sign("dag/run", 1), KEYS.sign("dag/another-run", 1)
    moved = f"{here.rpartition('.')[0]}.{there.rpartition('.')[2]}"
    assert KEYS.check(1, moved, "dag/another-run") == Check.BAD


def test_a_rotated_key_checks_and_the_new_one_signs() -> None:
    old, rotated, new = Keyring([b"old"]), Keyring([b"new", b"old"]), Keyring([b"new"])
    before, after = old.sign("dag/run", 1), rotated.sign("dag/run", 1)
    assert rotated.check(1, before, "dag/run") == Check.GOOD
    assert rotated.check(2, before, "dag/run") == Check.BAD
    assert new.check(1, after, "dag/run") == Check.GOOD
    assert new.check(1, before, "dag/run") == Check.UNKNOWN_KEY
    assert key_id_of(before) != key_id_of(after)


@pytest.mark.parametrize("signature", [None, "", "a" * 64, "x" * 106, "\ud800", "\x00"])
def test_an_invalid_signature_counts_as_unsigned(signature: str | None) -> None:
    assert KEYS.check(1, signature, "dag/run") == Check.UNSIGNED
    assert key_id_of(signature or "") == ""


@pytest.mark.parametrize("odd", ["half a pair: \ud800", 10**40])
def test_unusual_content_can_be_signed(odd: Any) -> None:
    signature = KEYS.sign("dag/run", {"a": odd})
    assert KEYS.check({"a": odd}, signature, "dag/run") == Check.GOOD
    assert KEYS.check({"a": 1}, signature, "dag/run") == Check.BAD


def test_a_keyring_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])
