"""Each variant of a case file is read, refused or listed; none is lost silently."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import disputes
import pytest

from dispute_provider._cases.known_cases import KnownCases
from dispute_provider._cases.open_disputes import read_cases

CASE = {"provider": "stripe", "dispute": "du_open", "evidence": {"customer_name": "Zoë"}}
YAML = "provider: stripe\r\ndispute: du_open\r\nevidence: {customer_name: Zoë}\r\n"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1")
NAMES = ("case.yaml", "Case.YML", "case.JSON", "case.yaml.txt", ".case.yaml")
PLACES = {
    "": "read",
    "order 5": "read",
    "stripe/du_open": "read",
    "stripe": "read",
    "moov/du_open": "ignored",
    "stripe/DU_OPEN": "ignored",
    # As for a dispute that is closed.
    "stripe/du_other": "unseen",
    ".hidden": "ignored",
    "2026/november": "ignored",
}


def expected(encoding: str, name: str, place: str) -> str:
    """Return where the sweep has to say what it did with a file."""
    outcome = PLACES[place]
    if outcome == "unseen":
        return "unseen"
    if outcome == "ignored" or not name.lower().endswith(("case.yaml", "case.yml", "case.json")):
        return "ignored"
    if name.startswith("."):
        return "ignored"
    # UTF-16 without a byte order mark cannot be told from another encoding, and is never UTF-8.
    return "refused" if encoding in ("utf-16-be", "latin-1") else "read"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_variant_of_a_file_is_accounted_for(encoding, tmp_path: Path, monkeypatch):
    dispute = disputes.snapshot("du_open").dispute
    for number, (name, place) in enumerate(product(NAMES, PLACES)):
        root = tmp_path / str(number)
        monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(root))
        file = root / place / name
        file.parent.mkdir(parents=True)
        text = json.dumps(CASE, ensure_ascii=False) if "json" in name.lower() else YAML
        file.write_bytes(text.encode(encoding))
        found = read_cases("stripe", {"du_open": dispute}, None, KnownCases({}))
        seen = {
            "read": [each.case.source or "" for each in found.found],
            "refused": found.refused,
            "ignored": [each.path for each in found.ignored],
        }
        wanted = expected(encoding, name, place)
        counts = {outcome: int(outcome == wanted) for outcome in seen}
        assert {outcome: len(paths) for outcome, paths in seen.items()} == counts, (name, place, seen)


@pytest.mark.parametrize("places", [("", "order 5"), ("stripe/du_open", "order 5"), ("order 5", "order 6")])
@pytest.mark.parametrize("names", [("case.yaml", "case.yaml"), ("case.json", "Case.YAML")])
def test_both_of_two_cases_are_refused(places, names, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    for place, name in zip(places, names, strict=True):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / name).write_text(json.dumps(CASE), encoding="utf-8")
    found = read_cases("stripe", {"du_open": disputes.snapshot("du_open").dispute}, None, KnownCases({}))
    assert (found.found, len(found.refused)) == ([], 2)
