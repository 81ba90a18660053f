"""The check for wire names outside schemas/ and _apis/ passes, and detects a planted name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import wire_names


def test_the_package_has_no_wire_names() -> None:
    assert wire_names.check(wire_names.ROOT) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the checked folders."""
    left_out = shutil.ignore_patterns("__pycache__", "static")
    for folder in ("schemas", "dags", "dispute_provider"):
        shutil.copytree(wire_names.ROOT / folder, tmp_path / folder, ignore=left_out)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('account = arguments.get("Stripe-Account")', "Stripe-Account"),
        ('names = ("stripe-account",)', "stripe-account"),
        ('found = answer.data["status"]', "status"),
        ('dispute = arguments["dispute"]', "dispute"),
        ('has_one = "submit" in request.arguments', "submit"),
        ('key = f"{x}" + "accountID"', "accountID"),
        ('operation = "PostDisputesDispute"', "PostDisputesDispute"),
        ('evidence = schemas["CaseEvidence"]', "CaseEvidence"),
        ('how = answer.data["payment_method"]', "payment_method"),
        ('name = evidence["customer_name"]', "customer_name"),
    ],
)
def test_a_planted_name_is_found(line: str, name: str, checkout: Path) -> None:
    planted = checkout / "dispute_provider" / "operators" / "planted.py"
    planted.write_text(f"{line}\n")
    assert wire_names.check(checkout) == [
        f"dispute_provider/operators/planted.py:1: {name!r} is a name of an API's wire; find it by its x-role"
    ]


@pytest.mark.parametrize(
    "line",
    [
        'what = "dispute"',
        'state = record["status"]',
        'how = record["payment_method"]',
        '"""Stripe-Account is found by its role."""',
        'name = operation.argument("idempotency-key")',
    ],
)
def test_english_words_are_not_reported(line: str, checkout: Path) -> None:
    (checkout / "dispute_provider" / "operators" / "planted.py").write_text(f"{line}\n")
    assert wire_names.check(checkout) == []


def test_another_api_may_have_names_of_our_records(checkout: Path) -> None:
    answer = {"properties": {"request_id": {}, "dispute_reason": {}, "error_type": {}}}
    (checkout / "schemas" / "other.openapi.json").write_text(json.dumps(answer))
    assert wire_names.check(checkout) == []


def test_an_api_s_modules_may_use_its_names(checkout: Path) -> None:
    (checkout / "dispute_provider" / "_apis" / "planted.py").write_text('x = "Stripe-Account"\n')
    assert wire_names.check(checkout) == []
