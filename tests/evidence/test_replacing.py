"""A note, with the dispute's evidence afterwards, shows what an interrupted staging replaced."""

from __future__ import annotations

from typing import Any

from disputes import snapshot
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispute_provider._contracts.contract import load
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.merging import Merged, MergePolicy, Piece, merge
from dispute_provider._evidence.record import Difference
from dispute_provider._evidence.replacing import Replacement
from dispute_provider._evidence.snapshot import Evidence, contents

STRIPE = load("stripe")
DISPUTE = snapshot("du_1").dispute
NAMES = ["customer_name", "product_description", "uncategorized_text", "shipping_date"]
TEXTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["one", "two", "three"]))
PARTS = st.dictionaries(
    st.sampled_from(["visa_compliance", "mastercard_compliance"]),
    st.fixed_dictionaries({"fee_acknowledged": st.just(True), "by": st.sampled_from(["us", "them"])}),
)
CONTENTS = st.builds(lambda texts, parts: {**texts, **({"enhanced": parts} if parts else {})}, TEXTS, PARTS)


def held(contents: dict[str, Any]) -> list[Evidence]:
    return [
        Evidence(name, value=content) if isinstance(content, dict) else Evidence(name, text=content)
        for name, content in contents.items()
    ]


def pieces(case: dict[str, Any]) -> list[Piece]:
    return [
        piece
        for name, content in case.items()
        for piece in (
            [Piece(name, value={part: value}) for part, value in content.items()]
            if isinstance(content, dict)
            else [Piece(name, text=content)]
        )
    ]


def merged(case: dict[str, Any], there: dict[str, Any], ours: Any = ()) -> Merged:
    return merge(pieces(case), held(there), frozenset(ours), MergePolicy.OVERWRITE, single=True)


def written(case: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return the dispute's evidence after the case was written to it."""
    both = {**there, **case}
    if "enhanced" in both:
        both["enhanced"] = {**there.get("enhanced", {}), **case.get("enhanced", {})}
    return both


def note(case: dict[str, Any], there: dict[str, Any], automatic: str | None = None) -> Replacement:
    plan = merged(case, there)
    made = Replacement.of(DISPUTE, automatic, "f" * 64, plan.differences, plan)
    read = Replacement.read(made.to_dict())
    assert read == made
    return read


def kinds_of(differences: Any) -> set[Difference]:
    return set(differences)


@given(CONTENTS, CONTENTS)
def test_a_second_try_reports_what_the_first_try_replaced(there, case):
    noted = note(case, there, "smart_disputes")
    now = written(case, there)
    second = merged(case, now, noted.marks)
    assert kinds_of(noted.restated(second.differences)) == kinds_of(merged(case, there).differences)
    assert noted.evidence_before(now, there, second.differences) == there
    assert noted.automatic_before(second.differences) == "smart_disputes"


@given(CONTENTS, CONTENTS)
def test_a_note_whose_write_never_arrived_changes_nothing(there, case):
    noted = note(case, there)
    second = merged(case, there, noted.marks)
    assert kinds_of(noted.restated(second.differences)) == kinds_of(merged(case, there).differences)
    assert noted.evidence_before(there, there, second.differences) == there


@given(TEXTS, TEXTS, st.sampled_from(NAMES))
def test_a_value_that_a_third_party_writes_meanwhile_is_foreign(there, case, name):
    noted = note(case, there)
    now = {**written(case, there), name: "a third party's"}
    second = merged(case, now, noted.marks)
    restated = {each.name: each for each in noted.restated(second.differences)}
    assert restated[name].kind == ("overwritten" if name in case else "foreign")
    before = {key: value for key, value in there.items() if key != name}
    assert noted.evidence_before(now, there, second.differences) == {**before, name: "a third party's"}


@given(TEXTS, TEXTS, TEXTS)
def test_a_case_edited_between_two_tries_still_reports_what_was_replaced(there, case, edited):
    noted = note(case, there)
    now = written(case, there)
    second = merged(edited, now, noted.marks)
    kinds = {each.name: each.kind for each in noted.restated(second.differences)}
    for name, theirs in there.items():
        lost = {**now, **edited}[name] != theirs or (
            name in case and name not in edited and case[name] != theirs
        )
        assert (kinds[name] == "overwritten") >= lost
    assert noted.evidence_before(now, there, second.differences) == there


def test_replaced_text_that_was_not_kept_is_unknown():
    noted = note({"customer_name": "Ours"}, {"customer_name": "Theirs"})
    now = {"customer_name": "Ours"}
    second = merged(now, now, noted.marks)
    assert noted.evidence_before(now, None, second.differences) is None


def test_notes_of_another_stage_and_invalid_notes_are_ignored():
    noted = note({"customer_name": "Ours"}, {})
    assert noted.is_about(STRIPE, DISPUTE)
    assert noted.is_about(STRIPE, replace(DISPUTE, stage="inquiry"))
    assert not noted.is_about(STRIPE, replace(DISPUTE, submissions=1))
    assert not noted.is_about(STRIPE, replace(DISPUTE, stage="appeal"))
    assert Replacement.read(None) is None
    assert Replacement.read({"since": "now"}) is None


DOCUMENT_SETS = st.lists(st.sampled_from(["slip", "label", "photo"]), unique=True)


@given(theirs=DOCUMENT_SETS, ours=DOCUMENT_SETS)
def test_a_list_of_documents_is_reported_as_before_the_first_try(theirs, ours):
    """A list holds a colleague's documents along with those that an interrupted try added."""
    documents = [Document(f"{name}.pdf", name.encode()) for name in ours]
    pieces = [Piece("files", document=each) for each in documents]
    there = [Evidence("files", id=f"their {name}", filename=name, size=1) for name in theirs]
    uploaded = [
        Evidence("files", id=each.path, filename=each.upload_name, size=len(each.content))
        for each in documents
    ]
    first, second = (
        merge(pieces, held, frozenset(), MergePolicy.KEEP, single=True, lists=("files",))
        for held in (there, [*there, *uploaded])
    )
    noted = Replacement.of(DISPUTE, "smart_disputes", "f" * 64, first.differences, first)
    restated = noted.restated(second.differences)
    assert kinds_of(restated) == kinds_of(first.differences) and len(restated) == len(first.differences)
    before, now = contents(there), contents([*there, *uploaded])
    assert noted.evidence_before(now, before, second.differences) == before
    unknown = noted.evidence_before(now, None, second.differences)
    assert unknown in (None, before) and (unknown is None or not (theirs and ours))
