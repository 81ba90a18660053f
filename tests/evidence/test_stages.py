"""Each stage gets the evidence that it accepts; the rest of a case is named, never silently dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider._cases import lines as case_lines
from dispute_provider._contracts import contract
from dispute_provider._contracts.evidence_fields import fields
from dispute_provider._evidence import stages
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider.exceptions import InvalidCaseError

STRIPE, MOOV = contract.load("stripe"), contract.load("moov")
STAGES = ("inquiry", "chargeback", "appeal", "compliance", "block", "of a later version")
TEXTS = ("customer_name", "uncategorized_text", "shipping_address")
FILES = ("receipt", "refund_policy")

# A text that shows nothing is refused as an empty one.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map("text {}".format)
file = st.fixed_dictionaries({"file": st.from_regex(r"[a-z]{1,8}\.pdf", fullmatch=True)})
card = st.fixed_dictionaries(
    {}, optional={"reason_for_filing": text, "supporting_files": st.lists(file, min_size=1, max_size=4)}
).filter(bool)
evidence = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXTS, text),
        **dict.fromkeys(FILES, file),
        "enhanced_evidence": st.just({"visa_compliance": {"fee_acknowledged": True}}),
        "appeal": st.fixed_dictionaries({"card": card}),
    },
)


def case(given_evidence: dict[str, Any]) -> Case:
    return Case.parse({"provider": "stripe", "dispute": "du_1", "evidence": given_evidence})


@given(given_evidence=evidence, stage=st.sampled_from(STAGES))
def test_a_stage_gets_its_part_of_a_case_and_the_rest_is_named(
    given_evidence: dict[str, Any], stage: str
) -> None:
    whole = case(given_evidence)
    part, others = stages.part_for(STRIPE, whole, stage)
    assert {entry.name.startswith("appeal/") for entry in part.evidence} <= {stage == "appeal"}
    assert {name.startswith("appeal/") for name in others} <= {stage != "appeal"}
    assert [entry for entry in whole.evidence if entry.name not in others] == list(part.evidence)
    assert {entry.name for entry in whole.evidence} == {entry.name for entry in part.evidence} | {*others}
    refused = stages.refusal(STRIPE, whole.names, stage)
    assert bool(refused) == (bool(whole.evidence) and not part.evidence)
    assert all(name in (refused or "") for name in others if refused)


@given(given_evidence=evidence)
def test_a_case_is_read_with_all_its_pieces_in_their_order(given_evidence: dict[str, Any]) -> None:
    pieces: list[tuple[str, Any]] = []
    for name, value in given_evidence.items():
        members = value["card"] if name == "appeal" else {"": value}
        for member, each in members.items():
            label = f"appeal/card/{member}" if member else name
            pieces += [(label, item) for item in (each if isinstance(each, list) else [each])]
    read = [
        (entry.name, {"file": entry.value.path} if isinstance(entry.value, FileReference) else entry.value)
        for entry in case(given_evidence).evidence
    ]
    assert read == pieces


@pytest.mark.parametrize("stage", STAGES)
def test_every_field_of_stripe_is_accepted_either_for_appeals_or_otherwise(stage: str) -> None:
    for name in fields(STRIPE):
        assert stages.is_taken(STRIPE, name, stage) == (name.startswith("appeal/") == (stage == "appeal"))


@pytest.mark.parametrize("phase", ["pre-dispute", "inquiry", "chargeback", "unknown", "appeal"])
def test_moov_accepts_the_same_evidence_in_every_phase(phase: str) -> None:
    assert all(stages.is_taken(MOOV, name, phase) for name in fields(MOOV))


def test_moov_has_no_appeals() -> None:
    with pytest.raises(InvalidCaseError, match="appeal: is no evidence field of Moov; must be one of: "):
        Case.parse({"provider": "moov", "dispute": "d", "evidence": {"appeal": {"card": {}}}})


def test_an_appeal_on_a_line_is_read_as_in_a_file(cases: Path) -> None:
    given_evidence = {
        "appeal": {"card": {"reason_for_filing": "Why.", "supporting_files": [{"file": "a.pdf"}]}}
    }
    data = {"provider": "stripe", "dispute": "du_1", "evidence": given_evidence}
    path = cases / "all.jsonl"
    path.write_text(f"{json.dumps(data)}\n")
    [line] = case_lines.expanded([str(path)])
    assert line.case().evidence == Case.parse(data).evidence


@pytest.mark.parametrize(
    ("appeal", "at"),
    [
        (None, "/evidence/appeal"),
        ("Why.", "/evidence/appeal"),
        ([], "/evidence/appeal"),
        ({}, "/evidence/appeal"),
        ({"klarna": {}}, "/evidence/appeal"),
        ({"card": "Why."}, "/evidence/appeal/card"),
        ({"card": {}}, "/evidence/appeal/card"),
        ({"card": {"reason": "Why."}}, "/evidence/appeal/card"),
        ({"card": {"reason_for_filing": ""}}, "/evidence/appeal/card/reason_for_filing"),
        ({"card": {"reason_for_filing": {"file": "a.pdf"}}}, "/evidence/appeal/card/reason_for_filing"),
        ({"card": {"reason_for_filing": "x" * 150_001}}, "/evidence/appeal/card"),
        ({"card": {"supporting_files": ""}}, "/evidence/appeal/card/supporting_files"),
        ({"card": {"supporting_files": []}}, "/evidence/appeal/card/supporting_files"),
        ({"card": {"supporting_files": {"file": "a.pdf"}}}, "/evidence/appeal/card/supporting_files"),
        ({"card": {"supporting_files": ["file_1"]}}, "/evidence/appeal/card/supporting_files/0"),
        (
            {"card": {"supporting_files": [{"file": "../a.pdf"}]}},
            "/evidence/appeal/card/supporting_files/0/file",
        ),
    ],
)
def test_an_invalid_appeal_is_refused_with_its_pointer(appeal: Any, at: str) -> None:
    with pytest.raises(InvalidCaseError) as caught:
        case({"customer_name": "Zoë", "appeal": appeal})
    assert at in [violation.pointer for violation in caught.value.violations]
